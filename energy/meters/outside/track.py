"""The samples of a power log as cumulative joules over time, with what is uncertain about them.

Power is integrated by trapezoids and a counter interpolated, so that any instant between two samples can be
asked for later. A sample costs 48 bytes. Beyond `MOST_SAMPLES` every second one of the older half is dropped,
except around the instants that were asked for: a window's edges stay as sharp as they were.
"""

from __future__ import annotations

import statistics
from array import array
from bisect import bisect_right
from collections import deque
from dataclasses import dataclass, field, replace

from energy.fault import in_order, keep
from energy.meters.outside.format import MAX_WATTS
from energy.reading import Fault

GAP_PERIODS, GAP_SECONDS = 3.0, 5.0  # samples further apart say nothing about the time between them
MOST_SAMPLES = 100_000
PERIODS_REMEMBERED = 99
TRAPEZOID_JOULES = 1e-6  # an interval whose joules differ from its trapezoid by more is none


@dataclass
class FaultLog:
    """The faults of one source, neighbours of one kind joined, so that a bad hour is one entry."""

    source: str
    device: str
    _past: list[Fault] = field(default_factory=list)
    _last: Fault | None = None
    _times: int = 0  # how many the last one is made of

    def note(self, kind: str, start: float, end: float, stake: float | None, reason: str) -> None:
        """Add a fault from `start` to `end` (s) that may hide `stake` joules, or widen the last one by it."""
        fault, last = Fault(kind, self.source, self.device, start, end - start, stake, reason), self._last
        if last is not None and last.kind == kind and start <= last.at_seconds + last.seconds:
            self._last, self._times = last.joined(fault), self._times + 1
            return
        for ended in self._present():
            keep(self._past, ended)
        self._last, self._times = fault, 1

    def faults(self) -> tuple[Fault, ...]:
        """Return all faults, oldest first."""
        return in_order([*self._past, *self._present()])

    def clear(self) -> None:
        """Forget all faults."""
        self._past, self._last = [], None

    def _present(self) -> list[Fault]:
        """Return the last fault, which may go on."""
        if self._last is None or self._times == 1:
            return [self._last] if self._last is not None else []
        return [replace(self._last, reason=f"{self._last.reason} (the first of {self._times})")]


@dataclass(frozen=True)
class Point:
    """What is known of one instant: cumulative joules, seconds covered, and how wrong the joules may be."""

    joules: float
    covered_seconds: float
    sampling_joules: float
    edge_joules: float


