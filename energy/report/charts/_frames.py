"""Which panels stand in one chart, and how a specification is put together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import altair as alt

from energy.report.charts import _look
from energy.report.model import Model, Panel, Point

# What a chart can hold and a reader can see. What lies beyond is said, and stands in the table of cases.
MOST_CHARTS = 4
MOST_PANELS = 6
MOST_POINTS = 150

Rows = Sequence[Mapping[str, Any]]


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
        if points:
            by_setting.setdefault((panel.task, panel.setting), []).append(replace(panel, points=points))
    frames = []
    for number, ((task, setting), panels) in enumerate(by_setting.items(), start=1):
        suffix = "" if number == 1 else f"-{number}"
        frames.append(Frame(task, setting, tuple(panels[:MOST_PANELS]), len(panels[MOST_PANELS:]), suffix))
    return frames[:MOST_CHARTS]


def size(frame: Frame) -> tuple[int, int]:
    """Return width and height of each panel of a frame in pixels."""
    return (660, 420) if len(frame.panels) == 1 else (390, 320)


def side_by_side(charts: Sequence[alt.LayerChart]) -> alt.ConcatChart | alt.LayerChart:
    """Put panels into two columns; one panel stays as it is."""
    if len(charts) == 1:
        return charts[0]
    return alt.concat(*charts, columns=2).resolve_scale(color="shared", shape="shared")


def finished(chart: Any, data: Mapping[str, Rows]) -> dict[str, Any]:
    """Return the specification of a chart that names its data, with the data inside.

    Altair validates what it is given, which takes long for thousands of rows; those are added afterwards.
    """
    spec: dict[str, Any] = chart.to_dict()
    return {**spec, "config": _look.config(), "datasets": {name: list(rows) for name, rows in data.items()}}


def thinned(points: Sequence[Point], keep: Callable[[Point], bool], most: int = MOST_POINTS) -> list[Point]:
    """Return at most about `most` points: those to `keep` first, and every so many-th of the others."""
    if len(points) <= most:
        return list(points)
    others = [point for point in points if not keep(point)]
    step = -(-len(others) // max(1, most - (len(points) - len(others))))
    chosen = {id(point) for point in others[::step]}
    return [point for point in points if keep(point) or id(point) in chosen]


def left_out(frame: Frame, cases: int) -> Iterator[str]:
    """Say in sentences what a chart does not show."""
    if frame.panels_left:
        yield f"{frame.panels_left} more machines are left out of this chart."
    if cases:
        yield f"{cases} more cases are left out of this chart, so that its marks can be told apart."
