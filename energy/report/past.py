"""The history that charts show: total kJ of each case over the finished runs of a machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from energy import column, summary
from energy.gather import FoundRun
from energy.history import Series, histories
from energy.summary import RunSummary

METRIC = "total_kj"
LEAST_POINTS = 2


def series(found: Sequence[FoundRun]) -> tuple[Series, ...]:
    """Return, machine by machine, what all cases have in common and each case, if several runs have it."""
    by_machine: dict[str, list[RunSummary]] = {}
    for run in found:
        if run.finished and "energy" in run.data:
            told = summary.of_run(run.data, run.path)
            by_machine.setdefault(str(told.fingerprint), []).append(told)
    return tuple(
        one for runs in by_machine.values() if len(runs) >= LEAST_POINTS for one in _of_machine(runs)
    )


def _of_machine(runs: Sequence[RunSummary]) -> Iterator[Series]:
    columns = [column.of_run(run, METRIC) for run in sorted(runs, key=lambda run: run.datetime)]
    return (one for one in histories(columns, METRIC) if len(one.points) >= LEAST_POINTS)
