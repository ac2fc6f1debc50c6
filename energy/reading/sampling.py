"""What a sensor that looks now and then may have missed of a window.

A power sensor shows one value per step and may look at a part of each step only: 25 of 100 ms on an A100
(arXiv 2312.02741). What it may have missed is judged from the values that it has shown, and from what is told
of the work.

*Without a word about the work* slow ups and downs may be a beat between the work and the sensor, so they
count as unseen: the values are a sample of a correlated series. What came up to a minute before the window is
evidence, too: a beat can look like rest for seconds. Only where power jumps from one level to another and
stays there, both levels have been seen, and the jump hides a step of itself.

*Where the period of the work is told* (`aliasing.py`) it is known how unevenly the looks meet the work. What
changes slower than the work repeats itself has been seen, and chance is left with what changes from one look
to the next.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import mul

from energy.reading.aliasing import NEAR_SHARE, find_alias, is_apart
from energy.statistics import error_of_mean, error_of_systematic_mean

MOST_KEPT = 65_536  # half a megabyte per sensor: nearly two hours at ten values a second, then in pairs
MOST_JUDGED = 1_200  # values of a window that are compared with each other
CONTEXT = 600  # values that a short window is judged by: a minute of most sensors
LEVEL_LENGTH = 20  # values: a level lasts at least so long
LEVEL_SIGMAS = 3.0  # two levels are so many standard deviations apart
TOLD_SHARE = 0.9  # of a window whose work is known


@dataclass(frozen=True)
class Rhythm:
    """From `start_seconds` to `end_seconds` (monotonic) the work repeated itself every `period_seconds`."""

    start_seconds: float
    end_seconds: float
    period_seconds: float


@dataclass(frozen=True)
class Slip:
    """What a sensor may have missed of a window.

    joules: by chance, either way (95 %).
    too_much, too_little: how much more or less it may have shown because it kept step with the work (J).
    aliased: whether it kept step so that more looks would not help.
    """

    joules: float = 0.0
    too_much: float = 0.0
    too_little: float = 0.0
    aliased: bool = False


class Paces:
    """The power (W) that one sensor has shown, value after value.

    Of a very long series neighbours are joined to their means, which changes nothing but its detail.

    Args:
        share: the part of each step that the sensor looks at; None if nobody knows.
        step_seconds: how often it has a new value; None if nobody knows.
        most_watts: what the device draws for long at most.
    """

    def __init__(
        self, most_watts: float, share: float | None = None, step_seconds: float | None = None
    ) -> None:
        self.most_watts, self.share, self.step_seconds = most_watts, share, step_seconds
        self.number = 0
        self._kept: tuple[array[float], int] = (array("d"), 1)  # means of so many values each
        self._sum = 0.0  # of the values that are not kept yet

    def add(self, watts: float) -> None:
        """Take the next value."""
        kept, each = self._kept
        self.number += 1
        self._sum += watts
        if self.number % each == 0:
            kept.append(self._sum / each)
            self._sum = 0.0
            if len(kept) >= MOST_KEPT:  # put in place at once, since another thread may look at it
                self._kept = (_means(kept, 2), 2 * each)

    def between(self, first: int, last: int) -> Sequence[float]:
        """Return the values from number `first` to before number `last`, or means of neighbours."""
        kept, each = self._kept
        return kept[max(0, first) // each : last // each]


def judge(
    paces: Paces, first: int, last: int, start_seconds: float, end_seconds: float, rhythms: Sequence[Rhythm]
) -> Slip:
    """Return what a sensor may have missed between two instants (monotonic clock).

    Args:
        paces: what it has shown.
        first: how many values there were at the start.
        last: how many there were at the end.
        start_seconds: the start.
        end_seconds: the end.
        rhythms: what is told of the work.
    """
    values, seconds = paces.between(first, last), end_seconds - start_seconds
    if not values or seconds <= 0:
        return Slip()
    step, share = paces.step_seconds, paces.share
    if step is None or share is None:
        return Slip(_chance_of_unknown_work(paces, first, last, seconds))
    told = _by_period(rhythms, start_seconds, end_seconds)
    if sum(told.values()) >= TOLD_SHARE * seconds and all(is_apart(period, step) for period in told):
        chance = error_of_systematic_mean(values, share) * seconds
    else:
        chance = _chance_of_unknown_work(paces, first, last, seconds)
    mean, swing = math.fsum(values) / len(values), max(values) - min(values)
    too_much, too_little, aliased = 0.0, 0.0, False
    for period, together in told.items():
        alias = find_alias(period, step, share, together, values)
        aliased = aliased or alias.is_lock
        hidden = alias.swing_share * together
        if alias.is_dark:  # what was never met may be anything
            too_much += hidden * mean
            too_little += hidden * max(0.0, paces.most_watts - mean)
        else:
            chance += hidden * swing
    return Slip(chance, too_much, too_little, aliased)


def without_jumps(values: Sequence[float]) -> tuple[Sequence[float], dict[int, float]]:
    """Return the values with every level brought to the first, and the jumps between levels, by place.

    A level lasts for 20 values or more, and power goes to the next within two. A beat cannot look like that:
    a square that a quarter is seen of goes up for as long as it stays up.
    """
    sums = [0.0, *accumulate(values)]
    squares = [0.0, *accumulate(map(mul, values, values))]

    def level(start: int) -> tuple[float, float]:
        mean = (sums[start + LEVEL_LENGTH] - sums[start]) / LEVEL_LENGTH
        square = (squares[start + LEVEL_LENGTH] - squares[start]) / LEVEL_LENGTH
        return mean, math.sqrt(max(0.0, square - mean * mean))

    jumps: dict[int, float] = {}
    place = LEVEL_LENGTH
    while place <= len(values) - LEVEL_LENGTH:
        (before, scatter), (after, other) = level(place - LEVEL_LENGTH), level(place)
        jump, at_once = after - before, values[place] - values[place - 2]
        if abs(jump) > LEVEL_SIGMAS * max(scatter, other) and abs(at_once) > abs(jump) / 2:
            jumps[place] = jump
            place += LEVEL_LENGTH
        else:
            place += 1
    off = list(accumulate(jumps.get(place, 0.0) for place in range(len(values))))
    return [value - moved for value, moved in zip(values, off, strict=True)], jumps


def _chance_of_unknown_work(paces: Paces, first: int, last: int, seconds: float) -> float:
    """Return how much may have slipped by chance (J), the work being anything."""
    values, context = paces.between(first, last), paces.between(min(first, last - CONTEXT), last)
    each = math.ceil(len(context) / MOST_JUDGED)
    means, number = _means(context, each), max(1, len(values) // each)
    level, jumps = without_jumps(means)
    inside = math.fsum(abs(jump) for place, jump in jumps.items() if place >= len(means) - number)
    error = math.hypot(_error(level, number), inside / len(values))
    return min(error, _error(means, number)) * seconds


def _error(context: Sequence[float], number: int) -> float:
    """Return how wrong the mean of the last `number` of these values may be (W)."""
    mean = math.fsum(context[len(context) - number :]) / number
    farthest = max(max(context) - mean, mean - min(context))  # no mean is farther away than all it is made of
    return min(farthest, error_of_mean(context, number))


def _by_period(rhythms: Iterable[Rhythm], start_seconds: float, end_seconds: float) -> dict[float, float]:
    """Return for how long (s) the work had each period (s); periods that are alike count as one."""
    found: dict[float, float] = {}
    for rhythm in rhythms:
        together = min(end_seconds, rhythm.end_seconds) - max(start_seconds, rhythm.start_seconds)
        if together > 0:
            period = rhythm.period_seconds
            same = next((known for known in found if abs(period / known - 1) <= NEAR_SHARE), period)
            found[same] = found.get(same, 0.0) + together
    return found


def _means(values: Sequence[float], each: int) -> array[float]:
    """Return the means of neighbours; what is left over at the end is left out."""
    if each == 1:
        return array("d", values)
    return array("d", [sum(values[i : i + each]) / each for i in range(0, len(values) - each + 1, each)])
