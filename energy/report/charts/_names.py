"""Short names of cases, for labels in a chart."""

from __future__ import annotations

from collections.abc import Sequence

from energy.report.model import Point

LONGEST = 34


def short_names(points: Sequence[Point]) -> list[str]:
    """Name points by what tells them apart: the network, the technique, or both."""
    others = [point for point in points if not point.is_reference]
    if len({point.technique for point in others}) == 1 and others[0].arch:
        return [clip(point.arch or point.case) for point in points]
    if len({point.arch for point in others}) == 1 and others[0].technique:
        return ["U-Net" if point.is_reference else clip(point.technique or point.case) for point in points]
    return [short_name(point) for point in points]


def short_name(point: Point) -> str:
    """Name a point by its network where it has the baseline's technique, else by both."""
    return clip(point.arch if point.technique == "baseline" and point.arch else point.case)


def clip(name: str) -> str:
    """Cut the middle out of a name that a chart has no room for."""
    return name if len(name) <= LONGEST else f"{name[:22]} … {name[-9:]}"
