"""The Pareto front: the cases that no other case beats in both figures."""

from __future__ import annotations

from collections.abc import Sequence


def front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Return the indexes of the points that none dominates, in the order of their cost.

    A point dominates another if it costs no more and gains no less, and one of the two is strict. Equal
    points do not dominate each other.

    Args:
        points: (cost, gain) of each; less cost and more gain is better.

    >>> front([(1.0, 0.5), (2.0, 0.8), (3.0, 0.7), (2.0, 0.6)])
    [0, 1]
    """
    order = sorted(range(len(points)), key=lambda index: (points[index][0], -points[index][1]))
    kept: list[int] = []
    for index in order:
        if not kept or points[index][1] > points[kept[-1]][1] or points[index] == points[kept[-1]]:
            kept.append(index)
    return kept
