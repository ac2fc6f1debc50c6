"""Tables of comma-separated values that a spreadsheet may open without running anything."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

from energy.exporters._text import printable

Cell = str | int | float | None

# A spreadsheet takes a cell for a formula that begins so, also with the wide forms of these signs (OWASP, CSV
# injection). It shows an apostrophe before them as text; one that is there already gets a second, so that a
# reader who takes one apostrophe away has the name again.
_TROUBLE = tuple("=+-@\t\r'" + "\uff1d\uff0b\uff0d\uff20")


def table(columns: Sequence[str], rows: Iterable[Mapping[str, Cell]]) -> str:
    """Return the rows as CSV of RFC 4180 with a header; what a row does not have, or is None, is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows({name: _safe(cell) for name, cell in row.items()} for row in rows)
    return text.getvalue()


def _safe(cell: Cell) -> str | int | float:
    if cell is None:
        return ""
    if not isinstance(cell, str):
        return cell
    text = printable(cell)
    return f"'{text}" if text.startswith(_TROUBLE) else text