class Track:
    """Turn samples into cumulative joules; `counter` says whether they are joules already or watts."""

    def __init__(self, counter: bool, fault_log: FaultLog) -> None:
        self.greatest_watts: float | None = None
        self.stamp_seconds = 0.0  # by how much a time stamp was seen to be off
        self._counter, self._fault_log = counter, fault_log
        self._periods: deque[float] = deque(maxlen=PERIODS_REMEMBERED)
        self._resolution = float("inf")  # the finest digit seen, in watts or joules
        self._step = 0.0  # of a counter that moves less often than it is logged
        self._before_reset: tuple[float, float] | None = None  # when, and what the counter showed
        self._asked = array("d")
        # One entry per sample: when, its watts, and cumulative joules, seconds covered, joules that may have
        # slipped between samples, and ups and downs of power (W).
        self._seconds, self._watts, self._joules = array("d"), array("d"), array("d")
        self._covered, self._sampling, self._swing = array("d"), array("d"), array("d")

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
    def period_seconds(self) -> float:
        """The median time between samples lately; 0 if there were less than two."""
        return statistics.median(self._periods) if self._periods else 0.0

    def add(self, seconds: float, value: float, resolution: float) -> None:
        """Take a sample (W, or J of a counter) that is later than all before it."""
        self._resolution = min(self._resolution, resolution)
        if not self._seconds:
            self._value = value
            self._append(seconds, 0.0 if self._counter else value, 0.0, 0.0, 0.0)
        elif self._counter:
            self._add_count(seconds, value)
        else:
            self._add_watts(seconds, value)
        if len(self._seconds) >= MOST_SAMPLES:
            self._thin()

    def ask(self, seconds: float) -> None:
        """Remember that this instant is the edge of a window, so that the samples around it are kept."""
        self._asked.append(seconds)

    def at(self, seconds: float) -> Point | None:
        """Return what is known of an instant; None if it is before the first sample or after the last."""
        last = len(self._seconds) - 1
        i = bisect_right(self._seconds, seconds) - 1
        if i < 0 or (i == last and seconds > self._seconds[last]):
            return None
        i = min(i, last - 1)
        if i < 0:
            return Point(0.0, 0.0, 0.0, 0.0)
        return Point(
            self._joules_between(i, seconds),
            self._line(self._covered, i, seconds),
            self._line(self._sampling, i, seconds),
            self._edge(i),
        )

    def gap_seconds(self) -> float:
        """Return how far samples may be apart."""
        return max(GAP_PERIODS * self.period_seconds, GAP_SECONDS)

    def _add_watts(self, seconds: float, watts: float) -> None:
        start, before = self._seconds[-1], self._watts[-1]
        elapsed = seconds - start
        self.greatest_watts = max(self.greatest_watts or 0.0, before, watts)
        if elapsed > self.gap_seconds():
            reason = f"no sample for {elapsed:.1f} s"
            self._fault_log.note("gap", start, seconds, self.greatest_watts * elapsed, reason)
            self._append(seconds, watts, 0.0, 0.0, 0.0)
        else:
            # The power may have changed anywhere between two samples, and each was rounded to its last digit.
            slip = (abs(watts - before) + self._resolution) / 2 * elapsed
            self._append(seconds, watts, (before + watts) / 2 * elapsed, elapsed, slip)

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
                self._fault_log.note("unreadable", start, seconds, 0.0, reason)
            if delta == 0 or self._step:
                self._step = max(self._step, delta, self._resolution)
            self._value = value
            self.greatest_watts = max(self.greatest_watts or 0.0, delta / elapsed)
            self._append(seconds, delta / elapsed, delta, elapsed, 0.0)
        else:
            stake = None if self.greatest_watts is None else self.greatest_watts * elapsed
            reason = f"the counter went from {self._value:.3f} to {value:.3f} J, which no draw explains"
            self._fault_log.note("reset", start, seconds, stake, reason)
            self._before_reset, self._value = (start, self._value), value
            self._append(seconds, self._watts[-1], 0.0, 0.0, 0.0)

    def _possible(self, joules: float, seconds: float) -> bool:
        return 0 <= joules <= MAX_WATTS * seconds + self._resolution

    def _append(self, seconds: float, watts: float, joules: float, covered: float, slip: float) -> None:
        if self._seconds:
            self._periods.append(seconds - self._seconds[-1])
        swing = abs(watts - self._watts[-1]) if self._watts else 0.0
        self._seconds.append(seconds)
        self._watts.append(watts)
        for column, more in (
            (self._joules, joules),
            (self._covered, covered),
            (self._sampling, slip),
            (self._swing, swing),
        ):
            column.append((column[-1] if column else 0.0) + more)

    def _line(self, column: array[float], i: int, seconds: float) -> float:
        share = (seconds - self._seconds[i]) / (self._seconds[i + 1] - self._seconds[i])
        return column[i] + share * (column[i + 1] - column[i])

    def _joules_between(self, i: int, seconds: float) -> float:
        """Follow the trapezoid after sample i; a straight line in a gap, in a counter, and where thinned."""
        elapsed = self._seconds[i + 1] - self._seconds[i]
        low, high = self._watts[i], self._watts[i + 1]
        whole = self._joules[i + 1] - self._joules[i]
        if self._counter or abs(whole - (low + high) / 2 * elapsed) > TRAPEZOID_JOULES:
            return self._line(self._joules, i, seconds)
        since = seconds - self._seconds[i]
        return self._joules[i] + low * since + (high - low) * since**2 / (2 * elapsed)

    def _edge(self, i: int) -> float:
        """Return how far the joules may be off between samples i and i + 1.

        A meter that shows the mean of its last period is half a period behind, and what happened between two
        samples shows in the next: that is the change of power from the interval before to the one after, if
        it has come. Between distant samples of a counter nothing says when its joules came.
        """
        elapsed = self._seconds[i + 1] - self._seconds[i]
        change = self._swing[min(i + 2, len(self._swing) - 1)] - self._swing[max(0, i - 1)]
        stale = change * (elapsed / 2 + self.stamp_seconds)
        if not self._counter:
            return stale
        between = self._joules[i + 1] - self._joules[i]
        far = between if elapsed > self.gap_seconds() else 0.0
        return max(stale + max(self._resolution, self._step), far)

    def _thin(self) -> None:
        """Drop every second sample of the older half that no window's edge lies beside."""
        half = len(self._seconds) // 2
        wanted = set(range(0, half, 2))
        for seconds in self._asked:
            i = bisect_right(self._seconds, seconds)
            wanted.update(range(max(0, i - 2), i + 2))
        keep = [i for i in range(half) if i in wanted] + list(range(half, len(self._seconds)))
        for name in ("_seconds", "_watts", "_joules", "_covered", "_sampling", "_swing"):
            column = getattr(self, name)
            setattr(self, name, array("d", [column[i] for i in keep]))
