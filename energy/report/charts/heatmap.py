"""Architecture against technique: kilojoules as a multiple of the U-Net's, and the change of Dice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from energy import digits
from energy.report.charts import _axis, _frames, _look, _spec, _table
from energy.report.charts._chart import Chart
from energy.report.charts._frames import Frame
from energy.report.charts._spec import Spec
from energy.report.model import Model, Panel, Point

PLACE = 4
MOST_COLUMNS, MOST_ROWS = 12, 60
CELL = (96, 34)
# Cells are light in both themes, and so is what is written on them dark.
ON_CELL = "#111111"
CHEAP, EQUAL, DEAR = "#56b4e8", "#f7f7f5", "#e69f01"
SCALE = {
    "type": "log",
    "domain": [0.125, 1, 8],
    "range": [CHEAP, EQUAL, DEAR],
    "clamp": True,
    "interpolate": "rgb",
}
LEGEND = {
    "title": "kJ / U-Net's kJ",
    "values": [0.125, 0.25, 0.5, 1, 2, 4, 8],
    "format": ".6~g",
    "gradientLength": 300,
}
RECORDS = ("ok", "flagged")


def draw(model: Model) -> tuple[Chart, ...] | str:
    """Draw a cell for each case, relative to the U-Net of the same machine, budget and data."""
    frames = [frame for frame in _frames.of(model, _has) if any(map(_reference, frame.panels))]
    charts = [
        _chart(frame, panel, f"{frame.suffix}{f'-{letter}' if letter else ''}")
        for frame in frames
        for letter, panel in zip(_letters(frame), frame.panels, strict=True)
        if _reference(panel) and len(panel.points) > 1
    ]
    return tuple(charts) or "no group has a U-Net with Dice and total kJ, and another case beside it"


def _has(point: Point) -> bool:
    return bool(
        point.arch
        and point.technique
        and _axis.bounded(point.mean("dice"))
        and _axis.shown(point.mean("total_kj"))
    )


def _letters(frame: Frame) -> list[str]:
    return [chr(ord("a") + number) if len(frame.panels) > 1 else "" for number in range(len(frame.panels))]


def _reference(panel: Panel) -> Point | None:
    return next((point for point in panel.points if point.is_reference and point.good), None)


def _chart(frame: Frame, panel: Panel, suffix: str) -> Chart:
    reference = _reference(panel)
    assert reference is not None
    panel = replace(panel, points=tuple(sorted(panel.points, key=lambda point: not point.is_reference)))
    across, down = _sides(panel.points)
    cells = [cell for point in panel.points if (cell := _cell(point, reference, across, down))]
    return Chart(
        name=f"heatmap{suffix}",
        title=f"Every network and technique against U-Net: {frame.task}, {panel.machine}, {frame.setting}",
        description=" ".join(_description(panel, cells)),
        spec=_spec.finished([_drawn(panel, across, down)], {"cells": cells}),
        titles=_table.titles(("total_kj", "dice"), "kJ / U-Net's kJ", "Dice - U-Net's Dice"),
        rows=tuple(_rows(panel, reference)),
    )


def _sides(points: Sequence[Point]) -> tuple[list[str], list[str]]:
    """Return the columns and the rows, the U-Net's own first, then the commonest; the fewer are columns."""
    techniques = _commonest([point.technique for point in points], "baseline")
    networks = _commonest([point.arch for point in points], "unet")
    shorter, longer = sorted((networks, techniques), key=len)
    return shorter[:MOST_COLUMNS], longer[:MOST_ROWS]


def _commonest(names: Sequence[str], first: str) -> list[str]:
    found = [name for name, _ in Counter(names).most_common()]
    return sorted(found, key=lambda name: name != first)


def _cell(point: Point, reference: Point, across: list[str], down: list[str]) -> dict[str, Any] | None:
    places = [
        (x, y)
        for x, y in ((point.arch, point.technique), (point.technique, point.arch))
        if x in across and y in down
    ]
    if not places:
        return None
    ratio, change = _against(point, reference)
    told = _table.telling(point, ("total_kj", "dice"))
    return {
        "across": places[0][0],
        "down": places[0][1],
        "ratio": ratio,
        "text": f"×{digits.number(ratio)}{'' if point.good else ' flagged'}",
        "dice": f"Dice {change:+.3f}".replace("-", "−"),
        "record": "ok" if point.good else "flagged",
        "told": f"{told}; {_table.number(ratio)} times U-Net's kJ, Dice {change:+.3f}",
    }


def _against(point: Point, reference: Point) -> tuple[float, float]:
    """Return the multiple of the reference's kJ, and the difference of Dice."""
    kj, dice = point.figures["total_kj"].mean, point.figures["dice"].mean
    return kj / reference.figures["total_kj"].mean, dice - reference.figures["dice"].mean


def _drawn(panel: Panel, across: list[str], down: list[str]) -> Spec:
    head = {"orient": "top", "labelAngle": -30}
    at = {"x": _spec.named("across", across, 180, **head), "y": _spec.named("down", down)}
    marks = {
        "fill": {"field": "ratio", "type": "quantitative", "scale": SCALE, "legend": LEGEND},
        "fillOpacity": _spec.word("record", RECORDS, (1, 0), None),
        "strokeDash": _spec.word("record", RECORDS, ([1, 0], [3, 3]), None),
    }
    colour = {"color": {"condition": {"test": "datum.record === 'ok'", "value": ON_CELL}, "value": _look.INK}}
    layers = [
        _spec.layer("cells", "rect", {**at, **marks, **_spec.told()}, stroke=_look.SOFT, strokeWidth=0.8),
        _spec.layer("cells", "text", {**at, **colour, "text": _spec.text()}, dy=-7, fontWeight="bold"),
        _spec.layer("cells", "text", {**at, **colour, "text": _spec.text("dice")}, dy=7),
    ]
    below = "multiple of U-Net's total kJ; difference of Dice to U-Net's"
    return _spec.panel(layers, panel.heading, below, {"step": CELL[0]}, {"step": CELL[1]})


def _rows(panel: Panel, reference: Point) -> Iterator[tuple[str, ...]]:
    for point in panel.points:
        ratio, change = _against(point, reference)
        yield _table.row(panel, point, ("total_kj", "dice"), _table.number(ratio), f"{change:+.4f}")


def _description(panel: Panel, cells: Sequence[dict[str, Any]]) -> Iterator[str]:
    yield (
        "Each cell is a case: above, its total kJ as a multiple of those of the U-Net, baseline; below, "
        f"its Dice minus the U-Net's. {panel.heading}. Blue is cheaper than the U-Net, orange dearer, on a "
        "logarithmic scale; a cell without colour, its edge dashed, is flagged."
    )
    if left := len(panel.points) - len(cells):
        yield f"{left} more cases have no room in this chart; its table has them."
