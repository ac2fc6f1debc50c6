"""What a case cost from run to run, and where its level changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from energy.analysis.history.series import Series
from energy.records.metrics import METRICS
from energy.report.charts import _course, _look, _marks, _names, _runs, _spec, _table
from energy.report.charts._chart import Chart
from energy.report.charts._course import Course
from energy.report.charts._spec import Rows, Spec
from energy.report.model import Model, label
from energy.report.terminal.table import UNKNOWN

PLACE = 13
MOST_MACHINES = 6
MOST_CASES = 8
LONGEST_NAME = 40  # of a case, so that its task has room beside it
CHANGED = ("worse", "better", "changed")
COLOURS = (_look.VERMILION, _look.BLUE, _look.INK)
DOT = {"size": 40, "color": _look.INK, "fill": _look.INK, "strokeWidth": 1.5, "opacity": 1}
RUNS = "run of this machine, oldest first"
SHAPES = "joules (hollow: the record does not count)"


def draw(model: Model) -> tuple[Chart, ...] | str:
    """Draw for each machine the cases that changed most, each in a frame of its own."""
    by_machine: dict[str, list[Series]] = {}
    for series in model.history:
        by_machine.setdefault(series.fingerprint, []).append(series)
    found = [
        (fingerprint, courses)
        for fingerprint, its in by_machine.items()
        if (courses := _course.of_machine(its))
    ]
    if not found:
        return "no case has two records that count on one machine, so nothing has a history"
    names = {panel.fingerprint: panel.machine for panel in model.panels}
    charts = [
        _chart(names.get(fingerprint, label(fingerprint)), courses, number)
        for number, (fingerprint, courses) in enumerate(found[:MOST_MACHINES], start=1)
    ]
    if left := len(found) - len(charts):
        told = f"{charts[-1].description} There is no room for the histories of {left} more machines."
        charts[-1] = replace(charts[-1], description=told)
    return tuple(charts)


def _chart(machine: str, courses: Sequence[Course], number: int) -> Chart:
    chosen = courses[:MOST_CASES]
    kinds = _kinds(chosen)
    data: dict[str, Rows] = {}
    panels = []
    for index, (course, heading) in enumerate(zip(chosen, _headings(chosen), strict=True)):
        data |= {f"{name}{index}": rows for name, rows in _course.rows(course).items()}
        panels.append(_panel(course, index, kinds, heading))
    metric = _table.title(chosen[0].series.metric)
    where = ("case", "joules", "no.", "run", "stored", "commit")
    return Chart(
        name="history" if number == 1 else f"history-{number}",
        title=f"History of {metric}: {machine}: {' and '.join(kinds)}",
        description=" ".join(_description(machine, chosen, len(courses) - len(chosen))),
        spec=_spec.finished(panels, data),
        titles=(*where, metric, "n", "record", "what begins here"),
        rows=tuple(row for course in chosen for row in _rows(course)),
    )


def _headings(chosen: Sequence[Course]) -> list[str]:
    """Name case and task of each frame."""
    cases = [label(str(course.series.case)) for course in chosen]
    different = list(dict.fromkeys(cases))
    short = dict(zip(different, _names.distinct(different, LONGEST_NAME), strict=True))
    return [
        f"{short[case]} ({label(course.series.task)})" for case, course in zip(cases, chosen, strict=True)
    ]


def _kinds(courses: Sequence[Course]) -> list[str]:
    """Return how the joules of all marks were got, in the order of the shapes."""
    found = {dot.kind for course in courses for dot in course.shown}
    return [kind for kind in (*_marks.SHAPES, _runs.UNKNOWN_KIND) if kind in found]


def _panel(course: Course, number: int, kinds: Sequence[str], heading: str) -> Spec:
    across, up = course.across, course.roof
    metric = METRICS.get(course.series.metric)
    titles = RUNS, metric.unit if metric and metric.unit != "1" else None
    x, y = _spec.place(across, "x", titles[0]), _spec.place(up, "y", titles[1])
    below_the_strip = {"value": 0 if up == course.up else _course.STRIP}
    upright = {"x": x, "y": below_the_strip, "y2": {"value": _course.HEIGHT}}
    level = {"color": _spec.word("change", CHANGED, COLOURS, "level"), **_spec.hover("text")}
    along = {"x": x, "y": y, "x2": {"field": "x2"}}
    interval = {"x": x, "y": {**y, "field": "y1"}, "y2": {"field": "y2"}}
    marks = {"x": x, "y": y, **_shapes(kinds), **_spec.hover()}
    soft = {"color": _look.SOFT}
    layers = [
        _spec.layer(f"cuts{number}", "rule", {**upright, **_spec.hover()}, strokeDash=[2, 3], **soft),
        _spec.layer(f"changes{number}", "rule", {**upright, **level}, strokeWidth=2),
        _spec.layer(f"levels{number}", "rule", along, strokeWidth=2, opacity=0.7, **soft),
        _spec.layer(f"points{number}", "rule", interval, **soft),
        _spec.layer(f"points{number}", "point", marks, **DOT),
        *_spec.labels(f"labels{number}", across, up, titles),
    ]
    told = f"joules {' and '.join(_kinds([course]))}"
    return _spec.panel(layers, heading, told, _course.WIDTH, _course.HEIGHT)


def _shapes(kinds: Sequence[str]) -> Spec:
    """Return the encodings of what a mark says: how its joules were got, and whether it counts."""
    shapes = [_marks.SHAPES.get(kind, _marks.SHAPES["measured"])[1] for kind in kinds]
    legend = {"symbolFillColor": _look.INK, "symbolStrokeColor": _look.INK}
    return {
        "shape": {**_spec.word("kind", kinds, shapes, SHAPES), "legend": legend},
        "fillOpacity": _spec.word("record", (_marks.GOOD, _marks.INVALID), (1, 0), None),
    }


def _rows(course: Course) -> Iterator[tuple[str, ...]]:
    series = course.series
    begins: dict[int, list[str]] = {}
    for cut in series.cuts:
        begins.setdefault(course.numbers[cut.index], []).append(_course.across_a_cut(cut.keys))
    for change in series.changes:
        told = f"level {_course.amount(series, change)}"
        begins.setdefault(course.numbers[change.index], []).append(told)
    for dot in course.dots:
        kind = UNKNOWN if dot.mean is None else dot.kind
        where = str(dot.number), label(dot.reference), label(dot.datetime[:16]), label(dot.commit[:12])
        record = label(dot.why, 200) or _table.GOOD
        what = "; ".join(begins.get(dot.number, ())) or UNKNOWN
        yield label(str(series.case)), kind, *where, _table.number(dot.mean), str(dot.n), record, what


def _description(machine: str, chosen: Sequence[Course], left: int) -> Iterator[str]:
    yield (
        f"Each frame is a case on {machine}, each mark a run at its number, which is the same in all frames, "
        "oldest on the left, with its 95 % interval if it has repeats. "
        f"The joules are {' and '.join(_kinds(chosen))}. "
        "Level lines have the common shift of a session taken out. A solid upright line is a change of "
        "level; a broken one a change of hardware, software, data or case, across which nothing is compared."
    )
    yield from _against(chosen)
    if chosen[0].across.low > 1:
        yield f"Only the newest {_course.MOST_RUNS} runs have marks."
    for course in chosen:
        series = course.series
        if series.changes:
            told = (
                f"{_course.amount(series, change)} at {label(series.points[change.index].reference)} "
                f"({_course.word(change)})"
                for change in series.changes
            )
            yield f"{label(str(series.case))}: {', '.join(told)}."
    if left:
        yield f"{left} more cases have a history and are not drawn."


def _against(chosen: Sequence[Course]) -> Iterator[str]:
    """Say what became of the records that do not count."""
    against = [dot for course in chosen for dot in course.dots if dot.why]
    hollow = [(course, dot) for course in chosen for dot in course.shown if dot.why]
    beyond = [dot for course, dot in hollow if course.up.clamp(dot.mean or 0.0) != dot.mean]
    if against:
        yield (
            f"Records that do not count: {len(against)}, of which {len(hollow)} have a hollow mark. They "
            "enter no level; the reasons are in the table."
        )
    if beyond:
        yield f"Hollow marks at the edge of a frame whose figures lie beyond it: {len(beyond)}."
