"""Mean power of each epoch over time, against what the idle machine drew."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from energy.report.charts import _axis, _curves, _frames, _look, _spec, _table
from energy.report.charts._axis import Axis
from energy.report.charts._chart import Chart
from energy.report.charts._curves import Curve, Curves
from energy.report.charts._frames import Frame
from energy.report.charts._spec import Spec
from energy.report.model import Model, Point

PLACE = 7
TITLES = ("time since the first epoch began / s", "mean power of an epoch / W")


def draw(model: Model) -> tuple[Chart, ...] | str:
    """Draw a step for each epoch of a few cases."""
    frames = _frames.of(model, lambda point: point.good and any(_steps(point)))
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
    found = list(zip(frame.panels, _curves.chosen(frame, powers), strict=True))
    places = [place for _, curves in found for curve in curves for place in curve.places]
    idle = [panel.idle_watts for panel, _ in found if panel.idle_watts is not None]
    across = _axis.logarithmic([x for x, _ in places if _axis.shown(x)])
    up = _axis.linear([0.0, *(y for _, y in places), *filter(_axis.bounded, idle)], least=0.0)
    size = _frames.size(frame)
    drawn = [
        Curves(panel, tuple(_inside(curve, across) for curve in curves), across, up, TITLES, size, step=True)
        for panel, curves in found
    ]
    data = _curves.data(drawn)
    for number, one in enumerate(drawn):
        watts = one.panel.idle_watts
        idle_rows = [{"y": watts, "text": "idle"}] if watts is not None and _axis.bounded(watts) else []
        data[f"idle{number}"] = idle_rows
    panels = [_curves.panel(one, number, more=_idle(one, number)) for number, one in enumerate(drawn)]
    return Chart(
        name=f"power_over_time{frame.suffix}",
        title=f"Power over time, epoch by epoch: {frame.task}, {frame.setting}",
        description=" ".join(_description(frame, drawn)),
        spec=_spec.finished(panels, data),
        titles=("machine", "joules", "case", "epoch ended at / s", "mean power / W"),
        rows=tuple(row for one in drawn for row in _rows(one)),
    )


def _inside(curve: Curve, across: Axis) -> Curve:
    """Let a line that begins at second 0 begin where the logarithmic axis does."""
    return replace(curve, places=tuple((across.clamp(x), y) for x, y in curve.places))


def _idle(drawn: Curves, number: int) -> list[Spec]:
    at = {"y": _spec.place(drawn.up, "y", drawn.titles[1])}
    text = {**at, "x": {"value": drawn.size[0]}, "text": _spec.text()}
    beside = {"align": "right", "baseline": "bottom", "dx": -4, "dy": -3}
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
        "Joules of each epoch divided by its seconds; a mark stands where an epoch ended. These are means by "
        "epoch, not samples of a power meter. The first repeat of each case; logarithmic horizontal axis."
    )
    for one in drawn:
        cases = dict.fromkeys(curve.point.case for curve in one.curves)
        idle = one.panel.idle_watts
        told = "" if idle is None else f"; idle, before the first case, {_table.number(idle)} W"
        yield f"{one.panel.heading}: {', '.join(cases)}{told}."
    yield from _frames.left_out(frame, _curves.left(frame, drawn))
