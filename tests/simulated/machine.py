"""A machine whose power is a closed form, so that the energy of any interval is known exactly.

Shapes are power (W) over time (s) since the machine was switched on; `energy(a, b)` is their exact integral.
"""

import bisect
import itertools
import math
from dataclasses import dataclass, field
from typing import Protocol

from energy.reading import Reading


class Shape(Protocol):
    def watts(self, seconds: float) -> float: ...
    def joules(self, seconds: float) -> float: ...  # from 0 to `seconds`


@dataclass(frozen=True)
class Constant:
    level: float

    def watts(self, seconds):
        return self.level

    def joules(self, seconds):
        return self.level * seconds


@dataclass(frozen=True)
class Step:
    before: float
    after: float
    at: float

    def watts(self, seconds):
        return self.after if seconds >= self.at else self.before

    def joules(self, seconds):
        late = max(0.0, seconds - self.at)
        return self.before * (seconds - late) + self.after * late


@dataclass(frozen=True)
class Ramp:
    """From `low` at 0 s in a straight line to `high` at `seconds`, and `high` from then on."""

    low: float
    high: float
    seconds: float

    def watts(self, seconds):
        return self.low + (self.high - self.low) * min(1.0, max(0.0, seconds / self.seconds))

    def joules(self, seconds):
        if seconds < 0:
            return self.low * seconds
        rising = min(seconds, self.seconds)
        return (
            self.low * rising
            + (self.high - self.low) * rising**2 / (2 * self.seconds)
            + self.high * (seconds - rising)
        )


@dataclass(frozen=True)
class Square:
    """`high` for the first `duty` of every period, then `low`."""

    low: float
    high: float
    period: float
    duty: float = 0.5

    def watts(self, seconds):
        return self.high if (seconds / self.period) % 1.0 < self.duty else self.low

    def joules(self, seconds):
        whole, part = divmod(seconds, self.period)
        busy = whole * self.duty * self.period + min(part, self.duty * self.period)
        return self.low * seconds + (self.high - self.low) * busy


@dataclass(frozen=True)
class Sine:
    """A mean with a sine of `amplitude` on top, that lasts from `start` to `end` (a burst)."""

    mean: float
    amplitude: float
    period: float
    start: float = 0.0
    end: float = math.inf

    def watts(self, seconds):
        inside = self.start <= seconds < self.end
        return self.mean + (self.amplitude * math.sin(self._angle(seconds)) if inside else 0.0)

    def joules(self, seconds):
        inside = min(max(seconds, self.start), self.end)
        wave = self.amplitude * self.period / (2 * math.pi) * (1 - math.cos(self._angle(inside)))
        return self.mean * seconds + wave

    def _angle(self, seconds):
        return 2 * math.pi * (seconds - self.start) / self.period


@dataclass(frozen=True)
class Pieces:
    """Constant pieces: `levels[i]` from `times[i]` on; times begin at 0 and ascend."""

    times: tuple[float, ...]
    levels: tuple[float, ...]
    _before: tuple[float, ...] = field(init=False, repr=False)  # joules at the start of each piece

    def __post_init__(self):
        assert self.times[0] == 0
        assert len(self.times) == len(self.levels)
        spans = (end - start for start, end in itertools.pairwise(self.times))
        assert all(end >= start for start, end in itertools.pairwise(self.times))
        spent = (watts * seconds for watts, seconds in zip(self.levels, spans, strict=False))
        object.__setattr__(self, "_before", (0.0, *itertools.accumulate(spent)))

    def watts(self, seconds):
        return self.levels[self._piece(seconds)]

    def joules(self, seconds):
        piece = self._piece(seconds)
        return self._before[piece] + self.levels[piece] * (seconds - self.times[piece])

    def _piece(self, seconds):
        return max(0, bisect.bisect_right(self.times, seconds) - 1)


@dataclass(frozen=True)
class Sum:
    """Two things that draw power at once."""

    one: Shape
    other: Shape

    def watts(self, seconds):
        return self.one.watts(seconds) + self.other.watts(seconds)

    def joules(self, seconds):
        return self.one.joules(seconds) + self.other.joules(seconds)


@dataclass
class Machine:
    """A clock that only `advance` moves, and the power of one or more devices over it."""

    shape: Shape = field(default_factory=lambda: Constant(100.0))
    seconds: float = 1000.0  # monotonic clocks do not begin at 0

    def now(self):
        return self.seconds

    def advance(self, seconds):
        self.seconds += seconds

    def watts(self, seconds=None, shape=None):
        return (shape or self.shape).watts((self.seconds if seconds is None else seconds) - 1000.0)

    def energy(self, start, end, shape=None):
        shape = shape or self.shape
        return shape.joules(end - 1000.0) - shape.joules(start - 1000.0)


def take(machine, meter):
    """Read one meter at the machine's time."""
    counts = meter.counts()
    return Reading(machine.now(), counts, meter.faults())


def run(machine, meter, seconds, jitter=0.0):
    """Let time pass, with the meter polled as often as it asks to be."""
    end = machine.now() + seconds
    while machine.now() < end - 1e-9:
        machine.advance(min(meter.period_seconds + jitter, end - machine.now()))
        if machine.now() < end - 1e-9:
            meter.poll()


def measure(machine, meter, seconds, settle_seconds=3.21, jitter=0.0):
    """Let the meter settle, then measure a window; return its energy and the machine's true joules."""
    run(machine, meter, settle_seconds, jitter)
    before = take(machine, meter)
    run(machine, meter, seconds, jitter)
    after = take(machine, meter)
    return after - before, machine.energy(before.seconds, after.seconds)
