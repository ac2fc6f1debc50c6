"""The Pareto front, which no case beats in both figures, and the few cases that a chart of lines can show."""

from __future__ import annotations

from collections.abc import Sequence

from energy.report.model import Point


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


def choose_few(points: Sequence[Point], most: int) -> list[Point]:
    """Return at most `most` good points, the most telling first.

    Args:
        points: of one panel.
        most: how many.
    """
    good = [point for point in points if point.good]
    known = [(point, point.mean("dice"), point.mean("total_kj")) for point in good]
    both = [(point, dice, kj) for point, dice, kj in known if dice is not None and kj is not None]
    best = {id(both[index][0]) for index in front([(kj, dice) for _, dice, kj in both])}
    order = sorted(
        good,
        key=lambda point: (not point.is_reference, id(point) not in best, -(point.mean("dice") or 0.0)),
    )
    return order[:most]
