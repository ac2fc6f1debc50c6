"""What the history of a case is made of: points, lines where something else was measured, changes of level.

`histories.py` makes it from the summaries of stored runs; tables and charts only draw it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Point:
    """What one run says of a case.

    Args:
        reference: the run, FINGERPRINT/NNNN_NAME.
        datetime: when the run was stored, ISO 8601.
        commit: the whole hash, or what stands in its place.
        n: repeats.
        mean: of the repeats, in the metric's unit.
        interval: 95 % interval of the mean; None with one repeat.
        shift: what all cases of this run have in common against their own levels, as a difference of
            logarithms (of a metric of unit 1: a plain difference); 0 where it cannot be told from the case.
    """

    reference: str
    datetime: str
    commit: str
    n: int
    mean: float
    interval: tuple[float, float] | None
    shift: float = 0.0


@dataclass(frozen=True)
class Cut:
    """From the point at `index` on something else was measured: a line in a chart, not an alarm.

    keys: those that changed, of hardware, software, data, case, kind (measured or modelled), boundary,
        sources, seeds.
    """

    index: int
    keys: tuple[str, ...]


@dataclass(frozen=True)
class Level:
    """Points `start` to `stop` (exclusive) have one level: `mean`, in the metric's unit, shift taken out."""

    start: int
    stop: int
    mean: float


@dataclass(frozen=True)
class ChangePoint:
    """From the point at `index` on the level is another one.

    Args:
        index: the first point at the new level.
        change: relative (0.048: 4.8 % more); of a metric of unit 1, such as Dice, the difference.
        before: points at the level before.
        after: points at the level after.
        worse: whether the metric's direction makes it a loss; None for a metric without a direction.
    """

    index: int
    change: float
    before: int
    after: int
    worse: bool | None


@dataclass(frozen=True)
class Excluded:
    """A run whose record of this case is no point, and why."""

    reference: str
    datetime: str
    why: str


@dataclass(frozen=True)
class Series:
    """The history of one metric of one case on one machine, oldest first.

    Args:
        fingerprint: hardware and meters.
        case: its name; None for what all cases of a run have in common (the session shift).
        task: training, inference, ...
        metric: its name; points are in its unit. Those of the session shift are the shift itself.
        relative: whether changes are relative; else they are differences.
        points: the clean, valid, ok records.
        cuts: where another thing was measured.
        levels: stretches between cuts and changes.
        changes: where the level changed.
        excluded: runs whose record does not count.
        noise: standard deviation of a point around its level, on the scale of `Point.shift`; None if unknown.
        unsearched: why no change was looked for, in words; empty where it was.
        kind: how the newest point was metered: measured, modelled or mixed; None if not at all.
    """

    fingerprint: str
    case: str | None
    task: str
    metric: str
    relative: bool
    points: tuple[Point, ...]
    cuts: tuple[Cut, ...]
    levels: tuple[Level, ...]
    changes: tuple[ChangePoint, ...]
    excluded: tuple[Excluded, ...]
    noise: float | None
    unsearched: str = ""
    kind: str | None = None


def tabulate_for_otava(cases: Sequence[Series]) -> tuple[str, int]:
    """Return the CSV of some cases of one machine, and how many runs it leaves out.

    Otava refuses an empty cell, so a run in which one of the cases does not count has no line.
    """
    columns = {
        _name_column(series, cases): {point.reference: point for point in series.points} for series in cases
    }
    runs = {point.reference: point for series in cases for point in series.points}
    whole = [run for run in runs.values() if all(run.reference in own for own in columns.values())]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["time", "commit", *columns])
    for run in sorted(whole, key=_order_point):
        writer.writerow([run.datetime, run.commit, *(own[run.reference].mean for own in columns.values())])
    return text.getvalue(), len(runs) - len(whole)


def _name_column(series: Series, cases: Sequence[Series]) -> str:
    """Name a column by its case, and by its task where there are several."""
    name = f"{series.case}.{series.metric}"
    return name if len({one.task for one in cases}) == 1 else f"{series.task}.{name}"


def _order_point(point: Point) -> tuple[str, str]:
    return point.datetime, point.reference
