"""Charts of what a case did while it was trained: one curve per case, named at its end."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from energy.report.charts import _labels, _look, _marks, _names, _spec
from energy.report.charts._axis import Axis
from energy.report.charts._frames import Frame
from energy.report.charts._front import choose_few
from energy.report.charts._spec import Rows, Spec
from energy.report.model import Panel, Point

MOST_CURVES = 6
MOST_STEPS = 400
NEAR = 6.0  # pixels, half the height of a label

Place = tuple[float, float]


@dataclass(frozen=True)
class Curve:
    """What one repeat of a case did: places in the order of time."""

    point: Point
    places: tuple[Place, ...]


@dataclass(frozen=True)
class Curves:
    """A panel with its curves, on axes that all panels of a chart share."""

    panel: Panel
    curves: tuple[Curve, ...]
    across: Axis
    up: Axis
    titles: tuple[str, str]
    size: tuple[int, int]
    step: bool  # a curve is of steps, and its first place is where the first of them begins


def chosen(
    frame: Frame, places: Callable[[Point], Sequence[Sequence[Place]]], most: int = MOST_CURVES
) -> list[tuple[Curve, ...]]:
    """Return by panel the curves of the few cases that tell most.

    Args:
        frame: the panels.
        places: returns a list of places for each curve of a case; an empty one is none.
        most: cases of a panel.
    """
    return [
        tuple(
            Curve(point, tuple(_thinned(curve)))
            for point in choose_few(panel.points, min(most, MOST_CURVES))
            for curve in places(point)
            if curve
        )
        for panel in frame.panels
    ]


def _thinned(places: Sequence[Place]) -> Iterator[Place]:
    """Yield at most `MOST_STEPS` places, the last among them."""
    step = -(-len(places) // MOST_STEPS)
    yield from places[:-1:step]
    yield places[-1]


def data(drawn: Sequence[Curves], *, labels: bool = True) -> dict[str, Rows]:
    """Return the named rows of all panels: places in order, and labels at the ends of curves if wanted."""
    colours = _colours(drawn)
    found: dict[str, Rows] = {}
    for number, one in enumerate(drawn):
        found[f"curves{number}"] = _rows(one, colours)
        found[f"labels{number}"] = list(_ends(one)) if labels else []
    return found


def _rows(drawn: Curves, colours: Mapping[str, str]) -> Rows:
    return [
        {
            "x": x,
            "y": y,
            "curve": f"{index:03}",
            "case": curve.point.case,
            "colour": colours[curve.point.case],
            "epoch": place > 0 or not drawn.step,
        }
        for index, curve in enumerate(drawn.curves)
        for place, (x, y) in enumerate(curve.places)
    ]


def _colours(drawn: Sequence[Curves]) -> dict[str, str]:
    """Give each case one colour in all panels, unlike those beside it while there are; U-Net the ink's."""
    panels = [{curve.point.case: curve.point for curve in one.curves} for one in drawn]
    points = {case: point for panel in panels for case, point in panel.items()}
    found = {case: _look.INK for case, point in points.items() if point.is_reference}
    for case in points:
        if case not in found:
            beside = [found[other] for panel in panels if case in panel for other in panel if other in found]
            found[case] = min((*_look.PALETTE, _look.INK), key=beside.count)
    return found


def _ends(drawn: Curves) -> Iterator[dict[str, Any]]:
    """Name each case once, at the end of its first curve."""
    first = {curve.point.case: curve for curve in reversed(drawn.curves)}
    ordered = [first[case] for case in dict.fromkeys(curve.point.case for curve in drawn.curves)]
    texts = _names.short_names([curve.point for curve in ordered])
    places = [curve.places[-1] for curve in ordered]
    return _labels.rows(
        places,
        texts,
        len(places),
        drawn.across,
        drawn.up,
        drawn.size,
        MOST_CURVES,
        avoid=list(_along(drawn)),
    )


def _along(drawn: Curves) -> Iterator[Place]:
    """Yield places on all curves, near enough to each other that no label fits between two."""
    for curve in drawn.curves:
        yield curve.places[0]
        for (x1, y1), (x2, y2) in itertools.pairwise(curve.places):
            corner = (x1, y2) if drawn.step else (x2, y2)  # a step goes up or down where it begins
            yield from _between((x1, y1), corner, drawn)
            yield from _between(corner, (x2, y2), drawn)


def _between(begin: Place, end: Place, drawn: Curves) -> Iterator[Place]:
    """Yield places on a straight line, its end among them."""
    width, height = drawn.size
    ends = [(drawn.across.pixel(x, width), drawn.up.pixel(y, height)) for x, y in (begin, end)]
    count = math.ceil(math.dist(*ends) / NEAR)
    for part in range(1, count + 1):
        x, y = (first + (last - first) * part / count for first, last in zip(*ends, strict=True))
        yield drawn.across.value(x, width), drawn.up.value(y, height)


def panel(drawn: Curves, number: int, title: str = "", below: str = "", *, more: Sequence[Spec] = ()) -> Spec:
    """Return the layers of one panel: curves solid where joules are measured, broken where modelled.

    Args:
        drawn: the panel.
        number: of its rows.
        title: above it; the machine's name if empty.
        below: below the title; how the joules were got if empty.
        more: layers under the curves.
    """
    kind = drawn.panel.kind or "measured"
    rows = f"curves{number}"
    at = {
        "x": _spec.place(drawn.across, "x", drawn.titles[0]),
        "y": _spec.place(drawn.up, "y", drawn.titles[1]),
        "color": {"field": "colour", "type": "nominal", "scale": None},
    }
    order = {"detail": _spec.text("curve"), "order": {"field": "x", "type": "quantitative"}}
    steps = "step-before" if drawn.step else "linear"
    shape = _marks.SHAPES[kind][1]
    marks = _spec.layer(
        rows, "point", {**at, **_spec.hover("case")}, shape=shape, size=22, opacity=1, strokeWidth=1
    )
    layers = [
        *more,
        _spec.layer(
            rows, "line", {**at, **order}, interpolate=steps, strokeWidth=1.7, strokeDash=DASHES[kind]
        ),
        {**marks, "transform": [{"filter": "datum.epoch"}]},
        *_spec.labels(f"labels{number}", drawn.across, drawn.up, drawn.titles),
    ]
    return _spec.panel(layers, title or drawn.panel.heading, below or SUBTITLES[kind], *drawn.size)


DASHES = {"measured": [1, 0], "modelled": [7, 3], "mixed": [7, 2, 2, 2]}
SUBTITLES = {
    "measured": "solid lines, round marks: measured joules",
    "modelled": "broken lines, triangles: modelled joules",
    "mixed": "dash-dotted lines, crosses: partly measured, partly modelled joules",
}


def left(frame: Frame, drawn: Sequence[Curves]) -> int:
    """Return how many cases of a frame have no curve."""
    shown = sum(len({curve.point.case for curve in one.curves}) for one in drawn)
    return sum(len(one.points) for one in frame.panels) - shown
