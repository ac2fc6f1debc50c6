"""The table at the end of a run, and of `show`: digits that the uncertainty supports, reasons for gaps."""

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from energy.records import provenance
from energy.records.metrics import METRICS
from energy.records.validity import describe_collapse, describe_validity
from energy.report.terminal import caption
from energy.text import align_columns, column_widths, explain_unknown, format_number, format_plus_minus

Record = Mapping[str, Any]

DEFAULT_COLUMNS = (
    "case", "dice", "kj_per_epoch", "total_kj", "dice_loss_vs_unet_pct", "dice_per_kj", "seconds",
    "meter", "validity",
)  # fmt: skip

TITLES = {
    "dice": "Dice",
    "kj_per_epoch": "kJ/epoch",
    "total_kj": "total kJ",
    "dice_loss_vs_unet_pct": "Dice lost %",
    "dice_per_kj": "Dice/kJ",
}

# Columns that are no metrics.
WORDS = ("case", "status", "meter", "validity")

UNKNOWN = "–"
WHAT_COLLAPSED_MEANS = (
    "collapsed: the weights that were kept find brain in no pixel of the validation part, or in every one"
)

# Counted, not measured: every digit is right.
_COUNTS = ("params", "macs_per_slice")


class Notes:
    """Number the reasons under a table, each once, in the order in which the table asks for them."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def mark(self, text: str) -> str:
        """Return the mark "[1]" of a reason."""
        if text not in self.texts:
            self.texts.append(text)
        return f"[{self.texts.index(text) + 1}]"


def column_names() -> tuple[str, ...]:
    """Return the name of every column there is."""
    return (*WORDS, *METRICS)


def parse_columns(text: str) -> tuple[str, ...]:
    """Return the column names in a comma-separated `text`, always with the case in front.

    Raises:
        ValueError: a name is unknown; the message has the nearest ones.
    """
    names = [_known(name.strip()) for name in text.split(",")]
    return ("case", *(name for name in dict.fromkeys(names) if name != "case"))


def parse_sort(text: str) -> str:
    """Return `text` if it is the name of a column; ValueError with the nearest names otherwise."""
    return _known(text.strip())


def format_table(
    records: Sequence[Record],
    *,
    columns: Sequence[str] | None = None,
    sort: str | None = None,
    idle: Mapping[str, Any] | None = None,
    width: int = 120,
) -> str:
    """Return the table of `records`, what it means, and the numbered reasons for what is missing.

    Args:
        records: case records as in the schema.
        columns: names of columns; default: those of `DEFAULT_COLUMNS` that any of the records has.
        sort: column that sorts the rows, best first, unknown last; default: the order given.
        idle: the file's energy.idle block; None: idle power was not measured.
        width: characters in a line; a case's name is never cut, but gets a line of its own if it must.
    """
    names = tuple(map(_known, columns)) if columns else _default_columns(records)
    rows = list(records) if sort is None else sorted(records, key=lambda record: _rank(record, _known(sort)))
    notes = Notes()
    cells = [[cell(record, name, names, notes) for name in names] for record in rows]
    sentences = caption.write_caption(rows, names, idle)
    sentences += [f"[{number}] {text}" for number, text in enumerate(notes.texts, start=1)]
    wrapped = (textwrap.fill(line, width, subsequent_indent="    ") for line in sentences)
    return "\n".join([*_grid(names, cells, width), "", *wrapped])


def _default_columns(records: Sequence[Record]) -> tuple[str, ...]:
    """Leave out what no record can have, such as the Dice of a function; a failed case might have had all."""
    good = [record for record in records if record["status"] == "ok"]
    had = {name for record in good for name in record["metrics"]}
    return tuple(name for name in DEFAULT_COLUMNS if name in WORDS or name in had or not good)


def _known(name: str) -> str:
    if name not in column_names():
        raise ValueError(explain_unknown("column", name, column_names()))
    return name


def _rank(record: Record, name: str) -> tuple[bool, float, str]:
    """Sort known figures before unknown ones, better before worse."""
    if name in WORDS:
        return False, 0.0, _word(record, name)
    value = record["metrics"].get(name, {}).get("mean")
    if value is None:
        return True, 0.0, ""
    return False, -value if METRICS[name].better == "higher" else value, ""


def _word(record: Record, name: str) -> str:
    """Return the text of a column that is no metric."""
    if name == "meter":
        source = provenance.find_provenance(record)
        return source.kind if source else UNKNOWN
    if name == "validity":
        return describe_validity(record)
    return str(record[name])


def cell(record: Record, name: str, names: Sequence[str], notes: Notes) -> str:
    """Return the text of one cell of the columns `names`; what needs a reason gets its mark from `notes`.

    A failed case says so in the first column after its name.
    """
    if record["status"] != "ok" and name == _status_column(names):
        text = _word(record, name) if name == "case" else ""
        return f"{text} {record['status']} {notes.mark(_failure(record))}".strip()
    if name == "validity":
        return _validity(record, notes)
    if name in WORDS:
        return _word(record, name)
    return _figure(record, name, notes)


def _validity(record: Record, notes: Notes) -> str:
    """Return `ok` or `invalid`; why, and what is noted, stands below the table."""
    if record["status"] != "ok":
        return UNKNOWN
    text = describe_validity(record)
    word = text.partition(":")[0].partition(";")[0]
    if word == "ok" and (collapse := describe_collapse(record)):
        return f"{collapse} {notes.mark(WHAT_COLLAPSED_MEANS)}"
    return word if text == word else f"{word} {notes.mark(text)}"


def _status_column(names: Sequence[str]) -> str:
    return next((name for name in names if name not in ("case", "status")), "case")


def _failure(record: Record) -> str:
    error = record["error"]
    return f"{record['case']} {record['status']}: {error['type']}: {error['message']}".rstrip(": ")


def _figure(record: Record, name: str, notes: Notes) -> str:
    """Return a metric with the digits it supports, or the mark of the reason why it is unknown."""
    summary = record["metrics"].get(name)
    if summary is None:
        # What a failed case lacks, its status explains.
        reason = f"{name}: not recorded for this {record['task']} case"
        return UNKNOWN if record["status"] != "ok" else f"{UNKNOWN} {notes.mark(reason)}"
    if summary["mean"] is None:
        return f"{UNKNOWN} {notes.mark(summary['reason'])}"
    half = (summary["ci95"][1] - summary["ci95"][0]) / 2 if summary["ci95"] else None
    if name in _COUNTS:
        return f"{summary['mean']:.0f}"
    if half is not None and name.startswith("dice") and summary["unit"] == "1":
        return format_plus_minus(summary["mean"], half)
    return format_number(summary["mean"], max(half or 0.0, _meter_error(record, summary)))


def _meter_error(record: Record, summary: Mapping[str, Any]) -> float:
    """Return half the band of an energy figure, in its own unit."""
    if summary["unit"] not in provenance.ENERGY_UNITS:
        return 0.0
    source = provenance.find_provenance(record)
    if source is None or source.factors is None:
        return 0.0
    low, high = source.factors
    return math.fabs(summary["mean"]) * (high - low) / 2


def _grid(names: Sequence[str], cells: list[list[str]], width: int) -> list[str]:
    """Align the cells; where a line would be too long, each case's name gets a line of its own."""
    header = [TITLES.get(name, name) for name in names]
    widths = column_widths([header, *cells])
    figures = [number for number, name in enumerate(names) if name not in WORDS]
    if sum(widths) + 2 * (len(widths) - 1) <= width or names[0] != "case":
        top, *body = align_columns([header, *cells], figures, widths)
    else:
        widths[0] = len("case")
        top, *rows = align_columns(
            [["case", *header[1:]], *(["", *row[1:]] for row in cells)], figures, widths
        )
        body = [line for row, text in zip(cells, rows, strict=True) for line in (row[0], text)]
    return [top, "-" * max(len(line) for line in (top, *body)), *body]
