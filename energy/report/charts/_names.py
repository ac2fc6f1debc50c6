"""Short names of cases, for labels in a chart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from energy.report.model import Point

LONGEST = 34


def short_names(points: Sequence[Point]) -> list[str]:
    """Name points by what tells them apart: the network, the technique, or both; and those that collapsed."""
    names = _distinct_names(points)
    return [
        f"{name} (collapsed)" if point.collapse else name for name, point in zip(names, points, strict=True)
    ]


def _distinct_names(points: Sequence[Point]) -> list[str]:
    others = [point for point in points if not point.is_reference]
    if len({point.technique for point in others}) == 1 and others[0].arch:
        return distinct([point.arch or point.case for point in points])
    if len({point.arch for point in others}) == 1 and others[0].technique:
        return distinct(
            ["U-Net" if point.is_reference else point.technique or point.case for point in points]
        )
    return distinct([_name(point) for point in points])


def _name(point: Point) -> str:
    """Name a point by its network where it has the baseline's technique, else by both."""
    return point.arch if point.technique == "baseline" and point.arch else point.case


def distinct(names: Sequence[str], longest: int = LONGEST) -> list[str]:
    """Cut the middle out of names that a chart has no room for, and no more than leaves them different.

    >>> distinct(["unet-adam+cache+workers_2", "unet-adam+swa+workers_2"], 20)
    ['unet-adam+c … workers_2', 'unet-adam+swa+workers_2']
    """
    found = [clip(name, longest) for name in names]
    for longer in range(longest + 1, max(map(len, names), default=0) + 1):
        counts = Counter(found)
        if len(counts) == len(found):
            break
        found = [
            clip(name, longer) if counts[cut] > 1 else cut for name, cut in zip(names, found, strict=True)
        ]
    return found


def clip(name: str, longest: int = LONGEST) -> str:
    """Cut the middle out of a name that is longer than this."""
    return name if len(name) <= longest else f"{name[: longest - 12]} … {name[-9:]}"
