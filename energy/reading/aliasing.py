"""How wrong a sensor can be that keeps step with the work, given the period of the work.

The looks of the sensor are placed in the period. Their places say how much longer than its due each moment of
the work was looked at, and so how wrong their mean can be for work with one rise and one fall per period: by
0.75 of its swing where the period is the step of a sensor that sees a quarter, and by next to nothing where
the two do not keep step.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from operator import mul

NEAR_SHARE = 0.01  # a period within 1 % of a small multiple or fraction of the step is said to keep step
SMALL = 5
MOST_LOOKS = 3_000
LOCK_LOOKS, LOCK_SHARE = 200, 0.09
PLACES = 200  # of the period that are looked at
APART = 0.15  # of a period that a step must be from whole ones, or slow changes may be beats
SEARCHED = 20  # lags that one is chosen from
STILL_SHARE = 0.02  # values that differ by less, as a share of their mean, show nothing of the work


def is_apart(period_seconds: float, step_seconds: float) -> bool:
    """Say whether one look after another meets another moment of the work.

    >>> is_apart(0.103, 0.1), is_apart(0.13, 0.1), is_apart(2.0, 0.1)
    (False, True, True)
    """
    periods = step_seconds / period_seconds
    return periods < 0.5 or abs(periods - round(periods)) >= APART


@dataclass(frozen=True)
class Alias:
    """How wrong the mean of the looks may be because they meet the work unevenly.

    swing_share: by so much of the work's swing.
    is_dark: some moments of the work are never met, so that its swing is not known either.
    is_lock: more looks would not help much: 200 of them still hide 9 % of the swing.
    """

    swing_share: float
    is_dark: bool
    is_lock: bool


def find_alias(period: float, step: float, share: float, seconds: float, values: Sequence[float]) -> Alias:
    """Return what the looks of so many seconds may hide; within 1 % of a lock, as if the work were in it.

    Batches that take a little more or less lose step by themselves. If the values show that, only the locks
    are left in which no look takes less than a batch: their values may show nothing.

    Args:
        period: of the work (s).
        step: of the sensor (s).
        share: the part of each step that the sensor looks at.
        seconds: for how long the work had this period.
        values: what the sensor has shown meanwhile, at equal times.
    """
    looks = min(MOST_LOOKS, max(1, round(seconds / step)))
    blind = [step / few for few in range(1, SMALL + 1)]
    each = seconds / len(values)
    seen = [period, *(step * few for few in range(2, SMALL + 1))]
    locks = blind if wanders(values, period / each, step / each) else [*seen, *blind]
    near = [lock for lock in locks if abs(period / lock - 1) <= NEAR_SHARE]
    hidden, dark = max((unevenness(lock, step, share, looks) for lock in near), default=(0.0, False))
    many = max(looks, LOCK_LOOKS)
    is_lock = any(unevenness(lock, step, share, many)[0] > LOCK_SHARE for lock in near)
    return Alias(hidden, dark, is_lock)


def unevenness(period: float, step: float, share: float, looks: int) -> tuple[float, bool]:
    """Return how unevenly so many looks meet the moments of the work, and whether they never meet some.

    The first figure is the greatest error of their mean, as a share of the swing, for work that is high
    during one stretch of its period, whichever, and low in the rest.

    >>> uneven, dark = unevenness(0.1, 0.1, 0.25, 600)
    >>> round(uneven, 6), dark
    (0.75, True)
    """
    width = share * step / period
    part = width % 1.0  # whole periods are seen evenly
    if part == 0.0:
        return 0.0, False
    starts = sorted((look * step / period) % 1.0 for look in range(looks))
    widest = max(later - earlier for earlier, later in pairwise([*starts, starts[0] + 1]))
    twice = [start - 1 for start in starts] + starts
    sums = [0.0, *accumulate(twice)]

    def seen(place: float) -> float:
        """Return the share of all looking that fell on the period from 0 to `place`, but for a constant."""
        over, begun = bisect_left(twice, place - part), bisect_left(twice, place)
        return (over * part + (begun - over) * place - (sums[begun] - sums[over])) / (looks * part)

    excess = [seen(place / PLACES) - place / PLACES for place in range(PLACES + 1)]
    return (max(excess) - min(excess)) * part / width, width < 1 and widest > part


def wanders(values: Sequence[float], period: float, step: float) -> bool:
    """Say whether the work, of so many values per period and per step, has lost step after half of them."""
    half = len(values) // 2
    if half <= SEARCHED:
        return False

    def off(lag: int) -> float:
        """Return how far so many values are from whole numbers of periods and of steps."""
        return sum(abs(lag / each - round(lag / each)) for each in (period, step))

    lag = min(range(half - SEARCHED, half + 1), key=off)
    mean = math.fsum(values) / len(values)
    deviations = [value - mean for value in values]
    early, late = deviations[:-lag], deviations[lag:]
    spread = math.sqrt(sum(map(mul, early, early)) * sum(map(mul, late, late)))
    if spread <= (STILL_SHARE * mean) ** 2 * len(early):
        return False
    return bool(sum(map(mul, early, late)) < spread / 2)
