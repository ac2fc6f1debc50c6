"""FP32 against INT8, as Sinha et al. 2022 show it: Dice, power and temperature while slices are segmented."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from energy.report.charts import _axis, _frames, _look, _marks, _spec, _table
from energy.report.charts._chart import Chart
from energy.report.charts._frames import Frame
from energy.report.charts._spec import Spec
from energy.report.model import Model, Panel, Point

PLACE = 12
TASK = "inference"
FP32 = ("fp32", "baseline")
INT8 = "int8"
METRICS = (
    ("dice", "Dice"),
    ("mean_watts", "mean power / W"),
    ("temp_rise_c", "rise of temperature / °C"),
    ("inference_j_per_slice", "energy per slice / J"),
)
SIDES = ("FP32", "INT8")
WIDTH = 240

Pair = tuple[Panel, Point, Point]


def draw(model: Model) -> tuple[Chart, ...] | str:
    """Draw both precisions of each network that was run in both, on each machine."""
    frames = _frames.sort_panels(
        model, lambda point: point.good, lambda panel: panel.task == TASK and bool(_pairs(panel))
    )
    charts = (_chart(frame, [pair for panel in frame.panels for pair in _pairs(panel)]) for frame in frames)
    return tuple(charts) or (
        "no network was run with FP32 and with INT8; these are cases of the task inference, which the suite "
        "does not have yet"
    )


def _pairs(panel: Panel) -> list[Pair]:
    """Return the cases of FP32 and INT8 that belong together, which know at least one of the metrics."""
    found = []
    for eight in panel.points:
        full = next((point for point in panel.points if _is_full(point, eight)), None)
        if any(part.startswith(INT8) for part in eight.technique.split("+")) and full:
            found.append((panel, full, eight))
    return [pair for pair in found if any(_known(pair, metric) for metric, _ in METRICS)]


def _is_full(point: Point, eight: Point) -> bool:
    return point.arch == eight.arch and point.technique in FP32


def _known(pair: Pair, metric: str) -> bool:
    return all(_axis.bounded(point.mean(metric)) for point in pair[1:])


def _chart(frame: Frame, pairs: Sequence[Pair]) -> Chart:
    shown = [(metric, title) for metric, title in METRICS if any(_known(pair, metric) for pair in pairs)]
    data = {f"pairs{number}": list(_rows(pairs, metric)) for number, (metric, _) in enumerate(shown)}
    panels = [_panel(pairs, number, metric, title) for number, (metric, title) in enumerate(shown)]
    return Chart(
        name=f"int8{frame.suffix}",
        title=f"FP32 against INT8: {frame.task}, {frame.setting}",
        description=" ".join(
            (
                "For each network and machine, FP32 and INT8 joined by a line: "
                f"{', '.join(title for _, title in shown)}. Where joules are modelled, so is power.",
                *_frames.left_out(frame, 0),
            )
        ),
        spec=_spec.finished(panels, data, columns=2),
        titles=(
            "machine",
            "joules",
            "network",
            *(f"{title}, {side}" for _, title in METRICS for side in SIDES),
        ),
        rows=tuple(_cells(pair) for pair in pairs),
    )


def _cells(pair: Pair) -> tuple[str, ...]:
    panel, *points = pair
    figures = (_table.number(point.mean(metric)) for metric, _ in METRICS for point in points)
    return panel.machine, panel.kind or "–", points[0].arch, *figures


def _name(pair: Pair) -> str:
    return f"{pair[1].arch}, {pair[0].heading}"


def _rows(pairs: Sequence[Pair], metric: str) -> Iterator[dict[str, Any]]:
    for pair in pairs:
        if _known(pair, metric):
            for point, side in zip(pair[1:], SIDES, strict=True):
                value = point.mean(metric)
                told = f"{_name(pair)}, {side}: {_table.title(metric)} {_table.number(value)}"
                yield {"name": _name(pair), "value": value, "mark": f"{side}; {pair[0].kind}", "told": told}


def _panel(pairs: Sequence[Pair], number: int, metric: str, title: str) -> Spec:
    values = [row["value"] for row in _rows(pairs, metric)]
    axis = _axis.linear([0.0, *values] if metric != "dice" else values, least=0.0)
    names = [_name(pair) for pair in pairs]
    at = {
        "x": _spec.place(axis, "value", title),
        "y": _spec.named("name", names, width=400, labels=number % 2 == 0, grid=True),
    }
    kinds = [kind for kind in _marks.SHAPES if kind in {pair[0].kind for pair in pairs}]
    words = [f"{side}; {kind}" for kind in kinds for side in SIDES]
    shapes = [_marks.SHAPES[kind][place] for kind in kinds for place in (1, 2)]
    colours = [colour for _ in kinds for colour in (_look.BLUE, _look.VERMILION)]
    ways = {"color": colours, "fill": colours, "shape": shapes}
    marks = {
        channel: _spec.word("mark", words, values, "precision; joules") for channel, values in ways.items()
    }
    rows = f"pairs{number}"
    layers = [
        _spec.layer(rows, "line", {**at, "detail": _spec.text("name")}, color=_look.SOFT, strokeWidth=1.5),
        _spec.layer(rows, "point", {**at, **marks, **_spec.hover()}, size=90, opacity=1),
    ]
    return _spec.panel(layers, title.partition(" / ")[0], "", WIDTH, {"step": 26})
