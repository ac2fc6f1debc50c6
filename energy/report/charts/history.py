"""What a case cost from run to run, and where its level changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from energy.history.series import ChangePoint, Series
from energy.metrics import METRICS
from energy.report.charts import _axis, _look, _names, _spec, _table
from energy.report.charts._axis import Axis
from energy.report.charts._chart import Chart
from energy.report.charts._spec import Rows, Spec
from energy.report.model import Model, label

PLACE = 13
MOST_MACHINES = 6
MOST_CASES = 8
MOST_POINTS = 200
SIZE = (430, 110)
CHANGED = ("worse", "better", "changed")
COLOURS = (_look.VERMILION, _look.BLUE, _look.INK)
DOT = {"filled": True, "size": 36, "color": _look.INK, "opacity": 1}


def draw(model: Model) -> tuple[Chart, ...] | str:
    """Draw for each machine the cases that changed most, each in a frame of its own."""
    by_machine: dict[str, list[Series]] = {}
    for series in model.history:
        if series.case is not None and len(series.points) > 1 and all(_drawable(series)):
            by_machine.setdefault(series.fingerprint, []).append(series)
    if not by_machine:
        return "no case was stored twice on one machine, so nothing has a history"
    several = list(by_machine.items())[:MOST_MACHINES]
    names = {panel.fingerprint: panel.machine for panel in model.panels}
    return tuple(
        _chart(names.get(fingerprint, label(fingerprint)), found, number)
        for number, (fingerprint, found) in enumerate(several, start=1)
    )


def _drawable(series: Series) -> Iterator[bool]:
    return (_axis.bounded(point.mean) for point in series.points)


def _chart(machine: str, found: Sequence[Series], number: int) -> Chart:
    ordered = sorted(found, key=_rank)
    chosen = ordered[:MOST_CASES]
    data: dict[str, Rows] = {}
    panels = []
    for index, series in enumerate(chosen):
        own = _data(series)
        data |= {f"{name}{index}": rows for name, rows in own.items()}
        panels.append(_panel(series, index, [row["y"] for row in (*own["points"], *own["levels"])]))
    return Chart(
        name="history" if number == 1 else f"history-{number}",
        title=f"History of {_table.title(chosen[0].metric)}: {machine}",
        description=" ".join(_description(machine, chosen, len(ordered) - len(chosen))),
        spec=_spec.finished(panels, data),
        titles=("case", "run", "stored", "commit", _table.title(chosen[0].metric), "n", "what begins here"),
        rows=tuple(row for series in chosen for row in _rows(series)),
    )


def _rank(series: Series) -> tuple[bool, float, str]:
    """Sort cases whose level changed before the others, the greatest change first."""
    changes = [abs(change.change) for change in series.changes]
    return not changes, -max(changes, default=0.0), str(series.case)


def _data(series: Series) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of a frame: points, levels, changes and cuts, by the number of the run."""
    begin = max(0, len(series.points) - MOST_POINTS)
    return {
        "points": [
            {"x": index + 1, "y": point.mean, **_interval(point.interval), "told": _told(series, index)}
            for index, point in enumerate(series.points[begin:], start=begin)
        ],
        "levels": [
            {"x": max(level.start, begin) + 0.6, "x2": level.stop + 0.4, "y": level.mean}
            for level in series.levels
            if level.stop > begin and _axis.bounded(level.mean)
        ],
        "changes": [
            {"x": change.index + 0.5, "change": _word(change), "text": _amount(series, change)}
            for change in series.changes
            if change.index > begin
        ],
        "cuts": [{"x": cut.index + 0.5, "told": _cut(cut.keys)} for cut in series.cuts if cut.index > begin],
    }


def _interval(interval: tuple[float, float] | None) -> dict[str, float]:
    if interval is None or not all(map(_axis.bounded, interval)):
        return {}
    return {"y1": interval[0], "y2": interval[1]}


def _told(series: Series, index: int) -> str:
    point = series.points[index]
    return f"{label(point.reference)}, {label(point.datetime, 16)}: {_table.number(point.mean)}"


def _word(change: ChangePoint) -> str:
    if change.worse is None:
        return "changed"
    return "worse" if change.worse else "better"


def _amount(series: Series, change: ChangePoint) -> str:
    return f"{100 * change.change:+.3g} %" if series.relative else f"{change.change:+.3g}"


def _in_words(series: Series, change: ChangePoint) -> str:
    run = label(series.points[change.index].reference)
    return f"{_amount(series, change)} at {run} ({_word(change)})"


def _cut(keys: Sequence[str]) -> str:
    return f"another {', '.join(keys)}: what stands on both sides is not the same"


def _panel(series: Series, number: int, values: Sequence[float]) -> Spec:
    last = len(series.points)
    across = Axis(max(0, last - MOST_POINTS) + 0.4, last + 0.6, ())
    up = _axis.linear(values)
    unit = METRICS[series.metric].unit if series.metric in METRICS else ""
    at = {
        "x": _spec.place(across, "x", "run, oldest first", {"format": "d", "tickMinStep": 1}),
        "y": _spec.place(up, "y", unit if unit != "1" else None),
    }
    level = {"color": _spec.word("change", CHANGED, COLOURS, "level")}
    interval = {"x": at["x"], "y": {**at["y"], "field": "y1"}, "y2": {"field": "y2"}}
    soft, name = {"color": _look.SOFT}, {"x": at["x"], "y": {"value": 8}, "text": _spec.text()}
    along = {**at, "x2": {"field": "x2"}}
    layers = [
        _spec.layer(f"cuts{number}", "rule", {"x": at["x"], **_spec.told()}, strokeDash=[2, 3], **soft),
        _spec.layer(f"changes{number}", "rule", {"x": at["x"], **level}, strokeWidth=2),
        _spec.layer(f"levels{number}", "rule", along, strokeWidth=2, opacity=0.7, **soft),
        _spec.layer(f"points{number}", "rule", interval, clip=True, **soft),
        _spec.layer(f"points{number}", "point", {**at, **_spec.told()}, **DOT),
        _spec.layer(f"changes{number}", "text", name, align="left", dx=4, color=_look.INK),
    ]
    case = _names.clip(str(series.case))
    return _spec.panel(layers, f"{label(case)} ({series.task})", "", *SIZE)


def _rows(series: Series) -> Iterator[tuple[str, ...]]:
    for index, point in enumerate(series.points):
        begins = [_cut(cut.keys) for cut in series.cuts if cut.index == index]
        begins += [f"level {_amount(series, change)}" for change in series.changes if change.index == index]
        where = (label(point.reference), label(point.datetime, 16), label(point.commit, 12))
        what = "; ".join(begins) or "–"
        yield label(str(series.case)), *where, _table.number(point.mean), str(point.n), what


def _description(machine: str, chosen: Sequence[Series], left: int) -> Iterator[str]:
    yield (
        f"Each frame is a case on {machine}, each dot a run, oldest on the left, with its 95 % interval if "
        "it has repeats. Level lines have the common shift of a session taken out. A solid upright line is "
        "a change of level; a broken one a change of hardware, software, data or case, across which nothing "
        "is compared."
    )
    for series in chosen:
        if series.changes:
            told = ", ".join(_in_words(series, change) for change in series.changes)
            yield f"{label(str(series.case))}: {told}."
    if left:
        yield f"{left} more cases have a history and are not drawn."
