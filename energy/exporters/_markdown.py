"""GitHub-flavoured Markdown of texts from outside, and pages cut to a size.

A name from a record stands in code, where no service makes mentions, issue numbers or links of it. What could
end the code or the table is written as a character reference, which Markdown never takes for structure
(CommonMark 0.31, section 6.2 of entity references).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from energy.exporters._text import printable
from energy.report.words import clipped

LONGEST_NAME = 120
LONGEST_SENTENCE = 600

_HARMLESS = re.compile(r"[A-Za-z0-9(/]([A-Za-z0-9_.,:;=+%/()\[\] -]*[A-Za-z0-9_.%)\]])?")
_STRUCTURE = re.compile(r"[!-,:-@\[-`{-~]|\.(?=\w)|/")
# Inside a word an underscore is no emphasis.
_IN_PROSE = re.compile(r"[#$&*<>@\[\\\]`|~]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
# A service links @name and #12 only where nothing stands between.
_NO_LINK = {"@": "&#8203;", "#": "&#8203;"}


def code(text: str, longest: int = LONGEST_NAME) -> str:
    """Return a name as code, the middle of a long one left out.

    >>> code("unet-baseline"), code("a|b")
    ('`unet-baseline`', '<code>a&#124;b</code>')
    """
    shown = clipped(printable(text), longest)
    if _HARMLESS.fullmatch(shown):
        return f"`{shown}`"
    return f"<code>{_STRUCTURE.sub(_reference, shown)}</code>"


def prose(text: str, longest: int = LONGEST_SENTENCE) -> str:
    """Return a sentence as plain text: nothing in it is markup, a mention or the end of a table's cell.

    >>> prose("worse by 3 % [1]")
    'worse by 3 % &#91;1&#93;'
    """
    shown = clipped(printable(text), longest)
    return _IN_PROSE.sub(lambda found: _reference(found) + _NO_LINK.get(found[0], ""), shown)


def _reference(found: re.Match[str]) -> str:
    return f"&#{ord(found[0])};"


def table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table; the cells are Markdown already. The first and the last column hold words."""
    rule = ["---", *["---:"] * (len(titles) - 2), "---"]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (titles, rule, *rows))


def bullets(lines: Sequence[str]) -> str:
    """Return a list; the lines are Markdown already."""
    return "\n".join(f"- {line}" for line in lines)


def folded(summary: str, body: str) -> str:
    """Return what a reader opens by a click; `body` is Markdown."""
    return f"<details>\n<summary>{prose(summary)}</summary>\n\n{body}\n\n</details>"


def commands(lines: Sequence[str]) -> str:
    """Return command lines as a block of code, which nothing in them can end."""
    shown = [clipped(printable(line), LONGEST_SENTENCE) for line in lines]
    longest = max((len(run) for line in shown for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join([f"{fence}sh", *shown, fence])


@dataclass(frozen=True)
class Page:
    """A page that can be cut.

    Args:
        head: what must be seen.
        rows: number of rows of the table.
        body: returns the table of the first so many rows, with what is said below it.
        folds: what is folded away, the first to go first.
        whole: where all of it can be seen.
    """

    head: str
    rows: int
    body: Callable[[int], str]
    folds: Sequence[str]
    whole: str

    def fitted(self, max_bytes: int) -> str | None:
        """Return as much as fits into so many bytes; None if not even the head does."""
        for kept in range(len(self.folds) + 1):
            text = self._text(self.rows, self.folds[kept:])
            if len(text.encode()) <= max_bytes:
                return text
        return self._truncated(max_bytes)

    def _truncated(self, max_bytes: int) -> str | None:
        fitting = None
        low, high = 0, self.rows - 1
        while low <= high:
            middle = (low + high) // 2
            text = self._text(middle, ())
            if len(text.encode()) <= max_bytes:
                fitting, low = text, middle + 1
            else:
                high = middle - 1
        return fitting

    def _text(self, rows: int, folds: Sequence[str]) -> str:
        left_out = self.rows - rows
        more = f"and {left_out} more: {self.whole}" if left_out else ""
        short = f"Shortened: {self.whole}" if len(folds) < len(self.folds) and not left_out else ""
        parts = [self.head, self.body(rows), more, *folds, short]
        return "\n\n".join(part for part in parts if part) + "\n"
