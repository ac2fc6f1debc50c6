"""What several formats say of the cases of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from energy.analysis.compare.result import Comparison, Row
from energy.exporters import ExportError, Request
from energy.exporters._text import printable
from energy.records import provenance
from energy.records.storage.runfile import list_records
from energy.records.validity import list_objections
from energy.report.terminal import caption

Record = Mapping[str, Any]

# What a service may follow over time. The others are parts of these, or counts that a commit does not change
# by chance; a chart for each of nearly thirty metrics of each case would be looked at by nobody.
TRACKED = (
    "total_kj", "kj_per_epoch", "seconds", "s_per_epoch", "peak_gpu_mib", "dice_loss_vs_unet_pct",
    "inference_j_per_slice", "inference_ms_per_slice", "dice", "dice_per_kj",
)  # fmt: skip


def records(request: Request) -> list[dict[str, Any]]:
    """Return the records of the run.

    Raises:
        ExportError: there are none, as in a plain pytest-benchmark file.
    """
    found = list_records(request.run)
    if not found:
        raise ExportError(f"{request.reference} holds no energy records: there is nothing to export")
    return found


def names(found: Sequence[Record]) -> list[str]:
    """Name each case so that no two of a run share a name: its task, too, and its test where it must be.

    >>> training = {"case": "unet-baseline", "task": "training", "node": "a.py::test"}
    >>> names([training, {**training, "task": "inference"}])
    ['unet-baseline', 'unet-baseline (inference)']
    """
    plain = [_name(record) for record in found]
    often = Counter(plain)
    longer = [
        name if often[name] == 1 else f"{name} {printable(str(record.get('node')))}"
        for name, record in zip(plain, found, strict=True)
    ]
    unique: list[str] = []
    for name in longer:
        numbered = (name, *(f"{name} #{number}" for number in range(2, len(found) + 1)))
        unique.append(next(choice for choice in numbered if choice not in unique))
    return unique


def _name(record: Record) -> str:
    # Functions of a foreign suite have no other task that could share their name.
    plain = record["task"] in ("training", "function")
    return printable(record["case"] if plain else f"{record['case']} ({record['task']})")


def row_of(base: Comparison | None, record: Record) -> Row | None:
    """Return what a comparison says of a record."""
    rows = () if base is None else base.rows
    return next((row for row in rows if (row.case, row.task) == (record["case"], record["task"])), None)


def problem(record: Record) -> str | None:
    """Say why the figures of a record are not to be used, or None: it failed, or a flag speaks against it."""
    if record["status"] != "ok":
        error = record["error"]
        return printable(f"{record['status']}: {error['type']}: {error['message']}".rstrip(": "))
    objections = list_objections(record)
    return printable(f"invalid: {', '.join(objections)}") if objections else None


def sources(record: Record) -> str:
    """Say how the joules of a record were got: "measured: nvml_counter + rapl"."""
    made_of = provenance.find_provenance(record)
    return "nothing was metered" if made_of is None else printable(caption.sources_in_words(made_of))


def kinds(found: Sequence[Record]) -> str:
    """Say for all records together how their joules were got."""
    return f"energy {'; '.join(dict.fromkeys(map(sources, found)))}"


def hardware(run: Mapping[str, Any]) -> str:
    """Return the run's hardware and meter key."""
    return printable(run["energy"]["fingerprint"])
