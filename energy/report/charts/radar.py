"""Four axes at once, as Selvan et al. 2024 show them: Dice, time, energy and memory, relative to the U-Net.

Outward is better on every axis, on a logarithmic scale: each ring is twice as good as the one inside of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from energy.records.metrics import METRICS
from energy.report import seeds
from energy.report.charts import _axis, _frames, _look, _marks, _names, _spec, _table
from energy.report.charts._chart import Chart
from energy.report.charts._frames import Frame
from energy.report.charts._front import choose_few
from energy.report.charts._spec import Spec
from energy.report.model import Model, Panel, Point

PLACE = 11
MOST_RADARS, MOST_POLYGONS = 8, 5
MEMORY = ("peak_gpu_mib", "peak_rss_mib")
TITLES = {
    "dice": "Dice",
    "seconds": "speed",
    "total_kj": "energy",
    "peak_gpu_mib": "GPU memory",
    "peak_rss_mib": "memory",
}
# From the centre, an eighth as good as the U-Net, to the edge, sixteen times as good.
LEAST, MOST = 1 / 8, 16.0
RINGS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
SIZE = 430
EDGE = 1.35
BELOW = "outward is better; the next ring is twice as good"
DASHES = ([1, 0], [7, 3], [2, 2], [7, 2, 2, 2], [4, 1])


def draw(model: Model) -> tuple[Chart, ...] | str:
    """Draw polygons of the U-Net and a few other cases, one chart per machine."""
    found = [
        (frame, panel, frame.suffix + (f"-{letter}" if len(frame.panels) > 1 else ""))
        for frame in _frames.sort_panels(
            model, lambda point: point.good, lambda panel: _known(panel) is not None
        )
        for letter, panel in zip("abcdef", frame.panels, strict=False)
    ]
    left = len(found) - MOST_RADARS
    charts = [_chart(*one, 0) for one in found[: MOST_RADARS - 1]]
    charts += [_chart(*one, max(0, left)) for one in found[MOST_RADARS - 1 : MOST_RADARS]]
    return tuple(charts) or (
        "no group has a U-Net, and another case with a seed of the U-Net's, with Dice, seconds, total kJ and "
        "memory"
    )


def _known(panel: Panel) -> tuple[Point, tuple[Point, ...], tuple[str, ...]] | None:
    """Return the U-Net, all cases to set against it, and the axes; None if there is none.

    Memory is the GPU's where all tell of that, else the machine's.
    """
    for memory in MEMORY:
        axes = ("dice", "seconds", "total_kj", memory)
        known = [point for point in panel.points if all(_axis.shown(point.mean(axis)) for axis in axes)]
        reference = next((point for point in known if point.is_reference), None)
        if reference:
            paired = [point for point in known if all(better(point, reference, axis) for axis in axes)]
            if len(paired) > 1:
                return reference, tuple(paired), axes
    return None


def better(point: Point, reference: Point, metric: str) -> float | None:
    """Return how many times as good as the reference a case is: above 1 is better, whatever the metric.

    Over the seeds that both have; None if they share none, or if a figure is not above 0 there.
    """
    pair = seeds.means(point.labelled(metric), reference.labelled(metric))
    if pair is None or min(pair) <= 0:
        return None
    return pair[0] / pair[1] if METRICS[metric].better == "higher" else pair[1] / pair[0]


def radius(times: float) -> float:
    """Return where a ratio stands between the centre (0) and the edge (1); what lies beyond is put there."""
    return math.log(min(MOST, max(LEAST, times)) / LEAST) / math.log(MOST / LEAST)


def _chart(frame: Frame, panel: Panel, suffix: str, radars_left: int) -> Chart:
    known = _known(panel)
    assert known is not None
    reference, points, axes = known
    chosen = choose_few(points, MOST_POLYGONS)
    told = [*_description(panel, chosen, len(points)), *_frames.left_out(frame, 0)]
    told += [f"There is no room for {radars_left} more such charts."] if radars_left else []
    data = {
        "polygons": list(_polygons(chosen, reference, axes)),
        "rings": list(_rings(len(axes))),
        "spokes": list(_spokes(len(axes))),
        "heads": list(_heads(axes)),
        "ticks": [{"x": 0.02, "y": radius(ring), "text": f"×{ring:g}"} for ring in RINGS],
    }
    return Chart(
        name=f"radar{suffix}",
        title=f"Dice, speed, energy and memory at once: {frame.task}, {panel.machine}, {frame.setting}",
        description=" ".join(told),
        spec=_spec.finished([_drawn(panel, chosen)], data),
        titles=(
            "machine",
            "joules",
            "case",
            *(f"{TITLES[axis]}, times as good as U-Net" for axis in axes),
            "beyond the rings",
        ),
        rows=tuple(_rows(panel, chosen, reference, axes)),
    )


def _at(share: float, number: int, count: int) -> tuple[float, float]:
    """Return the place on a spoke; the first points up, the others follow clockwise."""
    angle = 2 * math.pi * number / count
    return share * math.sin(angle), share * math.cos(angle)


def _polygons(chosen: Sequence[Point], reference: Point, axes: Sequence[str]) -> Iterator[dict[str, Any]]:
    names = _names.short_names(chosen)
    for point, name in zip(chosen, names, strict=True):
        corners = [(number, axis, _times(point, reference, axis)) for number, axis in enumerate(axes)]
        for place, (number, axis, times) in enumerate([*corners, corners[0]]):
            x, y = _at(radius(times), number, len(axes))
            told = f"{point.case}: {TITLES[axis]} {_table.number(times)} times as good as U-Net"
            yield {"x": x, "y": y, "case": name, "place": place, "told": told}


def _times(point: Point, reference: Point, axis: str) -> float:
    times = better(point, reference, axis)
    assert times is not None, "only what can be set against the U-Net is drawn"
    return times


def _rings(count: int) -> Iterator[dict[str, Any]]:
    for ring in RINGS:
        for place in range(count + 1):
            x, y = _at(radius(ring), place % count, count)
            yield {"x": x, "y": y, "ring": f"{ring:g}", "place": place}


def _spokes(count: int) -> Iterator[dict[str, float]]:
    for number in range(count):
        x, y = _at(1.0, number, count)
        yield {"x": x, "y": y}


def _heads(axes: Sequence[str]) -> Iterator[dict[str, Any]]:
    for number, axis in enumerate(axes):
        x, y = _at(1.12, number, len(axes))
        yield {"x": x, "y": y if abs(x) < 0.5 else y + 0.08, "text": TITLES[axis]}  # beside a spoke: above it


def _drawn(panel: Panel, chosen: Sequence[Point]) -> Spec:
    names = _names.short_names(chosen)
    kind = panel.kind or "measured"
    at = {"x": _hidden("x"), "y": _hidden("y")}
    order = {"order": {"field": "place", "type": "quantitative"}}
    first = [_look.INK] if chosen[0].is_reference else []
    ways = {"color": [*first, *_look.PALETTE][: len(names)], "strokeDash": DASHES[: len(names)]}
    told = {channel: _spec.word("case", names, values, LEGEND[kind]) for channel, values in ways.items()}
    mark = {"shape": _marks.SHAPES[kind][1], "size": 40, "opacity": 1}
    from_centre = {**at, "x2": {"datum": 0}, "y2": {"datum": 0}}
    layers = [
        _spec.layer(
            "rings", "line", {**at, **order, "detail": _spec.text("ring")}, color=_look.LINE, strokeWidth=1
        ),
        _spec.layer("spokes", "rule", from_centre, color=_look.LINE),
        _spec.layer(
            "ticks", "text", {**at, "text": _spec.text()}, color=_look.SOFT, fontSize=10, align="left"
        ),
        _spec.layer("polygons", "line", {**at, **order, **told}, strokeWidth=2),
        _spec.layer("polygons", "point", {**at, "color": told["color"], **_spec.hover()}, **mark),
        _spec.layer("heads", "text", {**at, "text": _spec.text()}, color=_look.INK, fontSize=13),
    ]
    drawn = _spec.panel(layers, panel.heading, BELOW, SIZE, SIZE)
    return {**drawn, "view": {"stroke": None}}


LEGEND = {
    "measured": "case; measured joules",
    "modelled": "case; modelled joules",
    "mixed": "case; joules partly measured, partly modelled",
}


def _hidden(field: str) -> Spec:
    """Return the encoding of a place without any axis."""
    scale = {"domain": [-EDGE, EDGE], "nice": False}
    return {"field": field, "type": "quantitative", "axis": None, "scale": scale}


def _rows(
    panel: Panel, chosen: Sequence[Point], reference: Point, axes: Sequence[str]
) -> Iterator[tuple[str, ...]]:
    for point in chosen:
        times = [_times(point, reference, axis) for axis in axes]
        beyond = [TITLES[axis] for axis, ratio in zip(axes, times, strict=True) if not LEAST <= ratio <= MOST]
        cells = map(_table.number, times)
        yield panel.machine, panel.kind or "–", point.case, *cells, ", ".join(beyond) or "–"


def _description(panel: Panel, chosen: Sequence[Point], known: int) -> Iterator[str]:
    yield (
        "Each corner says how many times as good as the U-Net a case is: Dice, and the inverse of its "
        f"seconds, kJ and memory, over the seeds that both have. {panel.heading}. "
        "Outward is better; the U-Net is the ring at 1. "
        "What is worse than an eighth, or better than sixteen times, is drawn there. "
        f"Cases: {', '.join(point.case for point in chosen)}."
    )
    if left := known - len(chosen):
        yield f"{left} more cases are left out: more than {MOST_POLYGONS} polygons hide each other."
