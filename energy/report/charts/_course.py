"""The course of a case over the runs of a machine: axes, and where marks, levels, changes and cuts stand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from energy.analysis.history.series import ChangePoint, Series
from energy.report.charts import _axis, _labels, _marks, _runs, _table
from energy.report.charts._axis import Axis
from energy.report.charts._runs import Dot
from energy.report.model import label

MOST_RUNS = 200
LEAST_POINTS = 2
WIDTH, HEIGHT = 430, 120
# At the top of a frame, free of marks and lines: there the changes of level are written.
STRIP = 18
# A record that does not count stands up to so many spans of the others away from them, else at the edge.
REACH = 2.0


@dataclass(frozen=True)
class Course:
    """One case.

    Args:
        series: its history.
        dots: its records, oldest first.
        numbers: of the runs of the series' points.
        across: the machine's runs, the same for all of its cases.
        up: the metric.
    """

    series: Series
    dots: tuple[Dot, ...]
    numbers: tuple[int, ...]
    across: Axis
    up: Axis

    @property
    def shown(self) -> list[Dot]:
        """The records that have a mark."""
        return [dot for dot in self.dots if dot.number > self.across.low and _axis.bounded(dot.mean)]

    @property
    def changes(self) -> list[ChangePoint]:
        """The changes of level that lie inside of the frame."""
        return [change for change in self.series.changes if self.line(change.index) > self.across.low]

    @property
    def roof(self) -> Axis:
        """The vertical axis with the strip above it, where there are changes to be written in it."""
        if not self.changes:
            return self.up
        return replace(self.up, high=self.up.low + (self.up.high - self.up.low) * HEIGHT / (HEIGHT - STRIP))

    def line(self, index: int) -> float:
        """Return where what begins at a point of the series has its upright line."""
        return self.numbers[index] - 0.5


def of_machine(found: Sequence[Series]) -> list[Course]:
    """Return the cases of one machine that can be drawn, those whose level changed most first."""
    runs = _runs.numbers(found)
    across = _across(len(runs))
    courses = []
    for series in sorted(found, key=_rank):
        dots = _runs.dots(series, runs)
        up = _up(series, [dot for dot in dots if dot.number > across.low])
        if up is not None and series.case is not None:
            numbers = tuple(runs[point.datetime, point.reference] for point in series.points)
            courses.append(Course(series, dots, numbers, across, up))
    return courses


def _rank(series: Series) -> tuple[bool, float, str]:
    """Sort cases whose level changed before the others, the greatest change first."""
    changes = [abs(change.change) for change in series.changes]
    return not changes, -max(changes, default=0.0), str(series.case)


def _across(runs: int) -> Axis:
    first = max(0, runs - MOST_RUNS) + 1
    ticks = [tick for tick in _axis.linear([first, runs]).ticks if first <= tick <= runs]
    return Axis(first - 0.6, runs + 0.6, tuple(tick for tick in ticks if tick == int(tick)))


def _up(series: Series, dots: Sequence[Dot]) -> Axis | None:
    """Return the axis of what counts and of what lies near it; None if a figure is missing or too few are."""
    values = [dot.mean for dot in dots if not dot.why and dot.mean is not None]
    if len(values) < LEAST_POINTS or not all(map(_drawable, values)):
        return None
    values += [level.mean for level in series.levels if _drawable(level.mean)]
    room = REACH * (max(values) - min(values)) or abs(max(values))
    low, high = min(values) - room, max(values) + room
    others = [dot.mean for dot in dots if dot.why and dot.mean is not None and _drawable(dot.mean)]
    return _axis.linear([*values, *(value for value in others if low <= value <= high)])


def _drawable(value: float) -> bool:
    """Tell whether an axis can begin or end at a figure; none is read that is nearly 0 and not 0."""
    return _axis.bounded(value) and (value == 0 or abs(value) >= _axis.LEAST)


def rows(course: Course) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of a frame, by the number of the run."""
    series = course.series
    return {
        "points": [_mark(course, dot) for dot in course.shown],
        "levels": [
            {"x": begin, "x2": end, "y": level.mean}
            for level in series.levels
            for end in [course.numbers[level.stop - 1] + 0.4]
            for begin in [max(course.numbers[level.start] - 0.4, course.across.low + 0.2)]
            if begin < end and _drawable(level.mean)
        ],
        "changes": [
            {"x": course.line(change.index), "change": word(change), "text": amount(series, change)}
            for change in course.changes
        ],
        "cuts": [
            {"x": course.line(cut.index), "told": across_a_cut(cut.keys)}
            for cut in series.cuts
            if course.line(cut.index) > course.across.low
        ],
        "labels": list(_label_rows(course)),
    }


def _mark(course: Course, dot: Dot) -> dict[str, Any]:
    mean = dot.mean or 0.0
    row = {
        "x": dot.number,
        "y": course.up.clamp(mean),
        "kind": dot.kind,
        "record": _marks.INVALID if dot.why else _marks.GOOD,
        "told": "".join(_told(dot, beyond=course.up.clamp(mean) != mean)),
    }
    if dot.interval is None or not all(map(_axis.bounded, dot.interval)):
        return row
    low, high = map(course.up.clamp, dot.interval)
    return row | {"y1": low, "y2": high}


def _told(dot: Dot, *, beyond: bool) -> Iterator[str]:
    yield f"{label(dot.reference)}, {label(dot.datetime[:16])}: {_table.number(dot.mean)}, {dot.kind}"
    if beyond:
        yield ", beyond the frame"
    if dot.why:
        yield f"; does not count: {label(dot.why, 200)}"


def _label_rows(course: Course) -> Iterator[dict[str, Any]]:
    """Yield the changes as texts in the strip above their lines; where one has no room, the table has it."""
    taken = 0.0
    for change in course.changes:
        text = amount(course.series, change)
        length = _labels.CHARACTER * len(text)
        line = course.across.pixel(course.line(change.index), WIDTH)
        left = max(min(line - length / 2, WIDTH - length), taken)
        if left <= line and left + length <= WIDTH:
            taken = left + length + _labels.APART
            x, y = course.across.value(left, WIDTH), course.roof.value(HEIGHT - STRIP / 2, HEIGHT)
            yield {"x": x, "y": y, "text": text}


def word(change: ChangePoint) -> str:
    """Say what a change of level is."""
    if change.worse is None:
        return "changed"
    return "worse" if change.worse else "better"


def amount(series: Series, change: ChangePoint) -> str:
    """Say by how much a level changed."""
    return f"{100 * change.change:+.3g} %" if series.relative else f"{change.change:+.3g}"


def across_a_cut(keys: Sequence[str]) -> str:
    """Say what a cut is."""
    return f"another {label(', '.join(keys), 100)}: what stands on both sides is not the same"
