"""Find out how often a counter moves, by watching it for a moment."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable

STEP_SECONDS = 0.1  # boards were seen to move their counters every 20 to 100 ms
WATCH_SECONDS = 0.5
EVERY_SECONDS = 0.002
BLIND_SECONDS = 4 * EVERY_SECONDS  # who has not looked for so long may have missed a move
ENOUGH = 3  # times between moves


def observed_step(
    ask: Callable[[], float | None], clock: Callable[[], float], sleep: Callable[[float], None]
) -> float:
    """Watch a counter for up to half a second and return the seconds between two moves.

    Where the watching was disturbed (a slow call, a busy machine) the moves that were seen tell at most how
    long a step may be, and that is returned. A counter that hardly moves is taken at its slowest.

    Args:
        ask: returns the counter, or None if it does not tell.
        clock: the monotonic clock (s).
        sleep: waits for so many seconds.
    """
    start = clock()
    moves: list[
        tuple[float, bool]
    ] = []  # when, and whether no move can have been missed since the one before
    clean, last, looked = False, None, start
    while clock() < start + WATCH_SECONDS and sum(seen for _, seen in moves) < ENOUGH:
        asked = clock()
        value, arrived = ask(), clock()
        clean = clean and arrived - looked <= BLIND_SECONDS
        if value is not None and last is not None and value != last:
            moves.append(((looked + arrived) / 2, clean))
            clean = arrived - looked <= BLIND_SECONDS
        last, looked = (last if value is None else value), asked
        sleep(EVERY_SECONDS)
    return _step(start, moves, looked)


def _step(start: float, moves: list[tuple[float, bool]], end: float) -> float:
    between = list(itertools.pairwise(moves))
    sure = [later - earlier for (earlier, _), (later, seen) in between if seen]
    if sure:
        return statistics.median(sure)
    if between:
        return (moves[-1][0] - moves[0][0]) / len(between)
    edges = [start, *(when for when, _ in moves), end]
    return max(STEP_SECONDS, *(later - earlier for earlier, later in itertools.pairwise(edges)))
