"""What each run of a machine says of a case: runs by number, records that count and those that do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from energy.analysis.history.series import Excluded, Point, Series
from energy.report.page.past import Key, Past, Record

UNKNOWN_KIND = "not metered"


@dataclass(frozen=True)
class Dot:
    """The record that one run has of a case.

    Args:
        number: of the run among all of its machine, the oldest 1.
        reference: of the run.
        datetime: when the run was stored, ISO 8601.
        commit: what it was made from; empty if unknown.
        n: repeats; 0 if unknown.
        mean: of the repeats; None if there is none.
        interval: 95 % interval of the mean; None with one repeat.
        kind: how its joules were got.
        why: it does not count; empty where it does.
    """

    number: int
    reference: str
    datetime: str
    commit: str
    n: int
    mean: float | None
    interval: tuple[float, float] | None
    kind: str
    why: str = ""


def numbers(found: Sequence[Series]) -> dict[Key, int]:
    """Number the runs that the series of one machine name, whether they count there or not, oldest first."""
    points = {_key(point) for series in found for point in series.points}
    excluded = {_key(one) for series in found for one in series.excluded}
    return {key: number for number, key in enumerate(sorted(points | excluded), start=1)}


def dots(series: Series, numbers: Mapping[Key, int]) -> tuple[Dot, ...]:
    """Return the records of a series, oldest first: its points, and those that do not count."""
    records = series.records if isinstance(series, Past) else {}
    found = []
    for point in series.points:
        record = records.get(_key(point), Record(point.commit, point.n, point.mean, series.kind))
        found.append(_dot(point, record, numbers, interval=point.interval))
    for one in series.excluded:
        record = records.get(_key(one), Record("", 0, None, series.kind))
        found.append(_dot(one, record, numbers, why=one.why))
    return tuple(sorted(found, key=lambda dot: dot.number))


def _dot(
    one: Point | Excluded,
    record: Record,
    numbers: Mapping[Key, int],
    interval: tuple[float, float] | None = None,
    why: str = "",
) -> Dot:
    return Dot(
        number=numbers[_key(one)],
        reference=one.reference,
        datetime=one.datetime,
        commit=record.commit,
        n=record.n,
        mean=record.mean,
        interval=interval,
        kind=record.kind or UNKNOWN_KIND,
        why=why,
    )


def _key(one: Point | Excluded) -> Key:
    return one.datetime, one.reference
