"""Which panels stand in one chart, and how many of their points."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from energy.report.model import Model, Panel, Point

# What a chart can hold and a reader can see. What lies beyond is said, and stands in the table of cases.
MOST_CHARTS = 4
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
    """Say in sentences what a chart does not show."""
    if frame.panels_left:
        yield f"{frame.panels_left} more machines are left out of this chart."
    if cases:
        yield f"{cases} more cases are left out of this chart, so that its marks can be told apart."
