"""One metric of all cases of one run, side by side: what a look at many runs reads, and no more."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from energy.records.summary import CaseSummary, RunSummary, Values


@dataclass(frozen=True)
class Column:
    """One metric of one run.

    Args:
        run: the run; its cases may be left out.
        cases: one per case, in the file's order; their values may be left out.
        counts: how many values each case has; 0 where its record does not have the metric.
        values: those of all cases, one after the other, NaN where unknown.
    """

    run: RunSummary
    cases: Sequence[CaseSummary]
    counts: array[int]
    values: array[float]

    def per_case(self) -> Iterator[tuple[CaseSummary, Values]]:
        """Yield each case with its values; none where its record does not have the metric."""
        start = 0
        for case, count in zip(self.cases, self.counts, strict=True):
            yield case, unpacked(self.values[start : start + count])
            start += count


def of_run(run: RunSummary, metric: str) -> Column:
    """Return one metric of a run.

    >>> from pathlib import Path
    >>> run = RunSummary(Path(), "a/0001", "a", "", "c0ffee", False, True, (
    ...     CaseSummary("unet", "training", "ok", values={"total_kj": (1.5, None)}),
    ...     CaseSummary("cgnet", "training", "oom"),
    ... ))
    >>> [(case.case, values) for case, values in of_run(run, "total_kj").per_case()]
    [('unet', (1.5, None)), ('cgnet', ())]
    """
    values = [case.values.get(metric, ()) for case in run.cases]
    return Column(run, run.cases, *packed(values))


def packed(values: Sequence[Values]) -> tuple[array[int], array[float]]:
    """Return counts and values of all cases; an unknown value is NaN, which no record holds.

    Raises:
        ValueError: a number is too large for a float to hold it exactly.
    """
    numbers = array("d", (_number(value) for of_case in values for value in of_case))
    return array("I", map(len, values)), numbers


def unpacked(values: Sequence[float]) -> Values:
    """Return values as they were packed."""
    return tuple(None if math.isnan(value) else value for value in values)


def _number(value: float | None) -> float:
    if value is None:
        return math.nan
    if isinstance(value, int) and int(float(value)) != value:
        raise ValueError(f"{value} is no exact float")
    return value
