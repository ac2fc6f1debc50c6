"""The same case on two machines: what each network costs here and there."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from energy.report.charts import _axis, _frames, _labels, _look, _marks, _names, _spec, _table
from energy.report.charts._axis import Axis
from energy.report.charts._chart import Chart
from energy.report.charts._front import choose_few
from energy.report.charts._spec import Rows, Spec
from energy.report.model import Model, Panel, Point
from energy.report.words import clipped
from energy.text import format_number

PLACE = 9
MOST_CHARTS, MOST_CASES = 5, 24
SIZE = (660, 420)
# Where the two machines stand on a horizontal axis from 0 to 1; the rest is room for names.
HERE, THERE = 0.18, 0.6
ACROSS = Axis(0.0, 1.0, ())
LONGEST_HEAD = 40
METRICS = (("total_kj", "total energy / kJ"), ("seconds", "duration / s"))


@dataclass(frozen=True)
class Pair:
    """Two panels of the same task, budget, data and kind of joules, and the cases that both have."""

    here: Panel
    there: Panel
    cases: tuple[tuple[Point, Point], ...]
    left: int


def draw(model: Model) -> tuple[Chart, ...] | str:
    """Draw a line for each case that two machines have run under the same conditions."""
    panels = [panel for panel in model.panels if panel.kind and panel.task not in _frames.NOT_CASES]
    alike = [
        (a, b)
        for a, b in combinations(panels, 2)
        if _conditions(a) == _conditions(b) and a.machine != b.machine
    ]
    pairs = [pair for a, b in alike if (pair := _pair(a, b)).cases]
    if pairs:
        left = [0] * (MOST_CHARTS - 1) + [max(0, len(pairs) - MOST_CHARTS)]
        return tuple(
            _chart(pair, "" if number == 1 else f"-{number}", more)
            for number, (pair, more) in enumerate(zip(pairs, left, strict=False), start=1)
        )
    if len({panel.machine for panel in panels}) > 1:
        return (
            "no case was run by two machines with the same task, budget, data and kind of joules; measured "
            "and modelled kilojoules are not compared"
        )
    return "these results are of one machine"


def _conditions(panel: Panel) -> tuple[str, str, str | None]:
    return panel.task, panel.setting, panel.kind


def _pair(here: Panel, there: Panel) -> Pair:
    others = {point.case: point for point in there.points if point.good and _has(point)}
    common = [point for point in here.points if point.good and _has(point) and point.case in others]
    chosen = choose_few(common, MOST_CASES)
    return Pair(
        here, there, tuple((point, others[point.case]) for point in chosen), len(common) - len(chosen)
    )


def _has(point: Point) -> bool:
    return all(_axis.shown(point.mean(metric)) for metric, _ in METRICS)


def _chart(pair: Pair, suffix: str, pairs_left: int) -> Chart:
    data: dict[str, Rows] = {}
    panels = []
    for number, (metric, title) in enumerate(METRICS):
        values = [point.figures[metric].mean for case in pair.cases for point in case]
        up = _axis.logarithmic(values)
        data |= {
            f"slopes{number}": _rows(pair, metric),
            f"labels{number}": list(_label_rows(pair, metric, up)),
        }
        panels.append(_panel(pair, number, up, title))
    return Chart(
        name=f"slope{suffix}",
        title=f"{pair.here.machine} and {pair.there.machine}: {pair.here.task}, {pair.here.setting}",
        description=" ".join(_description(pair, pairs_left)),
        spec=_spec.finished(panels, data, columns=1),
        titles=("case", *_titles(pair)),
        rows=tuple((here.case, *_cells(here, there)) for here, there in pair.cases),
    )


def _titles(pair: Pair) -> Iterator[str]:
    for metric, _ in METRICS:
        for panel in (pair.here, pair.there):
            yield f"{_table.title(metric)}, {panel.heading}"
        yield f"{_table.title(metric)}, ratio"


def _cells(here: Point, there: Point) -> Iterator[str]:
    for metric, _ in METRICS:
        before, after = here.figures[metric].mean, there.figures[metric].mean
        yield from map(_table.number, (before, after, after / before))


def _rows(pair: Pair, metric: str) -> list[dict[str, Any]]:
    rows = []
    for here, there in pair.cases:
        before, after = here.figures[metric].mean, there.figures[metric].mean
        both = " and ".join(map(_table.number, (before, after)))
        told = f"{here.case}: {both}, × {format_number(after / before)}"
        rows += [
            {
                "x": HERE,
                "y": before,
                "case": here.case,
                **_marks.mark_fields(pair.here, here),
                "told": told,
            },
            {
                "x": THERE,
                "y": after,
                "case": here.case,
                **_marks.mark_fields(pair.there, there),
                "told": told,
            },
        ]
    return rows


def _label_rows(pair: Pair, metric: str, up: Axis) -> Iterator[dict[str, Any]]:
    names = _names.short_names([here for here, _ in pair.cases])
    places = [(THERE, there.figures[metric].mean) for _, there in pair.cases]
    ratios = [there.figures[metric].mean / here.figures[metric].mean for here, there in pair.cases]
    texts = [f"{name} ×{format_number(ratio)}" for name, ratio in zip(names, ratios, strict=True)]
    return _labels.rows(places, texts, len(texts), ACROSS, up, SIZE, MOST_CASES, right=True)


def _panel(pair: Pair, number: int, up: Axis, title: str) -> Spec:
    words = _marks.in_order([row["mark"] for row in _rows(pair, METRICS[number][0])])
    rows = f"slopes{number}"
    at = {"x": _spec.place(ACROSS, "x", None, _heads(pair)), "y": _spec.place(up, "y", title)}
    marks = {
        **at,
        **_marks.outline(words, any_invalid=False),
        **_marks.inside(words, any_invalid=False),
        **_spec.hover(),
    }
    layers = [
        _spec.layer(rows, "line", {**at, "detail": _spec.text("case")}, color=_look.SOFT, strokeWidth=1),
        _spec.layer(rows, "point", marks, size=70, opacity=1),
        *_spec.labels(f"labels{number}", ACROSS, up, (None, title), _heads(pair)),
    ]
    return _spec.panel(layers, title.partition(" / ")[0], "", *SIZE)


def _heads(pair: Pair) -> Spec:
    """Write the machines' names where ticks would be."""
    sides = {HERE: pair.here, THERE: pair.there}
    names = {x: (clipped(side.machine, LONGEST_HEAD), side.kind) for x, side in sides.items()}
    words = f"datum.value < 0.5 ? {_quoted(names[HERE])} : {_quoted(names[THERE])}"
    return {"values": [HERE, THERE], "labelExpr": words, "grid": True}


def _quoted(lines: Sequence[str | None]) -> str:
    """Return lines as a list of Vega's expressions; they hold what a record says."""
    return json.dumps(lines)


def _description(pair: Pair, pairs_left: int) -> Iterator[str]:
    yield (
        f"Each line is a case on {pair.here.heading} (left) and {pair.there.heading} (right): above its kJ, "
        "below its seconds, both logarithmic: equal ratios have equal slopes. Beside its name is the ratio."
    )
    ratios = [there.figures["total_kj"].mean / here.figures["total_kj"].mean for here, there in pair.cases]
    median = format_number(statistics.median(ratios))
    yield f"{len(pair.cases)} cases are drawn; the median takes {median} times the kJ on the right."
    if pair.left:
        yield f"{pair.left} more cases are left out of this chart."
    if pairs_left:
        yield f"There is no room for {pairs_left} more such charts, of other pairs of machines."
