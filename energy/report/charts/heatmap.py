"""Architecture against technique: kilojoules as a multiple of the U-Net's, and the change of Dice."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from energy.report import seeds
from energy.report.charts import _axis, _frames, _look, _spec, _table
from energy.report.charts._chart import Chart
from energy.report.charts._frames import Frame
from energy.report.charts._spec import Spec
from energy.report.model import Model, Panel, Point
from energy.text import format_number

PLACE = 4
MOST_MAPS, MOST_COLUMNS, MOST_ROWS = 12, 24, 60
CELL = (96, 34)
# Cells are light in both themes, and so is what is written on them dark.
ON_CELL = "#111111"
CHEAP, EQUAL, DEAR = "#56b4e8", "#f7f7f5", "#e69f01"
# Powers of two that the colours reach from the U-Net's kJ: what lies beyond the most has the last colour.
LEAST_REACH, MOST_REACH = 1, 6
RECORDS = ("ok", "invalid")


def draw(model: Model) -> tuple[Chart, ...] | str:
    """Draw a cell for each case, relative to the U-Net of the same machine, budget and data."""
    found = [
        (frame, panel, f"{frame.suffix}{f'-{letter}' if letter else ''}")
        for frame in _frames.sort_panels(model, _has, _compares)
        for letter, panel in zip(_letters(frame), frame.panels, strict=True)
    ]
    left = len(found) - MOST_MAPS
    charts = [_chart(*one, 0) for one in found[: MOST_MAPS - 1]]
    charts += [_chart(*one, max(0, left)) for one in found[MOST_MAPS - 1 : MOST_MAPS]]
    return tuple(charts) or (
        "no group has a U-Net with Dice and total kJ, and another case beside it with a seed of the U-Net's"
    )


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


def _compares(panel: Panel) -> bool:
    reference = _reference(panel)
    return reference is not None and sum(against(point, reference) is not None for point in panel.points) > 1


def _chart(frame: Frame, panel: Panel, suffix: str, maps_left: int) -> Chart:
    reference = _reference(panel)
    assert reference is not None
    unpaired = [point.case for point in panel.points if against(point, reference) is None]
    known = [point for point in panel.points if point.case not in unpaired]
    panel = replace(panel, points=tuple(sorted(known, key=lambda point: not point.is_reference)))
    across, down = _sides(panel.points)
    cells = [cell for point in panel.points if (cell := _cell(point, reference, across, down))]
    told = [*_description(panel, cells), *_unpaired(unpaired), *_frames.left_out(frame, 0)]
    told += [f"There is no room for {maps_left} more such charts."] if maps_left else []
    return Chart(
        name=f"heatmap{suffix}",
        title=f"Every network and technique against U-Net: {frame.task}, {panel.machine}, {frame.setting}",
        description=" ".join(told),
        spec=_spec.finished([_drawn(panel, across, down, _reach(cells))], {"cells": cells}),
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
    pair = against(point, reference)
    assert pair is not None
    ratio, change = pair
    told = _table.telling(point, ("total_kj", "dice"))
    return {
        "across": places[0][0],
        "down": places[0][1],
        "ratio": ratio,
        "text": f"×{format_number(ratio)}{'' if point.good else ' invalid'}",
        "dice": f"Dice {change:+.3f}".replace("-", "−"),
        "record": "ok" if point.good else "invalid",
        "told": f"{told}; {_table.number(ratio)} times U-Net's kJ, Dice {change:+.3f}",
    }


def against(point: Point, reference: Point) -> tuple[float, float] | None:
    """Return the multiple of the reference's kJ, and the difference of Dice; None if they share no seed."""
    kj, dice = (seeds.means(point.labelled(name), reference.labelled(name)) for name in ("total_kj", "dice"))
    return (kj[0] / kj[1], dice[0] - dice[1]) if kj and dice and min(kj) > 0 else None


def _reach(cells: Sequence[dict[str, Any]]) -> int:
    """Return to how many halvings or doublings of the U-Net's kJ the colours must reach."""
    most = max(abs(math.log2(cell["ratio"])) for cell in cells)
    return min(MOST_REACH, max(LEAST_REACH, math.ceil(most)))


def _fill(reach: int) -> Spec:
    scale = {
        "type": "log",
        "domain": [2.0**-reach, 1, 2.0**reach],
        "range": [CHEAP, EQUAL, DEAR],
        "clamp": True,
        "interpolate": "rgb",
    }
    legend = {
        "title": "kJ / U-Net's kJ",
        "values": [2.0**power for power in range(-reach, reach + 1)],
        "format": ".6~g",
        "gradientLength": 300,
    }
    return {"field": "ratio", "type": "quantitative", "scale": scale, "legend": legend}


def _drawn(panel: Panel, across: list[str], down: list[str], reach: int) -> Spec:
    head = {"orient": "top", "labelAngle": -30}
    at = {"x": _spec.named("across", across, 180, **head), "y": _spec.named("down", down)}
    marks = {
        "fill": _fill(reach),
        "fillOpacity": _spec.word("record", RECORDS, (1, 0), None),
        "strokeDash": _spec.word("record", RECORDS, ([1, 0], [3, 3]), None),
    }
    colour = {"color": {"condition": {"test": "datum.record === 'ok'", "value": ON_CELL}, "value": _look.INK}}
    layers = [
        _spec.layer("cells", "rect", {**at, **marks, **_spec.hover()}, stroke=_look.SOFT, strokeWidth=0.8),
        _spec.inside("cells", {**at, **colour, "text": _spec.text()}, dy=-7, fontWeight="bold"),
        _spec.inside("cells", {**at, **colour, "text": _spec.text("dice")}, dy=7),
    ]
    below = "multiple of U-Net's total kJ; difference of Dice to U-Net's"
    return _spec.panel(layers, panel.heading, below, {"step": CELL[0]}, {"step": CELL[1]})


def _rows(panel: Panel, reference: Point) -> Iterator[tuple[str, ...]]:
    for point in panel.points:
        pair = against(point, reference)
        assert pair is not None
        ratio, change = pair
        yield _table.row(panel, point, ("total_kj", "dice"), _table.number(ratio), f"{change:+.4f}")


def _description(panel: Panel, cells: Sequence[dict[str, Any]]) -> Iterator[str]:
    yield (
        "Each cell is a case: above, its total kJ as a multiple of those of the U-Net, baseline; below, "
        f"its Dice minus the U-Net's, both over the seeds that the two have. {panel.heading}. "
        "Blue is cheaper than the U-Net, orange dearer, on a logarithmic scale; a cell without colour, its "
        "edge dashed, is invalid."
    )
    if left := len(panel.points) - len(cells):
        yield f"{left} more cases have no room in this chart; the table of cases has them."


def _unpaired(cases: Sequence[str]) -> Iterator[str]:
    if cases:
        yield f"Left out, since they share no seed with the U-Net: {', '.join(cases)}."
