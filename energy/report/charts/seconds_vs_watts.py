"""Duration against mean power; on an oblique line all cases take the same energy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from energy.report.charts import _axis, _frames, _labels, _layers, _look, _marks, _names, _spec, _table
from energy.report.charts._axis import Axis
from energy.report.charts._chart import Chart
from energy.report.charts._frames import Frame
from energy.report.charts._front import choose_few
from energy.report.charts._layers import Layers
from energy.report.charts._spec import Rows, Spec
from energy.report.model import Model, Panel, Point
from energy.report.page.choosing import one_two_five

PLACE = 10
TITLES = ("duration / s", "mean power / W")
MOST_LABELS = 24
MOST_LINES = 6


def draw(model: Model) -> tuple[Chart, ...] | str:
    """Draw each case by its seconds and its mean watts."""
    frames = _frames.sort_panels(model, _has)
    if not frames:
        return "no record has a mean power above 0"
    return tuple(_chart(frame) for frame in frames)


def _has(point: Point) -> bool:
    return _axis.shown(point.mean("seconds")) and _axis.shown(point.mean("mean_watts"))


def iso_energy(
    joules: float, across: Axis, up: Axis
) -> tuple[tuple[float, float], tuple[float, float]] | None:
    """Return the ends (seconds, watts) of the line of one energy inside of a frame; None if it is outside.

    Energy is watts times seconds, so on two logarithmic axes the line is straight.
    """
    begin, end = max(across.low, joules / up.high), min(across.high, joules / up.low)
    return None if begin >= end else ((begin, joules / begin), (end, joules / end))


def _chart(frame: Frame) -> Chart:
    chosen = [(panel, _frames.thinned(panel, frame, _references(panel))) for panel in frame.panels]
    every = [point for _, points in chosen for point in points]
    across = _axis.logarithmic([point.figures["seconds"].mean for point in every])
    up = _axis.logarithmic([point.figures["mean_watts"].mean for point in every])
    words = _marks.in_order([_marks.mark(panel, point) for panel, points in chosen for point in points])
    invalid = any(not point.good for point in every)
    repeats = len(every) <= _frames.MOST_WITH_REPEATS
    data: dict[str, Rows] = {}
    panels = []
    for number, (panel, points) in enumerate(chosen):
        layers = Layers(str(number), across, up, TITLES, _frames.size(frame), words, invalid)
        data |= {
            f"{name}{number}": rows for name, rows in _data(panel, points, layers, repeats=repeats).items()
        }
        panels.append(_layers.panel(layers, panel, below=_iso_layers(layers), of_reference=False))
    return Chart(
        name=f"seconds_vs_watts{frame.suffix}",
        title=f"Seconds and watts: {frame.task}, {frame.setting}",
        description=" ".join(_description(frame, chosen)),
        spec=_spec.finished(panels, data),
        titles=_table.titles(("seconds", "mean_watts", "total_kj")),
        rows=tuple(
            _table.row(panel, point, ("seconds", "mean_watts", "total_kj"))
            for panel, points in chosen
            for point in points
        ),
    )


def _references(panel: Panel) -> set[int]:
    return {id(point) for point in panel.points if point.is_reference}


def _data(panel: Panel, points: Sequence[Point], layers: Layers, *, repeats: bool) -> dict[str, Rows]:
    return {
        "points": [_row(panel, point, layers) for point in points],
        "repeats": list(_repeats(panel, points)) if repeats else [],
        "labels": list(_label_rows(points, layers)),
        "iso": list(_iso_rows(layers)),
    }


def _row(panel: Panel, point: Point, layers: Layers) -> dict[str, Any]:
    seconds, watts = point.figures["seconds"], point.figures["mean_watts"]
    row = {
        "x": seconds.mean,
        "y": watts.mean,
        **_marks.mark_fields(panel, point),
        "told": _table.telling(point, ("seconds", "mean_watts", "total_kj")),
    }
    return row | _layers.ends("x", seconds, layers.across) | _layers.ends("y", watts, layers.up)


def _repeats(panel: Panel, points: Sequence[Point]) -> Iterator[dict[str, Any]]:
    for point in points:
        pairs = list(zip(point.figures["seconds"].values, point.figures["mean_watts"].values, strict=False))
        for seconds, watts in pairs if len(pairs) > 1 else ():
            if _axis.shown(seconds) and _axis.shown(watts):
                yield {"x": seconds, "y": watts, **_marks.mark_fields(panel, point)}


def _label_rows(points: Sequence[Point], layers: Layers) -> Iterator[dict[str, Any]]:
    telling = [id(point) for point in choose_few(points, MOST_LABELS)]
    order = sorted(
        points, key=lambda point: telling.index(id(point)) if id(point) in telling else MOST_LABELS
    )
    places = [(point.figures["seconds"].mean, point.figures["mean_watts"].mean) for point in order]
    texts = _names.short_names(order)
    iso = list(_iso_places(layers))
    return _labels.rows(places, texts, 1, layers.across, layers.up, layers.size, MOST_LABELS, avoid=iso)


def _iso_rows(layers: Layers) -> Iterator[dict[str, Any]]:
    """Yield the ends of lines of 1, 2, 5, 10, ... joules, and where each begins its name."""
    lowest = layers.across.low * layers.up.low
    highest = layers.across.high * layers.up.high
    energies = [joules for joules in one_two_five(lowest, highest) if lowest < joules < highest]
    for joules in energies[:: -(-len(energies) // MOST_LINES)]:
        if ends := iso_energy(joules, layers.across, layers.up):
            (x1, y1), (x2, y2) = ends
            yield {"x1": x1, "y1": y1, "x2": x2, "y2": y2, "text": f"{joules / 1000:g} kJ"}


def _iso_places(layers: Layers) -> Iterator[tuple[float, float]]:
    """Yield where the names of the lines stand: to the left of a line's end and above it."""
    width, height = layers.size
    for row in _iso_rows(layers):
        x, y = layers.across.pixel(row["x2"], width), layers.up.pixel(row["y2"], height)
        for back in range(0, int(_labels.CHARACTER * len(row["text"])) + 1, 6):
            yield layers.across.value(x - back, width), layers.up.value(y + _labels.LINE / 2, height)


def _iso_layers(layers: Layers) -> list[Spec]:
    line = {**layers.at("x1", "y1"), "x2": {"field": "x2"}, "y2": {"field": "y2"}}
    text = {**layers.at("x2", "y2"), "text": _spec.text()}
    beside = {"align": "right", "baseline": "bottom", "dx": -3, "dy": -2, "fontSize": 10}
    return [
        _spec.layer(layers.rows("iso"), "rule", line, color=_look.SOFT, strokeDash=[1, 3], strokeWidth=1),
        _spec.inside(layers.rows("iso"), text, color=_look.SOFT, **beside),
    ]


def _description(frame: Frame, chosen: Sequence[tuple[Panel, Sequence[Point]]]) -> Iterator[str]:
    yield "Mean power in watts against duration in seconds, both axes logarithmic."
    yield "Dotted lines join equal energies; down and to the left is less, faster and hungrier may be equal."
    for panel, points in chosen:
        yield f"{panel.heading}, {len(points)} cases."
    yield from _frames.left_out(frame, sum(len(panel.points) - len(points) for panel, points in chosen))
