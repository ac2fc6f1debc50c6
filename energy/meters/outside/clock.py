"""When a stamp on the wall clock was, on the monotonic clock that readings are stamped with."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from energy.meters._watch.clocks import find_step

TOLERANCE_SECONDS = 0.5  # the two clocks are read one after the other, and a busy machine may come in between
AHEAD_SECONDS = 1.0  # a logger's clock that runs before ours by more is wrong
STEP_REMEMBERED_SECONDS = 60.0  # lines stamped before a step arrive for some time after it


class WallClock:
    """Follow the offset between wall and monotonic clock, and say when the wall clock was set anew."""

    def __init__(self, clock: Callable[[], float], wall: Callable[[], float]) -> None:
        self._clock, self._wall = clock, wall
        self._offset = wall() - clock()
        self._seen_seconds = clock()
        self._former = (self._offset, float("-inf"))  # and when it ceased to hold

    def step(self) -> float:
        """Compare the clocks; return by how many seconds the wall clock was set since the last call, or 0."""
        seconds = self._clock()
        offset = self._wall() - seconds
        step = find_step(self._offset, offset, seconds - self._seen_seconds, TOLERANCE_SECONDS)
        if step:
            self._former = (self._offset, seconds)
        self._offset, self._seen_seconds = offset, seconds
        return step

    def wall(self, seconds: float) -> float:
        """Return the wall clock (Unix s) of a monotonic instant."""
        return seconds + self._offset

    def monotonic(self, walls: Iterable[float], after: float) -> float:
        """Return when a sample was taken that is stamped with one of `walls` (Unix s).

        It must be later than `after`, the sample before, and not in the future; by this an hour that local
        time repeats is told from its twin, and a stamp from before a step of the clock from one after it.

        Raises:
            ValueError: no such instant.
        """
        now, walls = self._seen_seconds, list(walls)
        offsets = [self._offset]
        if now - self._former[1] <= STEP_REMEMBERED_SECONDS:
            offsets.append(self._former[0])
        for offset in offsets:
            possible = [wall - offset for wall in walls if after < wall - offset <= now + AHEAD_SECONDS]
            if possible:
                return max(possible)
        ahead = min(walls) - self._offset - now
        if ahead > AHEAD_SECONDS:
            raise ValueError(
                f"its time is {ahead:.1f} s in the future; check the logger's clock and time zone"
            )
        raise ValueError("its time is not after that of the sample before it")
