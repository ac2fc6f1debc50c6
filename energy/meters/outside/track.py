"""The samples of a power log as cumulative joules over time, with what is uncertain about them.

Power is integrated by trapezoids, or held until it changes, and a counter interpolated, so that any instant
between two samples can be asked for later. A sample costs 40 bytes: a week at one a second, 24 MB.
"""

from __future__ import annotations

import itertools
import statistics
from array import array
from bisect import bisect_right
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from energy.meters.outside.columns import MAX_WATTS
from energy.reading.sampling import Paces

GAP_PERIODS, GAP_SECONDS = 3.0, 5.0  # samples further apart say nothing about the time between them
HOLD_SECONDS = 300.0  # without a change: then nobody can tell a constant power from a dead logger
PERIODS_REMEMBERED = 99
MOST_FALLS = 0.05  # of its samples; a counter begins anew once in a long while

Note = Callable[[str, float, float, float | None, str], None]  # kind, start, end, joules at stake, reason


@dataclass(frozen=True)
class Point:
    """What is known of one instant: cumulative joules, seconds covered, and how wrong the joules may be.

    rounding_joules: cumulative; what the last digits of the samples may hide. samples: how many there were.
    """

    joules: float = 0.0
    covered_seconds: float = 0.0
    rounding_joules: float = 0.0
    edge_joules: float = 0.0
    samples: int = 0


