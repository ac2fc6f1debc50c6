"""What a sensor that looks now and then may have missed of a window.

A power sensor shows one value per step and may look at a part of each step only: 25 of 100 ms on an A100
(arXiv 2312.02741). What it may have missed is judged from the values that it has shown, and from what is told
of the work.

*Without a word about the work* slow ups and downs may be a beat between the work and the sensor, so they
count as unseen: the values are a sample of a correlated series. What came up to a minute before the window is
evidence, too: a beat can look like rest for seconds. Only where power jumps from one level to another and
stays there, both levels have been seen, and the jump hides a step of itself.

*Where the period of the work is told* the looks can be placed in it. Their places say how much longer than
its due each moment of the work was looked at, and so how wrong their mean can be for work with one rise and
one fall per period: 0.75 of the swing where the period is the step, next to nothing where they do not keep
step. What changes slower than that has been seen, and chance is left with what changes from one look to the
next.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from operator import mul

from energy.statistics import error_of_mean, error_of_systematic_mean

MOST_KEPT = 65_536  # half a megabyte per sensor: nearly two hours at ten values a second, then in pairs
MOST_JUDGED = 1_200  # values of a window that are compared with each other
CONTEXT = 600  # values that a short window is judged by: a minute of most sensors
LEVEL_LENGTH = 20  # values: a level lasts at least so long
LEVEL_SIGMAS = 3.0  # two levels are so many standard deviations apart
TOLD_SHARE = 0.9  # of a window whose work is known
SAME_PERIOD = 0.01  # periods that differ by less are one, and keep step with the sensor together
APART = 0.15  # of a period of the work that a step must be from whole ones, or slow changes may be beats
SMALL = 5  # multiples and fractions of the step that the work is said to keep step with
MOST_LOOKS = 3_000
PLACES = 200  # of the work's period that are looked at
ALIASED_SHARE = 0.05


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
    aliased: whether it kept step so that more than 5 % of the work's swing may be hidden.
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
    if sum(told.values()) >= TOLD_SHARE * seconds and all(_is_apart(period, step) for period in told):
        chance = error_of_systematic_mean(values, share) * seconds
    else:
        chance = _chance_of_unknown_work(paces, first, last, seconds)
    mean, swing = math.fsum(values) / len(values), max(values) - min(values)
    too_much, too_little, aliased = 0.0, 0.0, False
    for period, together in told.items():
        uneven, dark = _worst_unevenness(period, step, share, together)
        if dark:  # what was never met may be anything
            too_much += uneven * mean * together
            too_little += uneven * max(0.0, paces.most_watts - mean) * together
            aliased = aliased or uneven > ALIASED_SHARE
        else:
            chance += uneven * swing * together
    return Slip(chance, too_much, too_little, aliased)


def unevenness(period_seconds: float, step_seconds: float, share: float, looks: int) -> tuple[float, bool]:
    """Return how unevenly so many looks meet the moments of the work, and whether they never meet some.

    The first figure is the greatest error of their mean, as a share of the swing, for work that is high
    during one stretch of its period, whichever, and low in the rest.

    >>> uneven, dark = unevenness(0.1, 0.1, 0.25, 600)
    >>> round(uneven, 6), dark
    (0.75, True)
    """
    width = share * step_seconds / period_seconds
    part = width % 1.0  # whole periods are seen evenly
    if part == 0.0:
        return 0.0, False
    starts = sorted((look * step_seconds / period_seconds) % 1.0 for look in range(looks))
    widest = max(later - earlier for earlier, later in pairwise([*starts, starts[0] + 1]))
    twice = [start - 1 for start in starts] + starts
    sums = [0.0, *accumulate(twice)]

    def seen(place: float) -> float:
        """Return the share of all looking that fell on the period from 0 to `place`, but for a constant."""
        over, begun = bisect_left(twice, place - part), bisect_left(twice, place)
        return (over * part + (begun - over) * place - (sums[begun] - sums[over])) / (looks * part)

    excess = [seen(place / PLACES) - place / PLACES for place in range(PLACES + 1)]
    return (max(excess) - min(excess)) * part / width, width < 1 and widest > part


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
    values = paces.between(first, last)
    context = paces.between(min(first, last - CONTEXT), last)
    level, jumps = without_jumps(context)
    inside = [abs(jump) for place, jump in jumps.items() if place >= len(context) - len(values)]
    each = math.ceil(len(context) / MOST_JUDGED)
    error = error_of_mean(_means(level, each), max(1, len(values) // each))
    return math.hypot(error, math.fsum(inside) / len(values)) * seconds


def _by_period(rhythms: Iterable[Rhythm], start_seconds: float, end_seconds: float) -> dict[float, float]:
    """Return for how long (s) the work had each period (s); periods that are alike count as one."""
    found: dict[float, float] = {}
    for rhythm in rhythms:
        together = min(end_seconds, rhythm.end_seconds) - max(start_seconds, rhythm.start_seconds)
        if together > 0:
            period = rhythm.period_seconds
            same = next((known for known in found if abs(period / known - 1) <= SAME_PERIOD), period)
            found[same] = found.get(same, 0.0) + together
    return found


def _is_apart(period_seconds: float, step_seconds: float) -> bool:
    """Say whether one look after another meets another moment of the work."""
    periods = step_seconds / period_seconds
    return periods < 0.5 or abs(periods - round(periods)) >= APART


def _worst_unevenness(period: float, step: float, share: float, seconds: float) -> tuple[float, bool]:
    """Return the unevenness at this period; if it is within 1 % of a lock, as if it were one."""
    looks = min(MOST_LOOKS, max(1, round(seconds / step)))
    locks = [step * few for few in range(1, SMALL + 1)] + [step / few for few in range(2, SMALL + 1)]
    near = [lock for lock in locks if abs(period / lock - 1) <= SAME_PERIOD]
    return max(unevenness(each, step, share, looks) for each in (period, *near))


def _means(values: Sequence[float], each: int) -> array[float]:
    """Return the means of neighbours; what is left over at the end is left out."""
    if each == 1:
        return array("d", values)
    return array("d", [sum(values[i : i + each]) / each for i in range(0, len(values) - each + 1, each)])
