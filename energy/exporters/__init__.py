"""The formats of `export`: one file each, found by its name.

An exporter is a module with a docstring, `OPTIONS` (the fields of `Request` that it takes beyond the run) and
`export(request) -> Exported`. Whatever the format, measured and modelled energy are told apart, what is
unknown is left out or empty and never 0, and a case that failed is still seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from energy._registry import list_entries, load_entry
from energy.analysis.compare.result import Comparison
from energy.text import explain_unknown

MAX_BYTES = 60_000  # a comment on GitHub holds 65,536 characters


class ExportError(ValueError):
    """This run cannot be written in this format; says why and what to do."""


@dataclass(frozen=True)
class Request:
    """What is to be exported.

    Args:
        run: a run file of ours, parsed and valid.
        reference: what the run is called, FINGERPRINT/NNNN_NAME.
        base: what the run is compared with.
        max_bytes: size that a text must not exceed, in UTF-8.
        grid_g_per_kwh: grams of CO2 per kWh of the grid, for a run that does not say.
        case: the one case that is meant.
        location: where the machine stands.
        training_type: "pre-training" or "fine-tuning".
    """

    run: Mapping[str, Any]
    reference: str
    base: Comparison | None = None
    max_bytes: int = MAX_BYTES
    grid_g_per_kwh: float | None = None
    case: str | None = None
    location: str | None = None
    training_type: str | None = None


@dataclass(frozen=True)
class Exported:
    """Texts by the ending of their file's name, and what the user should know beside them."""

    files: Mapping[str, str]
    notes: tuple[str, ...] = ()


def names() -> tuple[str, ...]:
    """Return the names of the formats, sorted."""
    return list_entries(__name__)


def load(name: str) -> ModuleType:
    """Import one exporter.

    Raises:
        ExportError: there is no such format; has the nearest names.
    """
    plain = name.replace("-", "_")
    if plain not in names():
        raise ExportError(explain_unknown("format", name, names()))
    return load_entry(__name__, "format", plain)
