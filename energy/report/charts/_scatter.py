"""Charts of Dice, or what is lost of it, against kilojoules: the study's three figures.

Repeats are small dots, cases are marks with their 95 % intervals, a step line is the Pareto front.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from energy.report.charts import _axis, _frames, _labels, _layers, _marks, _names, _spec, _table
from energy.report.charts._axis import Axis
from energy.report.charts._chart import Chart
from energy.report.charts._frames import Frame
from energy.report.charts._front import front
from energy.report.charts._layers import Layers
from energy.report.charts._spec import Rows
from energy.report.model import Figure, Model, Panel, Point
from energy.text import list_few

MOST_NAMED = 8
MOST_LABELS = 40


@dataclass(frozen=True)
class Figures:
    """Which two metrics a scatter shows, and how.

    Args:
        name: of the chart.
        title: of the chart.
        x: metric in kJ, on a logarithmic axis; less is better.
        y: metric on a linear axis.
        x_title: axis title with unit.
        y_title: axis title with unit.
        higher: whether more of y is better.
        ends: least and most that y can be.
    """

    name: str
    title: str
    x: str
    y: str
    x_title: str
    y_title: str
    higher: bool = True
    ends: tuple[float | None, float | None] = (None, None)

    def has(self, point: Point) -> bool:
        """Tell whether a point can be drawn."""
        return _axis.shown(point.mean(self.x)) and _axis.bounded(point.mean(self.y))

    def front(self, points: Sequence[Point]) -> list[Point]:
        """Return the good points that none of the good ones dominates, cheapest first."""
        good = [point for point in points if point.good]
        sign = 1 if self.higher else -1
        places = [(point.figures[self.x].mean, sign * point.figures[self.y].mean) for point in good]
        return [good[index] for index in front(places)]


@dataclass(frozen=True)
class Place:
    """A panel in its frame: what is drawn of it, where."""

    panel: Panel
    points: tuple[Point, ...]
    front: tuple[Point, ...]
    x: Axis
    y: Axis
    size: tuple[int, int]
    left: int


def draw(model: Model, figures: Figures) -> tuple[Chart, ...] | str:
    """Draw one chart per task, budget and set of data, one panel per machine and kind of joules."""
    frames = _frames.sort_panels(model, figures.has)
    if not frames:
        return f"no case has both {figures.y} and {figures.x} above 0"
    return tuple(_chart(frame, figures) for frame in frames)


def _chart(frame: Frame, figures: Figures) -> Chart:
    places = _places(frame, figures)
    marks = [_marks.mark(place.panel, point) for place in places for point in place.points]
    words = _marks.in_order(marks)
    invalid = any(not point.good for place in places for point in place.points)
    repeats = len(marks) <= _frames.MOST_WITH_REPEATS
    data: dict[str, Rows] = {}
    panels = []
    for number, place in enumerate(places):
        named = {f"{name}{number}": rows for name, rows in _data(place, figures, repeats=repeats).items()}
        data |= named
        titles = (figures.x_title, figures.y_title)
        layers = Layers(str(number), place.x, place.y, titles, place.size, words, invalid)
        panels.append(_layers.panel(layers, place.panel))
    return Chart(
        name=f"{figures.name}{frame.suffix}",
        title=f"{figures.title}: {frame.task}, {frame.setting}",
        description=" ".join(_description(frame, places, figures)),
        spec=_spec.finished(panels, data),
        titles=_table.titles((figures.y, figures.x), "on the front"),
        rows=tuple(row for place in places for row in _rows(place, figures)),
        part="study",
    )


def _places(frame: Frame, figures: Figures) -> list[Place]:
    """Put all panels of a frame on the same axes, so that machines can be compared by looking."""
    chosen = []
    for panel in frame.panels:
        best = figures.front(panel.points)
        kept = {id(point) for point in best} | {id(point) for point in panel.points if point.is_reference}
        points = _frames.thinned(panel, frame, kept)
        chosen.append((panel, points, best))
    every = [point for _, points, _ in chosen for point in points]
    x = _axis.logarithmic(
        [value for point in every for value in _extent(point.figures[figures.x], positive=True)]
    )
    y = _axis.linear([value for point in every for value in _extent(point.figures[figures.y])], *figures.ends)
    size = _frames.size(frame)
    return [
        Place(panel, tuple(points), tuple(best), x, y, size, len(panel.points) - len(points))
        for panel, points, best in chosen
    ]


def _extent(figure: Figure, positive: bool = False) -> list[float]:
    """Return the mean and the repeats; the interval of two repeats is wide, and may leave the frame."""
    ok = _axis.shown if positive else _axis.bounded
    return [value for value in (figure.mean, *figure.values) if ok(value)]


def _data(place: Place, figures: Figures, *, repeats: bool) -> dict[str, Rows]:
    """Return the rows behind the layers of a panel."""
    points = [_row(place, point, figures) for point in place.points]
    return {
        "points": points,
        "repeats": list(_repeats(place, figures)) if repeats else [],
        "front": list(_steps(place, figures)),
        "labels": list(_label_rows(place, figures)),
        "reference": [row for row, point in zip(points, place.points, strict=True) if point.is_reference],
    }


def _row(place: Place, point: Point, figures: Figures) -> dict[str, Any]:
    x, y = point.figures[figures.x], point.figures[figures.y]
    row = {
        "x": x.mean,
        "y": y.mean,
        **_marks.mark_fields(place.panel, point),
        "told": _table.telling(point, (figures.y, figures.x)),
    }
    return row | _layers.ends("x", x, place.x) | _layers.ends("y", y, place.y)


def _repeats(place: Place, figures: Figures) -> Iterator[dict[str, Any]]:
    """Yield the repeats of each case, where there are at least two and each has both figures."""
    for point in place.points:
        x, y = point.figures[figures.x].values, point.figures[figures.y].values
        if len(x) == len(y) > 1:
            for left, up in zip(x, y, strict=True):
                if _axis.shown(left) and _axis.bounded(up):
                    yield {"x": left, "y": up, **_marks.mark_fields(place.panel, point)}


def _steps(place: Place, figures: Figures) -> Iterator[dict[str, float]]:
    """Yield the corners of the step line, which goes on to the end: more energy bought nothing better."""
    for point in place.front:
        yield {"x": point.figures[figures.x].mean, "y": point.figures[figures.y].mean}
    if place.front:
        yield {"x": place.x.high, "y": place.front[-1].figures[figures.y].mean}


def _label_rows(place: Place, figures: Figures) -> Iterator[dict[str, Any]]:
    ids = [id(point) for point in place.front]
    order = sorted(
        place.points,
        key=lambda point: (not point.is_reference, id(point) not in ids, -point.figures[figures.y].mean),
    )
    places = [(point.figures[figures.x].mean, point.figures[figures.y].mean) for point in order]
    important = sum(point.is_reference or id(point) in ids for point in order)
    texts = _names.short_names(order)
    return _labels.rows(places, texts, important, place.x, place.y, place.size, MOST_LABELS)


def _rows(place: Place, figures: Figures) -> Iterator[tuple[str, ...]]:
    ids = {id(point) for point in place.front}
    by_cost = sorted(place.points, key=lambda point: point.figures[figures.x].mean)
    for point in by_cost:
        on_front = "yes" if id(point) in ids else "no"
        yield _table.row(place.panel, point, (figures.y, figures.x), on_front)


def _description(frame: Frame, places: Sequence[Place], figures: Figures) -> Iterator[str]:
    better = "Up and to the left is better" if figures.higher else "Down and to the left is better"
    yield f"{figures.y_title} against {figures.x_title}. {better}; the horizontal axis is logarithmic."
    for place in places:
        names = list_few([point.case for point in place.front], MOST_NAMED)
        invalid = sum(not point.good for point in place.points)
        told = f"; {invalid} invalid, hollow" if invalid else ""
        yield (
            f"{place.panel.heading}, {len(place.points)} cases{told}. "
            f"On the Pareto front, cheapest first: {names or 'none'}."
        )
    yield "The step line is that front; dashed lines are the U-Net's."
    if len({point.seeds for place in places for point in place.points}) > 1:
        yield "Cases have different seeds, so a difference between two may be one of their seeds."
    if all(len(point.figures[figures.y].values) < 2 for place in places for point in place.points):
        yield "One repeat each: nobody knows by how much another seed would differ."
    else:
        small = (
            " Small marks are repeats."
            if sum(len(place.points) for place in places) <= _frames.MOST_WITH_REPEATS
            else ""
        )
        yield f"Bars are 95 % intervals of the mean.{small}"
    yield from _frames.left_out(frame, sum(place.left for place in places))
