"""The history that charts show: total kJ of each case over the finished runs of a machine.

Also what a record says that does not count, so that a chart can show it as such.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from energy.analysis.history import Series, build_histories
from energy.records.storage.gather import FoundRun
from energy.records.summary import CaseSummary, RunSummary, summarise_run, take_column

METRIC = "total_kj"
LEAST_POINTS = 2

Key = tuple[str, str]  # date and name of a run, which also tell it from a copy that was measured anew


@dataclass(frozen=True)
class Record:
    """What one run says of a case, whether that counts or not.

    Args:
        commit: what it was made from.
        n: repeats.
        mean: of the repeats, in the metric's unit; None if it is unknown.
        kind: how the joules were got: measured, modelled, mixed; None if not at all.
    """

    commit: str
    n: int
    mean: float | None
    kind: str | None


@dataclass(frozen=True, kw_only=True)
class Past(Series):
    """A series with the records behind it, those that do not count included."""

    records: Mapping[Key, Record] = field(default_factory=dict)


def series(found: Sequence[FoundRun]) -> tuple[Series, ...]:
    """Return, machine by machine, what all cases have in common and each case, if several runs have it.

    The first of a machine names all of its runs, as points or as what does not count.
    """
    by_machine: dict[str, list[RunSummary]] = {}
    for run in found:
        if run.finished and "energy" in run.data:
            told = summarise_run(run.data, run.path)
            by_machine.setdefault(str(told.fingerprint), []).append(told)
    return tuple(
        one for runs in by_machine.values() if len(runs) >= LEAST_POINTS for one in _of_machine(runs)
    )


def _of_machine(runs: Sequence[RunSummary]) -> Iterator[Series]:
    ordered = sorted(runs, key=lambda run: run.datetime)
    by_case: dict[tuple[str, str], dict[Key, Record]] = {}
    for run in ordered:
        for case in run.cases:
            records = by_case.setdefault(case.identity, {})
            records[run.datetime, run.reference] = _record(run, case)
    for one in build_histories([take_column(run, METRIC) for run in ordered], METRIC):
        if one.case is None:
            yield one
        elif len(one.points) >= LEAST_POINTS:
            yield Past(**vars(one), records=by_case[one.case, one.task])


def _record(run: RunSummary, case: CaseSummary) -> Record:
    values = case.values.get(METRIC, ())
    known = [value for value in values if value is not None]
    mean = fmean(known) if known and len(known) == len(values) else None
    return Record(run.commit, len(values), mean, case.kind)