class Track:
    """Turn samples into cumulative joules.

    Args:
        counter: they are joules already; else they are watts.
        held: a sample is logged when the power changes, and holds until the next.
        note: takes what went wrong.
    """

    def __init__(self, *, counter: bool, held: bool, note: Note) -> None:
        self.greatest_watts: float | None = None
        self.paces = None if counter or held else Paces(MAX_WATTS)  # of a meter that may look now and then
        self.stamp_seconds = 0.0  # by how much a time stamp may be off
        self._counter, self._held, self._note = counter, held and not counter, note
        self._periods: deque[float] = deque(maxlen=PERIODS_REMEMBERED)
        self._resolution = float("inf")  # the finest digit seen, in watts or joules
        self._step = 0.0  # of a counter that moves less often than it is logged
        self._value = 0.0  # the last one
        self._falls = 0
        self._lapsed = False  # since the last sample the device could not be read
        self._before_reset: tuple[float, float] | None = None  # when, and what the counter showed
        # One entry per sample: when, its watts, and cumulative joules, seconds covered, joules that the last
        # digits may hide.
        self._seconds, self._watts = array("d"), array("d")
        self._joules, self._covered, self._rounding = array("d"), array("d"), array("d")

    @property
    def first_seconds(self) -> float | None:
        """When the first sample was taken (monotonic clock); None without one."""
        return self._seconds[0] if self._seconds else None

    @property
    def last_seconds(self) -> float | None:
        """When the last sample was taken (monotonic clock); None without one."""
        return self._seconds[-1] if self._seconds else None

    @property
    def last_joules(self) -> float | None:
        """How many joules the last sample reached; None without one."""
        return self._joules[-1] if self._joules else None

    @property
    def newest(self) -> float | None:
        """The last value (W, or J of a counter); None without one."""
        return self._value if self._seconds else None

    @property
    def falls_often(self) -> bool:
        """Whether it goes down again and again, as no counter does."""
        return self._falls > MOST_FALLS * len(self._seconds)

    @property
    def period_seconds(self) -> float:
        """The median time between samples lately; 0 if there were less than two."""
        return statistics.median(self._periods) if self._periods else 0.0

    def add(self, seconds: float, value: float, resolution: float) -> None:
        """Take a sample (W, or J of a counter) that is later than all before it."""
        self._resolution = min(self._resolution, resolution)
        if not self._seconds:
            self._append(seconds, 0.0 if self._counter else value, 0.0, 0.0, 0.0)
        elif self._counter:
            self._add_count(seconds, value)
        else:
            self._add_watts(seconds, value)
        self._value, self._lapsed = value, False

    def lapse(self, seconds: float) -> None:
        """Note that from here on the device could not be read, until the next sample."""
        if self._held and self._seconds and not self._lapsed:
            self._add_watts(seconds, self._watts[-1])
        self._lapsed = True

    def at(self, seconds: float, *, hold: bool = False) -> Point | None:
        """Return what is known of an instant; None if it is before the first sample or after the last.

        hold: go on from the last sample, if that holds until the next.
        """
        last = len(self._seconds) - 1
        i = bisect_right(self._seconds, seconds) - 1
        if i < 0:
            return None
        after = seconds - self._seconds[last]
        if after > 0:
            if not (hold and self._held and not self._lapsed and after <= HOLD_SECONDS):
                return None
            joules = self._joules[last] + self._watts[last] * after
            return Point(joules, self._covered[last] + after, self._rounding[last], samples=last + 1)
        i = min(i, last - 1)
        if i < 0:
            return Point()
        return Point(
            self._joules_at(i, seconds),
            self._line(self._covered, i, seconds),
            self._line(self._rounding, i, seconds),
            self._edge(i),
            i + 1,
        )

    def gap_seconds(self) -> float:
        """Return how far samples may be apart."""
        return max(GAP_PERIODS * self.period_seconds, HOLD_SECONDS if self._held else GAP_SECONDS)

    def _add_watts(self, seconds: float, watts: float) -> None:
        start, before = self._seconds[-1], self._watts[-1]
        elapsed = seconds - start
        self.greatest_watts = max(self.greatest_watts or 0.0, before, watts)
        if elapsed > self.gap_seconds() or self._lapsed:
            reason = f"no sample for {elapsed:.1f} s"
            self._note("gap", start, seconds, self.greatest_watts * elapsed, reason)
            self._append(seconds, watts, 0.0, 0.0, 0.0)
        else:
            mean = before if self._held else (before + watts) / 2
            self._append(seconds, watts, mean * elapsed, elapsed, self._resolution / 2 * elapsed)

    def _add_count(self, seconds: float, value: float) -> None:
        start, elapsed = self._seconds[-1], seconds - self._seconds[-1]
        if self._before_reset:
            when, before = self._before_reset
            if self._possible(value - before, seconds - when):
                self._value = before  # one sample was wrong, and the counter is where it would be
            self._before_reset = None
        delta = value - self._value
        if self._possible(delta, elapsed):
            if elapsed > self.gap_seconds():
                reason = f"no sample for {elapsed:.1f} s, while the counter went on"
                self._note("unreadable", start, seconds, 0.0, reason)
            if delta == 0 or self._step:
                self._step = max(self._step, delta, self._resolution)
            self.greatest_watts = max(self.greatest_watts or 0.0, delta / elapsed)
            self._append(seconds, delta / elapsed, delta, elapsed, 0.0)
        else:
            self._falls += delta < 0
            stake = None if self.greatest_watts is None else self.greatest_watts * elapsed
            reason = f"the counter went from {self._value:.3f} to {value:.3f} J, which no draw explains"
            self._note("reset", start, seconds, stake, reason)
            self._before_reset = (start, self._value)
            self._append(seconds, self._watts[-1], 0.0, 0.0, 0.0)

    def _possible(self, joules: float, seconds: float) -> bool:
        return 0 <= joules <= MAX_WATTS * seconds + self._resolution

    def _append(self, seconds: float, watts: float, joules: float, covered: float, hidden: float) -> None:
        if self._seconds:
            self._periods.append(seconds - self._seconds[-1])
        if self.paces is not None:
            self.paces.add(watts)
        self._seconds.append(seconds)
        self._watts.append(watts)
        for column, more in ((self._joules, joules), (self._covered, covered), (self._rounding, hidden)):
            column.append((column[-1] if column else 0.0) + more)

    def _line(self, column: array[float], i: int, seconds: float) -> float:
        share = (seconds - self._seconds[i]) / (self._seconds[i + 1] - self._seconds[i])
        return column[i] + share * (column[i + 1] - column[i])

    def _joules_at(self, i: int, seconds: float) -> float:
        """Follow the trapezoid after sample i; straight in a gap, in a counter, in what is held."""
        if self._counter or self._held or self._covered[i + 1] == self._covered[i]:
            return self._line(self._joules, i, seconds)
        elapsed, since = self._seconds[i + 1] - self._seconds[i], seconds - self._seconds[i]
        low, high = self._watts[i], self._watts[i + 1]
        return self._joules[i] + low * since + (high - low) * since**2 / (2 * elapsed)

    def _edge(self, i: int) -> float:
        """Return how far the joules may be off between samples i and i + 1.

        A meter that shows the mean of its last period is half a period behind, and what happened between two
        samples shows in the next: that is the change of power from the interval before to the one after, if
        it has come. Between distant samples of a counter nothing says when its joules came.
        """
        elapsed = self._seconds[i + 1] - self._seconds[i]
        around = self._watts[max(0, i - 1) : i + 3]
        change = sum(abs(later - earlier) for earlier, later in itertools.pairwise(around))
        stale = change * (elapsed / 2 + self.stamp_seconds)
        if not self._counter:
            return change * self.stamp_seconds if self._held else stale
        between = self._joules[i + 1] - self._joules[i]
        far = between if elapsed > self.gap_seconds() else 0.0
        return max(stale + max(self._resolution, self._step), far)
