"""The tables of cases, as rows of text with the figure that each cell is sorted by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from energy.records.metrics import METRICS
from energy.records.validity import list_objections
from energy.report.groups import Entry, Group
from energy.report.terminal import caption, table
from energy.report.terminal.table import TITLES, UNKNOWN, WORDS, Notes
from energy.report.words import clipped
from energy.text import format_number, list_few

# Notes of one table; what lies beyond, the record itself tells.
MOST_NOTES = 60
# Runs that are named under a table.
MOST_RUNS = 8

COLUMNS = (
    "case", "dice", "kj_per_epoch", "total_kj", "dice_loss_vs_unet_pct", "dice_per_kj", "seconds",
    "mean_watts", "inference_j_per_slice", "inference_ms_per_slice", "validity",
)  # fmt: skip

MORE_TITLES = {
    "case": "case",
    "seconds": "seconds",
    "mean_watts": "mean W",
    "inference_j_per_slice": "J/slice",
    "inference_ms_per_slice": "ms/slice",
}


@dataclass(frozen=True)
class Column:
    """Title of a column; what it means; whether it holds figures."""

    title: str
    meaning: str
    numeric: bool


@dataclass(frozen=True)
class Cell:
    """Text of a cell; the figure that it is sorted by, None if there is none."""

    text: str
    value: float | None


@dataclass(frozen=True)
class Row:
    """One case: `hollow` where it failed or something speaks against it."""

    cells: tuple[Cell, ...]
    hollow: bool


@dataclass(frozen=True)
class CaseTable:
    """All cases of a group, least total kJ first, what its notes mean, and the sentences below it."""

    group: Group
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    sentences: tuple[str, ...]


def of_group(group: Group) -> CaseTable:
    """Return the table of a group's cases."""
    names = _names(group)
    notes = Notes()
    rows = tuple(_row(entry, names, notes) for entry in sorted(group.entries, key=_rank))
    reasons = tuple(notes.texts[:MOST_NOTES])
    left = len(notes.texts) - len(reasons)
    more = (f"[{len(reasons) + 1}] and up: {left} more reasons, in `show --case`",) if left else ()
    records = [entry.record for entry in group.entries]
    return CaseTable(
        group=group,
        columns=(*map(_column, names), Column("n", "repeats, one per seed, or per seed and fold", True)),
        rows=rows,
        notes=reasons,
        sentences=(*more, *_origins(group), *caption.write_caption(records, names, group.idle)[:MOST_NOTES]),
    )


def _origins(group: Group) -> Iterator[str]:
    """Say what is not the same for all cases of a table."""
    runs = list(dict.fromkeys(clipped(entry.run.reference) for entry in group.entries))
    if len(runs) > 1:
        yield (
            f"These cases are from {len(runs)} runs ({list_few(runs, MOST_RUNS)}); "
            "between two runs the same work may take some per cent more or less."
        )
    software = {entry.whole["keys"].get("software") for entry in group.entries}
    if len(software) > 1:
        yield f"They were made with {len(software)} sets of libraries, which change energy and Dice."


def _names(group: Group) -> tuple[str, ...]:
    """Leave out what no case of the group has."""
    had = {name for entry in group.entries for name in entry.record["metrics"]}
    return tuple(name for name in COLUMNS if name in WORDS or name in had)


def _column(name: str) -> Column:
    metric = METRICS.get(name)
    title = MORE_TITLES.get(name) or TITLES.get(name, name)
    if metric is None:
        return Column(title, "what is said against the record" if name == "validity" else "", False)
    return Column(title, metric.meaning, True)


def _rank(entry: Entry) -> tuple[bool, float, str]:
    kj = entry.mean("total_kj")
    return kj is None, kj or 0.0, entry.case


def _row(entry: Entry, names: Sequence[str], notes: Notes) -> Row:
    cells = [Cell(table.cell(entry.record, name, names, notes), _value(entry, name)) for name in names]
    repeats = len(entry.record["metrics"].get("seconds", {}).get("values", ()))
    count = Cell(str(repeats), repeats) if repeats else Cell(UNKNOWN, None)
    return Row((*cells, count), not entry.usable)


def _value(entry: Entry, name: str) -> float | None:
    value = entry.mean(name) if name in METRICS else None
    return None if value is None else float(f"{value:.7g}")


def problems(groups: Sequence[Group]) -> list[tuple[str, str, str, str]]:
    """List the cases that failed or are invalid: case, machine, what, why."""
    found = ((group, entry) for group in groups for entry in group.entries if not entry.usable)
    return [(entry.case, group.machine, *_problem(entry)) for group, entry in found]


def _problem(entry: Entry) -> tuple[str, str]:
    error = entry.record["error"]
    if error:
        told = f"{error['type']}: {error['message']}".rstrip(": ")
        return entry.record["status"], f"{told} (after {format_number(error['seconds'])} s)"
    return "invalid", ", ".join(list_objections(entry.record))
