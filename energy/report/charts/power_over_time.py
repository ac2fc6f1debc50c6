"""Mean power of each epoch over time, against what the idle machine drew."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from energy.report.charts import _axis, _curves, _frames, _look, _spec, _table
from energy.report.charts._axis import Axis
from energy.report.charts._chart import Chart
from energy.report.charts._curves import Curve, Curves
from energy.report.charts._frames import Frame
from energy.report.charts._spec import Spec
from energy.report.model import Model, Panel, Point

PLACE = 7
MOST_FRAMES, COLUMNS, SIZE = 12, 2, (390, 130)
TITLES = ("time since the first epoch began / s", "mean power / W")


def draw(model: Model) -> tuple[Chart, ...] | str:
    """Draw a step for each epoch of a few cases."""
    frames = _frames.sort_panels(model, lambda point: point.good and any(_steps(point)))
    if not frames:
        return "no record has joules and seconds by epoch"
    return tuple(_chart(frame) for frame in frames)


def powers(point: Point) -> list[list[tuple[float, float]]]:
    """Return the steps of the first repeat: where the first begins, then where each ends, with its watts.

    An epoch whose joules are unknown, or that took no time, has no power: a new line begins after it.
    """
    runs: list[list[tuple[float, float]]] = [[]]
    for step in _steps(point):
        if step is None:
            runs.append([])
            continue
        begin, end, watts = step
        runs[-1] += [(end, watts)] if runs[-1] else [(begin, watts), (end, watts)]
    return [run for run in runs if run]


def _steps(point: Point) -> Iterator[tuple[float, float, float] | None]:
    """Yield where each epoch of the first repeat begins and ends, with its watts; None if it has none."""
    end = 0.0
    for epoch in next(point.epochs(), ()):
        begin, end = end, end + epoch.seconds
        watts = epoch.joules / epoch.seconds if epoch.joules is not None and epoch.seconds > 0 else None
        if watts is None or not _axis.bounded(watts) or not _axis.shown(end):
            yield None
        else:
            yield begin, end, watts


def _chart(frame: Frame) -> Chart:
    found = _curves.chosen(frame, powers, MOST_FRAMES // len(frame.panels))
    watts = [watts for curves in found for curve in curves for _, watts in curve.places]
    idle = [panel.idle_watts for panel in frame.panels if panel.idle_watts is not None]
    up = _axis.linear([0.0, *watts, *filter(_axis.bounded, idle)], least=0.0)
    drawn = [
        _of_case(panel, list(curves), up)
        for panel, all_curves in zip(frame.panels, found, strict=True)
        for _, curves in itertools.groupby(all_curves, key=lambda curve: id(curve.point))
    ]
    data = _curves.data(drawn, labels=False)
    for number, one in enumerate(drawn):
        data[f"idle{number}"] = _idle_rows(one.panel)
    panels = [
        _curves.panel(one, number, one.curves[0].point.case, one.panel.heading, more=_idle(one, number))
        for number, one in enumerate(drawn)
    ]
    return Chart(
        name=f"power_over_time{frame.suffix}",
        title=f"Power over time, epoch by epoch: {frame.task}, {frame.setting}",
        description=" ".join(_description(frame, drawn)),
        spec=_spec.finished(panels, data, columns=COLUMNS),
        titles=("machine", "joules", "case", "epoch ended at / s", "mean power / W"),
        rows=tuple(row for one in drawn for row in _rows(one)),
    )


def _of_case(panel: Panel, curves: Sequence[Curve], up: Axis) -> Curves:
    """Return a frame of one case's own, as long as its training: others may last ten times as long."""
    across = _axis.linear([0.0, *(x for curve in curves for x, _ in curve.places)], least=0.0)
    return Curves(panel, tuple(curves), across, up, TITLES, SIZE, step=True)


def _idle_rows(panel: Panel) -> list[dict[str, Any]]:
    known = _axis.bounded(panel.idle_watts)
    return [{"y": panel.idle_watts, "text": "idle"}] if known else []


def _idle(drawn: Curves, number: int) -> list[Spec]:
    at = {"y": _spec.place(drawn.up, "y", drawn.titles[1])}
    text = {**at, "x": {"value": drawn.size[0]}, "text": _spec.text()}
    beside = {"align": "right", "baseline": "top", "dx": -4, "dy": 3}
    return [
        _spec.layer(f"idle{number}", "rule", at, color=_look.SOFT, strokeDash=[1, 3]),
        _spec.layer(f"idle{number}", "text", text, color=_look.SOFT, **beside),
    ]


def _rows(drawn: Curves) -> Iterator[tuple[str, ...]]:
    for curve in drawn.curves:
        for second, watts in curve.places[1:]:
            cells = (curve.point.case, _table.number(second), _table.number(watts))
            yield drawn.panel.machine, drawn.panel.kind or "–", *cells


def _description(frame: Frame, drawn: Sequence[Curves]) -> Iterator[str]:
    yield (
        "Joules of each epoch divided by its seconds; a mark stands where an epoch ended, and the area below "
        "a line is energy. These are means by epoch, not samples of a power meter. The first repeat of each "
        "case, from its first epoch on, in a frame as long as its own training; the watts are on one scale."
    )
    for panel in frame.panels:
        cases = [one.curves[0].point.case for one in drawn if one.panel is panel]
        idle = panel.idle_watts
        told = "" if idle is None else f"; idle, before the first case, {_table.number(idle)} W"
        yield f"{panel.heading}: {', '.join(cases)}{told}."
    yield from _frames.left_out(frame, _curves.left(frame, drawn))
