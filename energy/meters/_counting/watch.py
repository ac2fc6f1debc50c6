"""Watch counters and powers for half a second: how often a counter moves, and what it counts."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

STEP_SECONDS = 0.1  # boards were seen to move their counters every 20 to 100 ms
WATCH_SECONDS = 0.5
EVERY_SECONDS = 0.002
BLIND_SECONDS = 4 * EVERY_SECONDS  # who has not looked for so long may have missed a move
BELIEVABLE = 2.0  # counter and power may differ by this factor over half a second of changing load

Ask = Callable[[], float | None]  # None: it does not tell


@dataclass
class Watch:
    """What is seen of one device meanwhile.

    Args:
        counter: returns its joules.
        powers: each returns watts, of what its name says.
    """

    counter: Ask | None
    powers: Mapping[str, Ask] = field(default_factory=dict)
    # By name: what it showed, and whether the counter had just moved, not for the first time.
    _watts: dict[str, list[tuple[float, bool]]] = field(default_factory=dict)
    # When it moved, what it showed then, and whether no move can have been missed since the one before.
    _moves: list[tuple[float, float, bool]] = field(default_factory=list)
    _last: tuple[float, float] | None = None  # when the counter was last asked, and what it showed
    _first_seconds: float | None = None
    _clean: bool = False

    def look(self, clock: Callable[[], float]) -> None:
        """Ask once."""
        before = len(self._moves)
        if self.counter is not None:
            asked = clock()
            self._see(asked, self.counter(), clock())
        for name, power in self.powers.items():
            if (value := power()) is not None:
                self._watts.setdefault(name, []).append((value, len(self._moves) > max(1, before)))

    def step_seconds(self) -> float:
        """Return the seconds between two moves.

        Where the watching was disturbed (a slow call, a busy machine) the moves that were seen tell at most
        how long a step may be, and that is returned. A counter that hardly moves may take all the time.
        """
        between = list(itertools.pairwise(self._moves))
        sure = [later[0] - earlier[0] for earlier, later in between if later[2]]
        if sure:  # each is seen to the time between two looks, their mean to a part of it
            middle = statistics.median(sure)
            return statistics.fmean(step for step in sure if abs(step - middle) <= 2 * EVERY_SECONDS)
        if between:
            return (self._moves[-1][0] - self._moves[0][0]) / len(between)
        if self._first_seconds is None or self._last is None:
            return STEP_SECONDS
        return max(STEP_SECONDS, self._last[0] - self._first_seconds)

    def counted_watts(self) -> float | None:
        """Return the power by the counter; None if it moved less than twice."""
        if len(self._moves) < 2:
            return None
        (start, first, _), (end, last, _) = self._moves[0], self._moves[-1]
        return (last - first) / (end - start)

    def mean_watts(self, power: str) -> float | None:
        """Return the mean of the power of this name; None if it told nothing.

        What it shows when the counter has just moved is of the same time as that step, and is preferred.
        """
        if power not in self._watts:
            return None
        of_steps = [watts for watts, has_moved in self._watts[power] if has_moved]
        return statistics.fmean(of_steps or [watts for watts, _ in self._watts[power]])

    def nearest(self) -> str | None:
        """Return the name of the power that the counter comes nearest to; None if nothing can be compared."""
        counted = self.counted_watts()
        means = {name: mean for name in self._watts if (mean := self.mean_watts(name))}
        if not counted or counted < 0 or not means:
            return None
        return min(means, key=lambda name: abs(math.log(counted / means[name])))

    def doubt(self, power: str) -> str:
        """Say what speaks against the counter; "" if nothing does, or nothing can be compared."""
        watts, counted = self.mean_watts(power), self.counted_watts()
        if watts is None or self.counter is None:
            return ""
        if counted is None:
            return f"the counter did not move within {WATCH_SECONDS} s: only a witness"
        if watts / BELIEVABLE <= counted <= watts * BELIEVABLE:
            return ""
        return f"the counter moves by {counted:.3g} W where the power is {watts:.3g} W: only a witness"

    def _see(self, asked: float, value: float | None, arrived: float) -> None:
        if self._last is None:
            if value is not None:
                self._first_seconds, self._last = asked, (asked, value)
            return
        looked, last = self._last
        self._clean = self._clean and arrived - looked <= BLIND_SECONDS
        if value is not None and value != last:
            self._moves.append(((looked + arrived) / 2, value, self._clean))
            self._clean = arrived - looked <= BLIND_SECONDS
        self._last = (asked, last if value is None else value)


def watch(watches: Sequence[Watch], clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
    """Look at all devices in turn, again and again, for half a second."""
    end = clock() + WATCH_SECONDS
    while clock() < end:
        for each in watches:
            each.look(clock)
        sleep(EVERY_SECONDS)
