"""A meter made of sensors: each is asked for joules or watts, and a follower makes a count of its answers."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from energy.fault import in_order, keep
from energy.meters._counting.follow import Counter, Integral
from energy.reading import Count, Fault

PERIOD_SECONDS = 0.1  # as often as most boards have a new value (arXiv 2312.02741, table 2)


class NoValue(Exception):  # noqa: N818 -- no error: the sensor has nothing to say
    """The sensor did not answer, or its answer is no number; the next one may be good."""


class Gone(Exception):  # noqa: N818 -- no error of ours: hardware comes and goes
    """The device is gone for good."""


@dataclass(frozen=True)
class Sensor:
    """Something to ask, and what follows its answers.

    ask: returns joules for a counter and watts for an integral; raises NoValue or Gone.
    """

    follower: Counter | Integral
    ask: Callable[[], float]

    def sample(self, clock: Callable[[], float], asked: float | None = None) -> None:
        """Ask once; `asked` if the answer had been asked for before."""
        begun = clock() if asked is None else asked
        try:
            value = self.ask()
        except NoValue as problem:
            self.follower.miss(str(problem))
        except Gone as problem:
            self.follower.lose(clock(), str(problem))
        else:
            self.follower.see(begun, clock(), value)

    def count(self) -> Count:
        """Return the count as of the last sample."""
        step = self.follower.step_seconds if isinstance(self.follower, Counter) else PERIOD_SECONDS
        return self.follower.count(self.follower.edge_joules(), step)


class SensorMeter:
    """Cumulative joules of some sensors that are polled together.

    Args:
        name: of the meter's file.
        sensors: what to ask, in the order of the counts.
        clock: monotonic seconds.
        refresh: takes one snapshot for all sensors before they are asked.
        release: gives back what `open` took.
        slow: a reading takes milliseconds.
        period_seconds: between two polls.
    """

    def __init__(
        self,
        name: str,
        sensors: Sequence[Sensor],
        clock: Callable[[], float],
        *,
        refresh: Callable[[], None] | None = None,
        release: Callable[[], None] | None = None,
        slow: bool = False,
        period_seconds: float = PERIOD_SECONDS,
    ) -> None:
        self.name, self.slow, self.pid, self.closed = name, slow, os.getpid(), False
        self.period_seconds: float | None = period_seconds
        self.sensors = tuple(sensors)
        self._clock, self._refresh, self._release = clock, refresh, release
        self._lock = threading.RLock()
        self._noted: list[Fault] = []
        self.poll()

    def poll(self) -> None:
        """Ask every sensor once."""
        with self._lock:
            if not self.closed:
                self._sample()

    def counts(self) -> tuple[Count, ...]:
        """Ask every sensor now and return the joules since the meter was opened."""
        with self._lock:
            if not self.closed:
                self._sample()
            return tuple(sensor.count() for sensor in self.sensors)

    def faults(self) -> tuple[Fault, ...]:
        """Return all faults since the meter was opened."""
        with self._lock:
            faults = [*self._noted]
            for sensor in self.sensors:
                faults += sensor.follower.faults
        return in_order(faults)

    def note(self, fault: Fault) -> None:
        """Keep a fault that somebody else observed."""
        keep(self._noted, fault)

    def close(self) -> None:
        """Ask no more, and give back what `open` took."""
        with self._lock:
            if self.closed:
                return
            self.closed = True
            for sensor in self.sensors:
                sensor.follower.miss("the meter is closed")
            if self._release is not None:
                self._release()

    def _sample(self) -> None:
        if self._refresh is None:
            for sensor in self.sensors:
                sensor.sample(self._clock)
            return
        asked = self._clock()
        try:
            self._refresh()
        except NoValue as problem:
            for sensor in self.sensors:
                sensor.follower.miss(str(problem))
        else:
            for sensor in self.sensors:
                sensor.sample(self._clock, asked)
