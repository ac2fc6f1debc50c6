"""Numbers as people read them: no more digits than the uncertainty supports, and three at most."""

import math

MOST = 3
# The error of a meter or a model is common to all cases of a run and cancels between two of them,
# so two digits stay where the band of one figure alone would leave one.
LEAST = 2


def number(value: float, uncertainty: float | None = None) -> str:
    """Write `value` so that its last digit stands where the first digit of `uncertainty` does.

    >>> number(12.3456), number(12.3456, 0.6), number(12.3456, 9.0), number(12345.0), number(0.0)
    ('12.3', '12.3', '12', '12300', '0')
    """
    if value == 0:
        return "0"
    digits = MOST
    if uncertainty:
        digits = min(MOST, max(LEAST, _exponent(value, MOST) - _exponent(uncertainty, 1) + 1))
    decimals = digits - 1 - _exponent(value, digits)
    return _written(value, decimals)


def plus_minus(value: float, half: float) -> str:
    """Write a mean with the half width of its interval, both to the digit that the half width supports.

    The half width is rounded up: it may never read as 0.

    >>> plus_minus(0.84213, 0.0112), plus_minus(0.84213, 0.0004), plus_minus(0.84, 0.3)
    ('0.84 ± 0.02', '0.842 ± 0.001', '0.84 ± 0.30')
    """
    if half == 0:  # every repeat gave the same figure
        return f"{number(value)} ± 0"
    digits = min(MOST, max(LEAST, _exponent(value, MOST) - _exponent(half, 1) + 1)) if value else LEAST
    decimals = digits - 1 - (_exponent(value, digits) if value else _exponent(half, 1))
    step = 10.0**-decimals
    # The tolerance keeps 0.30 from becoming 0.31: 0.3 / 0.01 is a little more than 30.
    return f"{_written(value, decimals)} ± {_written(math.ceil(half / step - 1e-9) * step, decimals)}"


def factor(ratio: float) -> str:
    """Write a bound of a figure relative to it: percent when near, a factor when far.

    >>> factor(0.95), factor(1.052), factor(0.25), factor(2.0)
    ('-5 %', '+5.2 %', '÷4', '×2')
    """
    if ratio <= 0:
        return "0"
    if ratio < 2 / 3:
        return f"÷{1 / ratio:.2g}"
    if ratio >= 1.5:
        return f"×{ratio:.2g}"
    return f"{round(100 * (ratio - 1), 1):+g} %"


def _exponent(value: float, digits: int) -> int:
    """Return the decimal exponent of `value` after rounding to `digits` (9.996 to three digits is 10.0)."""
    return int(f"{value:.{digits - 1}e}".partition("e")[2])


def _written(value: float, decimals: int) -> str:
    """Write `value` rounded to `decimals`, which may be negative."""
    return f"{round(value, decimals) + 0.0:.{max(decimals, 0)}f}"
