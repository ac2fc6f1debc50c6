"""Which panels stand in one chart, and how many of their points."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from energy.report.model import Model, Panel, Point

# What a chart can hold and a reader can see. What lies beyond is said, and stands in the table of cases.
MOST_CHARTS = 8
MOST_PANELS = 6
MOST_POINTS = 200
# With more cases in a chart their repeats would hide them; the intervals stay.
MOST_WITH_REPEATS = 150


# A ladder's kilojoules are those of all its rungs, which are cases of their own.
NOT_CASES = ("ladder",)


@dataclass(frozen=True)
class Frame:
    """The panels of one task, budget and set of data, each with the points that have what a chart needs."""

    task: str
    setting: str
    panels: tuple[Panel, ...]
    panels_left: int
    suffix: str  # of the chart's name; the same in every kind of chart
    settings_left: tuple[str, ...] = ()  # those for which there is no room after this chart


def sort_panels(
    model: Model, has: Callable[[Point], bool], fits: Callable[[Panel], bool] = lambda _: True
) -> list[Frame]:
    """Sort panels by task, budget and data, as many as there is room for; the last frame tells of others.

    Args:
        model: the panels.
        has: whether a point has what the chart needs; others are left out.
        fits: whether there is something to draw of a panel with those points; others are left out.
    """
    by_setting: dict[tuple[str, str], list[Panel]] = {}
    for panel in model.panels:
        if panel.task not in NOT_CASES:
            kept = by_setting.setdefault((panel.task, panel.setting), [])
            known = replace(panel, points=tuple(point for point in panel.points if has(point)))
            if known.points and fits(known):
                kept.append(known)
    frames = [
        Frame(task, setting, tuple(panels[:MOST_PANELS]), len(panels[MOST_PANELS:]), _suffix(number))
        for number, ((task, setting), panels) in enumerate(by_setting.items(), start=1)
        if panels
    ]
    drawn, left = frames[:MOST_CHARTS], frames[MOST_CHARTS:]
    if left:
        told = tuple(f"{frame.task}, {frame.setting}" for frame in left)
        drawn[-1] = replace(drawn[-1], settings_left=told)
    return drawn


def _suffix(number: int) -> str:
    return "" if number == 1 else f"-{number}"


def size(frame: Frame) -> tuple[int, int]:
    """Return width and height of each panel of a frame in pixels."""
    return (660, 420) if len(frame.panels) == 1 else (390, 320)


def thinned(panel: Panel, frame: Frame, keep: AbstractSet[int]) -> list[Point]:
    """Return about a panel's share of `MOST_POINTS`: the U-Net, those whose ids to `keep`, some others."""
    points, most = panel.points, MOST_POINTS // len(frame.panels)
    if len(points) <= most:
        return list(points)
    kept = _every([point for point in points if id(point) in keep and not point.is_reference], most)
    kept += [point for point in points if point.is_reference]
    others = _every([point for point in points if id(point) not in keep], most - len(kept))
    chosen = {id(point) for point in (*kept, *others)}
    return [point for point in points if id(point) in chosen]


def _every(points: Sequence[Point], most: int) -> list[Point]:
    """Return at most `most` points: every so many-th."""
    if most <= 0:
        return []
    return list(points[:: max(1, -(-len(points) // most))])


def left_out(frame: Frame, cases: int) -> Iterator[str]:
    """Say in sentences what a chart does not show, and for what there is no chart of its kind."""
    if frame.panels_left:
        yield f"{frame.panels_left} more machines are left out of this chart."
    if cases:
        yield f"{cases} more cases are left out of this chart, so that its marks can be told apart."
    if frame.settings_left:
        yield f"There is no room for such charts of {'; '.join(frame.settings_left)}."
