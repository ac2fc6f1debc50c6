"""Follow a counter that moves seldom, and that may add up samples of power instead of all that flows.

Three things are done about it.

*Ahead.* Between two moves the counter shows the past. What has flowed since its last move is estimated as the
pace of that move times the age of it, so that an edge is wrong by a part of a step, not by a whole one. The
move happened between the last look that did not show it and the first that did, a whole number of steps after
the one before, and less than a step ago: the middle of what is left is taken. A count never goes back, so an
estimate that was too high is waited for.

*Sampling.* Whether the energy counters of NVIDIA's boards are made from samples of 25 of every 100 ms, as
their power is (arXiv 2312.02741), is not documented, so it is assumed. The paces of successive moves are kept
as the evidence for what was missed (`energy/sampling.py`), and the step is found ever more exactly from the
first move on, since work of nearly the same period is missed in another way.

*Edge.* One step at the power drawn lately, and the time that the asking took; more if a move is overdue. If
several moves together show less power than before, the counter may also have stopped on the way.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from energy.meters._counting.follow import Counter

STEP_ERROR_SECONDS = 0.002  # per move: the step is found by looking that often
LONG_MOVES = 20  # the step is taken from a row of so many moves or more
ROUND_SHARE = 0.1  # of a step: by less, a row of moves may differ from a whole number of steps
SEEN_SECONDS = 0.01  # a move that was seen so sharply tells of the step


@dataclass
class SampledCounter(Counter):
    """A counter that moves every `step_seconds` by the power seen then."""

    pace_watts: float | None = None  # of the last move
    _pace_before: float = 0.0
    _tick: tuple[float, float] | None = None  # the last move was not before, and not after
    _fallen_joules: float = 0.0  # what is missing at the last move if the power has not really fallen
    _looked: tuple[float, float] = (0.0, 0.0)  # the last look: asked, arrived
    _shown_joules: float = 0.0
    # A move long ago that was seen sharply, how many there were since, and the last of them that was.
    _row: tuple[float, int, float] | None = None
    _quiet: bool = False  # since its last move nothing was worked at

    def see(self, asked: float, arrived: float, value: float) -> None:
        """Take a value (J) that was asked for at `asked` and had arrived by `arrived`."""
        first, moved, joules = self._seconds is None, value != self._value, self.joules
        super().see(asked, arrived, value)
        if first:
            self._tick = (asked - self.step_seconds, arrived)
        elif moved and not self.lost:
            self._quiet = False
            self._ticked((max(self._looked[0], asked - self.step_seconds), arrived), self.joules - joules)
        self._looked = (asked, arrived)

    def ahead_joules(self, watts: float) -> float:
        """Return how far the energy is ahead of the counter by now; `watts` is drawn if no pace is known.

        What was once returned is kept to: joules + ahead never decreases.
        """
        pace = watts if self.pace_watts is None else self.pace_watts
        self._shown_joules = max(self._shown_joules, self.joules + pace * self._age_seconds())
        return self._shown_joules - self.joules

    def stale_joules(self, watts: float) -> float:
        """Return how wrong the count may be now; `watts` is the power that a sensor has shown lately."""
        watts = max(watts, self.pace_watts or 0.0, self._pace_before)
        return watts * self._stale_seconds() + self._fallen_joules

    def rest(self) -> None:
        """Note that no work was done since before the last move: unknown is only what came after it."""
        self._quiet = self._tick is not None

    def _stale_seconds(self) -> float:
        """Return a step and the time of the asking; all since the last move if it is overdue, or at rest."""
        asked, arrived = self._looked
        overdue = self._tick and asked - self._tick[1] > self.step_seconds + STEP_ERROR_SECONDS
        if self._tick and (overdue or self._quiet):
            return arrived - self._tick[0]
        return self.step_seconds + arrived - asked

    def _age_seconds(self) -> float:
        """Return how long ago the counter has moved, as far as that is known."""
        if self._tick is None:
            return 0.0
        asked, arrived = self._looked
        earliest, latest = max(self._tick[0], asked - self.step_seconds), self._tick[1]
        most = self.step_seconds + arrived - asked
        return min(most, max(0.0, arrived - (earliest + latest) / 2))

    def _ticked(self, seen: tuple[float, float], joules: float) -> None:
        """Note a move by `joules` (0 if it was no energy, but a reset) that was seen to lie in `seen`."""
        before = self._tick or seen
        moves = self._moves(seen, before, joules)
        self._tick = _narrowed(seen, before, moves * self.step_seconds, moves * STEP_ERROR_SECONDS)
        self._time()
        if joules <= 0:
            return
        pace = joules / (moves * self.step_seconds)
        if self.paces is not None:
            self.paces.add(pace)
        self._pace_before, self.pace_watts = self.pace_watts or pace, pace
        fallen_watts = max(0.0, self._pace_before - pace)
        self._fallen_joules = fallen_watts * (moves - 1) * self.step_seconds

    def _time(self) -> None:
        """Tell the step from a long row of moves: each was seen to milliseconds, their mean is far better."""
        assert self._tick is not None
        if (
            self.paces is None
            or self.paces.step_seconds is None
            or self._tick[1] - self._tick[0] > SEEN_SECONDS
        ):
            return
        middle, step = sum(self._tick) / 2, self.paces.step_seconds
        start, so_far, last = self._row or (middle, 0, middle)
        steps = (middle - last) / step
        if abs(steps - round(steps)) > ROUND_SHARE:  # one of them was not seen as sharply as it seemed
            self._row = (middle, 0, middle)
            return
        self._row = (start, so_far + round(steps), middle)
        if self._row[1] >= LONG_MOVES:
            self.paces.step_seconds = (middle - start) / self._row[1]

    def _moves(self, seen: tuple[float, float], before: tuple[float, float], joules: float) -> int:
        """Return how many moves there were since `before`; if several would fit, those of steadiest power.

        A wrong choice cannot last: it shifts the tick to the rim of what was seen, and that tells the next.
        """
        step = self.step_seconds
        error = STEP_ERROR_SECONDS * (seen[1] - before[1]) / step
        least = max(1, math.ceil((seen[0] - before[1] - error) / step))
        most = math.floor((seen[1] - before[0] + error) / step)
        most = max(
            least, min(most, 1 + math.floor((seen[1] - self._looked[0]) / step))
        )  # since it last stood still
        if not self.pace_watts:
            return round((least + most) / 2)
        return min(max(round(joules / (self.pace_watts * step)), least), most)


def _narrowed(
    seen: tuple[float, float], before: tuple[float, float], later: float, error: float
) -> tuple[float, float]:
    """Return where a move lies that was seen, and that came `later` than the one before, give or take."""
    earliest = max(seen[0], before[0] + later - error)
    latest = min(seen[1], before[1] + later + error)
    return (earliest, latest) if earliest <= latest else seen
