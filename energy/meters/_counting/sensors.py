"""A meter made of sensors: each is asked for joules or watts, and a follower makes a count of its answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from energy.meters._counting.follow import Counter, Integral
from energy.meters._meter import OwnedMeter
from energy.reading import Count, Fault

# A little more often than most boards have a new value, which is every 0.1 s (arXiv 2312.02741, table 2):
# polls in step with them would never tell where between two polls a board moves.
PERIOD_SECONDS = 0.097


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

    def counts(self) -> tuple[Count, ...]:
        """Return the count as of the last sample."""
        step = self.follower.step_seconds if isinstance(self.follower, Counter) else PERIOD_SECONDS
        return (self.follower.count(self.follower.edge_joules(), step),)

    def faults(self) -> Sequence[Fault]:
        """Return what went wrong with it so far."""
        return self.follower.faults

    def miss(self, reason: str) -> None:
        """Make the count unknown."""
        self.follower.miss(reason)


class Sensed(Protocol):
    """What a meter is made of: a sensor, or a device that has several of them."""

    def sample(self, clock: Callable[[], float], asked: float | None = None) -> None:
        """Ask once; `asked` if the answer had been asked for before."""

    def counts(self) -> tuple[Count, ...]:
        """Return the counts as of the last sample."""

    def faults(self) -> Sequence[Fault]:
        """Return what went wrong so far."""

    def miss(self, reason: str) -> None:
        """Make the counts unknown."""


class SensorMeter(OwnedMeter):
    """Cumulative joules of some sensors that are polled together.

    Args:
        name: of the meter's file.
        sensors: what to ask, in the order of the counts.
        clock: monotonic seconds.
        refresh: takes one snapshot for all sensors before they are asked.
        release: gives back what `open` took.
        slow: a reading takes milliseconds.
        period_seconds: between two polls; None if nothing is missed without them.
    """

    def __init__(
        self,
        name: str,
        sensors: Sequence[Sensed],
        clock: Callable[[], float],
        *,
        refresh: Callable[[], None] | None = None,
        release: Callable[[], None] | None = None,
        slow: bool = False,
        period_seconds: float | None = PERIOD_SECONDS,
    ) -> None:
        super().__init__(name)
        self.slow, self.period_seconds = slow, period_seconds
        self._sensors = tuple(sensors)
        self._clock, self._refresh, self._give_back = clock, refresh, release
        self.poll()

    def counts(self) -> tuple[Count, ...]:
        """Ask every sensor now and return the joules since the meter was opened."""
        with self._lock:
            self.poll()
            return tuple(count for sensor in self._sensors for count in sensor.counts())

    def _seen_faults(self) -> Iterator[Fault]:
        for sensor in self._sensors:
            yield from sensor.faults()

    def _release(self) -> None:
        self._miss("the meter is closed")
        if self._give_back is not None:
            self._give_back()

    def _sample(self) -> None:
        asked = None
        if self._refresh is not None:
            asked = self._clock()
            try:
                self._refresh()
            except NoValue as problem:
                self._miss(str(problem))
                return
        for sensor in self._sensors:
            sensor.sample(self._clock, asked)

    def _miss(self, reason: str) -> None:
        for sensor in self._sensors:
            sensor.miss(reason)
