"""How a record's joules were got: by which meters, measured or modelled, and how far the truth may lie."""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from energy.records.metrics import METRICS

# What is, or is derived from, an energy: its error is the meter's, and it is measured or modelled as that is.
ENERGY_UNITS = ("kJ", "J", "1/kJ", "W", "g")

_PARTS = {"gpu_kj": "gpu", "cpu_kj": "cpu", "ram_kj": "ram"}
_WITNESSES = {"codecarbon_kj": "codecarbon", "outside_kj": "outside_"}


@dataclass(frozen=True)
class Provenance:
    """Tell what is behind a total.

    Args:
        kind: "measured", "modelled", or "mixed" if the total adds up both.
        sources: sources of the domains in the total, each with its kind, sorted.
        joules: mean total over the repeats; None if a part is unknown.
        band: joules between which the truth lies; None if unknown.
    """

    kind: str
    sources: tuple[tuple[str, str], ...]
    joules: float | None
    band: tuple[float, float] | None

    @property
    def factors(self) -> tuple[float, float] | None:
        """Return the band relative to the total; None if either is unknown, or the total is 0."""
        if self.band is None or not self.joules:
            return None
        return self.band[0] / self.joules, self.band[1] / self.joules


def find_provenance(record: Mapping[str, Any]) -> Provenance | None:
    """Return the provenance of a record's total energy; None if nothing was metered."""
    parts = [domain for domain in record["domains"] if not domain["witness"]]
    if not parts:
        return None
    kinds = {part["kind"] for part in parts}
    sources = sorted({(part["source"], part["kind"]) for part in parts})
    kind = kinds.pop() if len(kinds) == 1 else "mixed"
    # The record decides whether there is a total: without CPU or RAM, say, the sum of the rest is none.
    if record["metrics"].get("total_kj", {}).get("mean") is None:
        return Provenance(kind, tuple(sources), None, None)
    return Provenance(kind, tuple(sources), _total(parts), _band(parts))


def kind_of(record: Mapping[str, Any], metric: str) -> str | None:
    """Return whether a metric of a record is measured, modelled or a mix of both.

    A part of the energy is what its own meters are, everything else what the total is. None for what is no
    energy, and where nothing was metered.
    """
    known = METRICS.get(metric)
    if known is None or known.unit not in ENERGY_UNITS:
        return None
    kinds = {domain["kind"] for domain in record["domains"] if _is_behind(domain, metric)}
    return "mixed" if len(kinds) > 1 else next(iter(kinds), None)


def _is_behind(domain: Mapping[str, Any], metric: str) -> bool:
    if metric in _WITNESSES:
        return str(domain["source"]).startswith(_WITNESSES[metric])
    return not domain["witness"] and domain["domain"] == _PARTS.get(metric, domain["domain"])


def _total(parts: list[dict[str, Any]]) -> float | None:
    """Add up the means over the repeats."""
    if any(None in part["joules"] for part in parts):
        return None
    return sum(fmean(part["joules"]) for part in parts)


def _band(parts: list[dict[str, Any]]) -> tuple[float, float] | None:
    """Add up the ends: the errors of two meters need not cancel."""
    bands = [part["band"] for part in parts if part["band"] is not None]
    if len(bands) < len(parts):
        return None
    return sum(low for low, _ in bands), sum(high for _, high in bands)
