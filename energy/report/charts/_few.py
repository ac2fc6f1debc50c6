"""The few cases that a chart of lines can show: the U-Net, the Pareto front, and the best of the others."""

from __future__ import annotations

from collections.abc import Sequence

from energy.report.charts._front import front
from energy.report.model import Point


def few(points: Sequence[Point], most: int) -> list[Point]:
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
