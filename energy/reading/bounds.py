"""Between which joules the truth behind one figure lies, and what that is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from energy.reading.sampling import Paces, Rhythm, Slip, judge


@dataclass(frozen=True)
class Shown:
    """What a sensor has shown during a window (monotonic clock), and what is told of the work in it."""

    paces: Paces
    first: int
    last: int
    start_seconds: float
    end_seconds: float
    rhythms: Sequence[Rhythm] = ()


@dataclass(frozen=True)
class Bounds:
    """What makes up the band of a figure of `joules`.

    low_factor, high_factor: the truth lies between these multiples (gain or model error).
    edges_joules: how much the two ends of the window may be stale by, together.
    slipped_joules: how much may have slipped between two samples at most, beside what `shown` tells.
    stake_joules: what the window's faults may have hidden, which only adds; None if nobody can say.
    shown: what the sensor has shown, if it may have missed some.
    modelled: the least and the most joules, where a model says so itself and not by factors.
    """

    joules: float
    low_factor: float
    high_factor: float
    edges_joules: float
    slipped_joules: float
    stake_joules: float | None
    shown: Shown | None = field(default=None, repr=False)
    modelled: tuple[float, float] | None = None

    @cached_property
    def slip(self) -> Slip:
        """What the sensor may have missed.

        It is found when it is asked for: that takes milliseconds, which no window shall bill.
        """
        if self.shown is None:
            return Slip(self.slipped_joules)
        shown = self.shown
        slip = judge(
            shown.paces, shown.first, shown.last, shown.start_seconds, shown.end_seconds, shown.rhythms
        )
        return replace(slip, joules=slip.joules + self.slipped_joules)

    @cached_property
    def band(self) -> tuple[float, float] | None:
        """Where the truth lies (J); None if nobody can say."""
        if self.stake_joules is None:
            return None
        slack = self.edges_joules + self.slip.joules
        if self.modelled is not None:
            least, most = self.modelled
            return max(0.0, least - slack), most + slack + self.stake_joules
        low = self.low_factor * max(0.0, self.joules - slack - self.slip.too_much)
        return low, self.high_factor * (self.joules + slack + self.slip.too_little) + self.stake_joules
