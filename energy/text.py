"""Text as people read it: numbers to the digit that counts, misspelt names, short lists, aligned columns."""

import difflib
import json
import math
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from typing import Any

MOST_DIGITS = 3
# The error of a meter or a model is common to all cases of a run and cancels between two of them,
# so two digits stay where the band of one figure alone would leave one.
LEAST_DIGITS = 2
# Of the Unicode Character Database: control, format (marks that turn the direction), surrogate, separators.
_CONTROLS = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
MOST_ZEROS = 12  # beyond, a number has an exponent: nobody counts so many zeros, and a table must stay narrow


def format_number(value: float, uncertainty: float | None = None) -> str:
    """Write `value` so that its last digit stands where the first digit of `uncertainty` does.

    >>> format_number(12.3456), format_number(12.3456, 0.6), format_number(12.3456, 9.0)
    ('12.3', '12.3', '12')
    >>> format_number(12345.0), format_number(0.0), format_number(9.19e-270)
    ('12300', '0', '9.19e-270')
    """
    if value == 0:
        return "0"
    digits = MOST_DIGITS
    if uncertainty:
        digits = _supported_digits(value, uncertainty)
    decimals = digits - 1 - _exponent(value, digits)
    return _written(value, decimals)


def format_plus_minus(value: float, half: float) -> str:
    """Write a mean with the half width of its interval, both to the digit that the half width supports.

    The half width is rounded up: it may never read as 0.

    >>> format_plus_minus(0.84213, 0.0112), format_plus_minus(0.84213, 0.0004), format_plus_minus(0.84, 0.3)
    ('0.84 ± 0.02', '0.842 ± 0.001', '0.84 ± 0.30')
    """
    if half == 0:  # every repeat gave the same figure
        return f"{format_number(value)} ± 0"
    digits = _supported_digits(value, half) if value else LEAST_DIGITS
    decimals = digits - 1 - (_exponent(value, digits) if value else _exponent(half, 1))
    step = 10.0**-decimals
    # The tolerance keeps 0.30 from becoming 0.31: 0.3 / 0.01 is a little more than 30.
    return f"{_written(value, decimals)} ± {_written(math.ceil(half / step - 1e-9) * step, decimals)}"


def format_factor(ratio: float) -> str:
    """Write a bound of a figure relative to it: percent when near, a factor when far.

    >>> format_factor(0.95), format_factor(1.052), format_factor(0.25), format_factor(2.0)
    ('-5 %', '+5.2 %', '÷4', '×2')
    """
    if ratio <= 0:
        return "0"
    if ratio < 2 / 3:
        return f"÷{1 / ratio:.2g}"
    if ratio >= 1.5:
        return f"×{ratio:.2g}"
    return f"{round(100 * (ratio - 1), 1):+g} %"


def explain_unknown(kind: str, given: str, known: Iterable[str], shown: Sequence[str] | None = None) -> str:
    """Say that `given` is no such `kind`, and which known names are nearest; if none is, those to be shown.

    `shown` is all that are known, unless given.

    >>> explain_unknown("column", "dise", ["dice", "seconds"])
    "unknown column 'dise'; did you mean dice?"
    """
    names = list(known)
    near = difflib.get_close_matches(given, names, n=3, cutoff=0.5)
    if near:
        return f"unknown {kind} {given!r}; did you mean {' or '.join(near)}?"
    rest = names if shown is None else shown
    return f"unknown {kind} {given!r}; there {'are' if len(rest) > 1 else 'is'} {', '.join(rest) or 'none'}"


def parse_json(text: str | bytes, **how: Any) -> Any:
    """Return what a JSON text says; ValueError for what is none, or nested deeper than Python follows."""
    try:
        return json.loads(text, **how)
    except RecursionError:
        raise ValueError("nested too deep") from None


def show_controls(text: str) -> str:
    r"""Write as \uNNNN what would change a terminal, or the order of its letters; line ends and tabs stay.

    >>> show_controls("unet\x1b[2J"), show_controls("Dice ± 0.1\n")
    ('unet\\u001b[2J', 'Dice ± 0.1\n')
    """
    if text.isascii() and text.replace("\n", "").replace("\t", "").isprintable():
        return text
    lines = text.split("\r\n")  # the line end of CSV
    return "\r\n".join(
        "".join(f"\\u{ord(sign):04x}" if _is_control(sign) else sign for sign in line) for line in lines
    )


def _is_control(sign: str) -> bool:
    return sign not in "\n\t" and unicodedata.category(sign) in _CONTROLS


def list_few(names: Sequence[str], most: int, separator: str = ", ") -> str:
    """List at most so many names, and say how many more there are.

    >>> list_few(["enet", "segnet", "unet"], 2), list_few(["enet", "unet"], 2)
    ('enet, segnet and 1 more', 'enet, unet')
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return separator.join(names[:most]) + more


def column_widths(rows: Iterable[Sequence[str]]) -> list[int]:
    """Return how wide each column of a table is."""
    return [max(map(len, column)) for column in zip(*rows, strict=True)]


def align_columns(
    rows: Sequence[Sequence[str]], right: Collection[int] = (), widths: Sequence[int] | None = None
) -> list[str]:
    """Write rows as lines whose columns stand under each other, two spaces apart.

    Args:
        rows: of equal length.
        right: which columns hold figures and stand to the right, by number from 0 on.
        widths: of the columns, where they must be those of another table; default: as wide as these rows.

    >>> align_columns([("case", "kJ"), ("unet", "12.3"), ("enet", "4")], right=[1])
    ['case    kJ', 'unet  12.3', 'enet     4']
    """
    sizes = column_widths(rows) if widths is None else widths
    return [
        "  ".join(
            cell.rjust(size) if number in right else cell.ljust(size)
            for number, (cell, size) in enumerate(zip(row, sizes, strict=True))
        ).rstrip()
        for row in rows
    ]


def _supported_digits(value: float, uncertainty: float) -> int:
    digits = _exponent(value, MOST_DIGITS) - _exponent(uncertainty, 1) + 1
    return min(MOST_DIGITS, max(LEAST_DIGITS, digits))


def _exponent(value: float, digits: int) -> int:
    """Return the decimal exponent of `value` after rounding to `digits` (9.996 to three digits is 10.0)."""
    return int(f"{value:.{digits - 1}e}".partition("e")[2])


def _written(value: float, decimals: int) -> str:
    """Write `value` rounded to `decimals`, which may be negative."""
    if abs(decimals) > MOST_ZEROS:
        return f"{value:.{MOST_DIGITS - 1}e}"
    return f"{round(value, decimals) + 0.0:.{max(decimals, 0)}f}"
