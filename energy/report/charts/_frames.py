"""Which panels stand in one chart, and how many of their points."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from energy.report.model import Model, Panel, Point

# What a chart can hold and a reader can see. What lies beyond is said, and stands in the table of cases.
MOST_CHARTS = 4
MOST_PANELS = 6
MOST_POINTS = 320
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
    suffix: str  # of the chart's name: two charts of a kind are of two settings


def of(model: Model, has: Callable[[Point], bool]) -> list[Frame]:
    """Sort panels by task, budget and data; those without a point that `has` what is needed are left out."""
    by_setting: dict[tuple[str, str], list[Panel]] = {}
    for panel in model.panels:
        points = tuple(point for point in panel.points if has(point))
        if points and panel.task not in NOT_CASES:
            by_setting.setdefault((panel.task, panel.setting), []).append(replace(panel, points=points))
    frames = []
    for number, ((task, setting), panels) in enumerate(by_setting.items(), start=1):
        suffix = "" if number == 1 else f"-{number}"
        frames.append(Frame(task, setting, tuple(panels[:MOST_PANELS]), len(panels[MOST_PANELS:]), suffix))
    return frames[:MOST_CHARTS]


def size(frame: Frame) -> tuple[int, int]:
    """Return width and height of each panel of a frame in pixels."""
    return (660, 420) if len(frame.panels) == 1 else (390, 320)


def thinned(panel: Panel, frame: Frame, keep: AbstractSet[int]) -> list[Point]:
    """Return a panel's share of `MOST_POINTS`: those whose ids to `keep`, every so many-th of the others."""
    points, most = panel.points, MOST_POINTS // len(frame.panels)
    if len(points) <= most:
        return list(points)
    others = [point for point in points if id(point) not in keep]
    step = -(-len(others) // max(1, most - (len(points) - len(others))))
    chosen = {id(point) for point in others[::step]}
    return [point for point in points if id(point) in keep or id(point) in chosen]


def left_out(frame: Frame, cases: int) -> Iterator[str]:
    """Say in sentences what a chart does not show."""
    if frame.panels_left:
        yield f"{frame.panels_left} more machines are left out of this chart."
    if cases:
        yield f"{cases} more cases are left out of this chart, so that its marks can be told apart."
