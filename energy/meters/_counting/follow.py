"""Turn what a sensor shows into cumulative joules: follow a counter, or integrate samples of power.

Both know what the device can draw at most. An interval in which the sensor says something impossible, or
nothing, becomes a fault with the joules that may be missing because of it. It never becomes energy.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from energy.fault import keep
from energy.reading import Count, Fault
from energy.reading.sampling import Paces

STUCK_SECONDS = (
    2.0  # every CPU and GPU draws something: a counter that stands still for longer does not count
)
WATTS_SPAN_SECONDS = 0.05  # power from counter differences over less than this is quantisation noise
TOUCHING_SECONDS = 1e-6


@dataclass
class Follower:
    """What a counter and an integral have in common.

    Args:
        template: the count to fill in: domain, device, source, kind, gain factors.
        max_watts: more than the device can draw.
        paces: where the power goes that the sensor has shown, if it may miss some; None if it misses nothing.
    """

    template: Count
    max_watts: float
    joules: float = 0.0
    covered_seconds: float = 0.0
    paces: Paces | None = None
    problem: str | None = "not read yet"
    lost: bool = False
    faults: list[Fault] = field(default_factory=list)
    _seconds: float | None = None  # of the last good sample
    _missed: str | None = None  # why there was none since

    def miss(self, reason: str) -> None:
        """Note a failed attempt; the next good sample decides what it cost."""
        if not self.lost:
            self.problem = self._missed = reason

    def lose(self, seconds: float, reason: str) -> None:
        """Note that the device is gone for good."""
        if not self.lost:
            self.lost, self.problem = True, reason
            self._fault("lost", seconds, seconds, None, reason)

    def share(self, seconds: float, reason: str) -> None:
        """Note that others use the device too, so that the figure is more than the work that is measured."""
        self._fault("shared", seconds, seconds, 0.0, reason)

    def doubt(self, start: float, end: float, joules: float, reason: str) -> None:
        """Note that `joules` were counted from `start` to `end` (s), and that they may be a part of all."""
        at_stake = max(0.0, self.max_watts * (end - start) - joules)
        self._fault("gap", start, end, at_stake, reason)

    def count(self, edge_joules: float, resolution_seconds: float, ahead_joules: float = 0.0) -> Count:
        """Return the count as of the last attempt, `ahead_joules` further on; unknown if that failed."""
        return self.template.at(
            joules=self.joules + ahead_joules if self.problem is None else None,
            covered_seconds=self.covered_seconds,
            edge_joules=edge_joules,
            resolution_seconds=resolution_seconds,
            reason=self.problem,
            last_joules=self.joules,
            paces=self.paces,
            pace=0 if self.paces is None else self.paces.number,
        )

    def _good(self, seconds: float) -> None:
        """End the interval: a sample has been taken."""
        if self._missed and self._seconds is not None:
            self._fault("unreadable", self._seconds, seconds, 0.0, self._missed)
        self.problem, self._missed, self._seconds = None, None, seconds

    def _skip(self, kind: str, end: float, reason: str, certain_joules: float = 0.0) -> None:
        """Leave out the interval since the last good sample but for what is certain; the rest is at stake."""
        assert self._seconds is not None
        at_stake = self.max_watts * (end - self._seconds) - certain_joules
        self.joules += certain_joules
        self._fault(kind, self._seconds, end, max(0.0, at_stake), reason)

    def _fault(self, kind: str, start: float, end: float, at_stake: float | None, reason: str) -> None:
        source, device = self.template.source, self.template.device
        fault = Fault(kind, source, device, start, end - start, at_stake, reason)
        if self.faults and (merged := _merged(self.faults[-1], fault)):
            self.faults[-1] = merged
        else:
            keep(self.faults, fault)


@dataclass
class Counter(Follower):
    """Follow a cumulative counter of joules.

    Args:
        step_seconds: how often the counter moves.
        range_joules: where it begins again at 0; None if it never does.
    """

    step_seconds: float = 0.1
    range_joules: float | None = None
    moved_seconds: float = 0.0  # when its value was first seen
    _value: float = 0.0
    _asked_seconds: float = 0.0  # when that value was asked for
    _mark: tuple[float, float] = (0.0, 0.0)
    _watts: tuple[float, float] = (0.0, 0.0)

    def see(self, asked: float, arrived: float, value: float) -> None:
        """Take a value (J) that was asked for at `asked` and had arrived by `arrived`."""
        if self.lost:
            return
        seconds = arrived
        if self._seconds is None:
            self._move(asked, seconds, value)
        elif value != self._value:
            self._advance(seconds, value)
            self._move(asked, seconds, value)
        elif not self._stuck(self._seconds):
            self.covered_seconds += seconds - self._seconds
            if self._stuck(seconds):
                self.covered_seconds -= seconds - self.moved_seconds
        self._good(seconds)
        if self._stuck(seconds):
            self.problem = f"the counter has stood still for {seconds - self.moved_seconds:.1f} s"

    def edge_joules(self) -> float:
        """Return how stale the count may be: one step at the power drawn lately, at most if unknown."""
        return (max(self._watts) or self.max_watts) * self.step_seconds

    def _stuck(self, seconds: float) -> bool:
        return seconds - self.moved_seconds > STUCK_SECONDS + 2 * self.step_seconds

    def _move(self, asked: float, seconds: float, value: float) -> None:
        self._value, self._asked_seconds, self.moved_seconds = value, asked, seconds
        since, joules = self._mark
        if seconds - since >= WATTS_SPAN_SECONDS:
            watts = (self.joules - joules) / (seconds - since) if since else 0.0
            self._watts, self._mark = (self._watts[1], watts), (seconds, self.joules)

    def _advance(self, seconds: float, value: float) -> None:
        """Account for the interval at whose end the counter has moved to `value`."""
        assert self._seconds is not None
        most = self.max_watts * (seconds - self._asked_seconds + 2 * self.step_seconds)
        delta = value - self._value
        if self.range_joules is not None and most >= self.range_joules:
            # However often it has wrapped or begun anew meanwhile, at least so much was drawn.
            reason = "nobody looked for so long that the counter may have wrapped unseen"
            self._skip("gap", seconds, reason, delta if delta >= 0 else value)
            return
        if delta < 0 and self.range_joules is not None:
            delta += self.range_joules
        if 0 <= delta <= most:
            self._add(seconds, delta)
            return
        reason = f"the counter went from {self._value:.3f} to {value:.3f} J, which no draw explains"
        self._skip("reset" if value < self._value else "gap", seconds, reason)

    def _add(self, seconds: float, delta: float) -> None:
        assert self._seconds is not None
        self.joules += delta
        if self._stuck(self._seconds):
            stuck_seconds = seconds - self.moved_seconds
            at_stake = max(0.0, self.max_watts * stuck_seconds - delta)
            self._fault(
                "stuck", self.moved_seconds, seconds, at_stake, self.problem or "the counter stood still"
            )
        else:
            self.covered_seconds += seconds - self._seconds


@dataclass
class Integral(Follower):
    """Integrate samples of power by trapezoids.

    Args:
        gap_seconds: samples further apart than this say nothing about the time between them.
        lag_seconds: how old a sample may be.
        average_seconds: the sensor shows the mean power over so long.
    """

    gap_seconds: float = 0.3
    lag_seconds: float = 0.1
    average_seconds: float = 0.0
    watts: float = 0.0
    _watts_before: float = 0.0
    _shown_joules: float = 0.0
    _averaged: deque[tuple[float, float]] = field(default_factory=deque)  # the samples of `average_seconds`

    def __post_init__(self) -> None:
        if self.paces is None:
            self.paces = Paces(self.max_watts)

    def see(self, asked: float, arrived: float, watts: float) -> None:
        """Take a sample of power (W) that was asked for at `asked` and had arrived by `arrived`."""
        if self.lost:
            return
        seconds = (asked + arrived) / 2
        if self._seconds is not None and seconds - self._seconds > self.gap_seconds:
            self._skip("gap", seconds, f"no power sample for more than {self.gap_seconds:.1f} s")
        elif self._seconds is not None:
            self._add(seconds - self._seconds, watts)
        self._watts_before, self.watts = self.watts, watts
        if self.average_seconds:
            self._remember(seconds, watts)
        self._good(seconds)

    def edge_joules(self) -> float:
        """Return how stale the integral may be: its samples lag, and a mean has yet to follow each change."""
        shown = [watts for _, watts in self._averaged]
        following = (max(shown) - min(shown)) * self.average_seconds if shown else 0.0
        return self.recent_watts() * self.lag_seconds + following

    def ahead_joules(self) -> float:
        """Return how far the energy is ahead of the integral, whose samples are old, or means, on average.

        What was once returned is kept to: joules + ahead never decreases.
        """
        late = (self.lag_seconds + self.average_seconds) / 2
        self._shown_joules = max(self._shown_joules, self.joules + self.watts * late)
        return self._shown_joules - self.joules

    def recent_watts(self) -> float:
        """Return the greater of the last two samples."""
        return max(self.watts, self._watts_before)

    def _add(self, seconds: float, watts: float) -> None:
        self.joules += (self.watts + watts) / 2 * seconds
        self.covered_seconds += seconds
        assert self.paces is not None
        self.paces.add(watts)

    def _remember(self, seconds: float, watts: float) -> None:
        self._averaged.append((seconds, watts))
        while self._averaged[0][0] < seconds - self.average_seconds - self.lag_seconds:
            self._averaged.popleft()


def _merged(last: Fault, fault: Fault) -> Fault | None:
    """Join a fault to the last one if it goes on where that ended, so that a bad hour is one entry."""
    end = last.at_seconds + last.seconds
    if last.kind != fault.kind or fault.at_seconds > end + TOUCHING_SECONDS:
        return None
    if last.joules_at_stake is None or fault.joules_at_stake is None:
        return None
    return last.joined(fault)
