"""How many repeats a question needs."""

from __future__ import annotations

import functools
import math

POWER = 0.80  # Cohen's convention, as in `energy.calibration`
MOST_REPEATS = 1000


@functools.lru_cache(maxsize=1024)
def repeats_needed(noise: float, shift: float, level: float, cases: int) -> int | None:
    """Return how many repeats a side find a shift with 80 % power; None if more than 1000.

    The statistic of a shifted sample follows Student's noncentral t. The noise is pooled over the cases,
    which gives it cases * (2 n - 2) degrees of freedom.

    Args:
        noise: standard deviation of one repeat.
        shift: what is to be found, in the unit of `noise`, above 0.
        level: of the one-sided test.
        cases: how many cases share the noise.

    Cohen's table 2.4.1 (Statistical Power Analysis, 2nd edition 1988): half a deviation takes 64 a side.

    >>> repeats_needed(1.0, 0.5, 0.025, 1)
    64
    """
    low, high = 2, MOST_REPEATS
    if power(noise, shift, level, cases, high) < POWER:
        return None
    while low < high:
        middle = (low + high) // 2
        if power(noise, shift, level, cases, middle) < POWER:
            low = middle + 1
        else:
            high = middle
    return low


def power(noise: float, shift: float, level: float, cases: int, repeats: int) -> float:
    """Return the probability that a one-sided t-test of `repeats` against `repeats` finds the shift."""
    from scipy.special import nctdtr, stdtrit

    freedom = cases * (2 * repeats - 2)
    critical = stdtrit(freedom, 1 - level)
    if noise == 0.0:
        return 1.0
    return float(1 - nctdtr(freedom, shift / (noise * math.sqrt(2 / repeats)), critical))
