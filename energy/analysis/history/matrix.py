"""One metric of one machine as a matrix, a row per case and a column per run, on the scale of its noise.

Noise is relative, so the scale is the logarithm; of Dice and what may be 0 it is the value itself, as in
`energy/analysis/compare/values.py`.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from energy.analysis.compare.values import ABSOLUTE, BY_SEED
from energy.records.metrics import METRICS
from energy.records.summary import CaseSummary, Column, RunSummary
from energy.text import explain_unknown

if TYPE_CHECKING:
    import numpy as np


CONFIDENCE = 0.95
GOOD = ""
ABSENT = "not in this run"
OTHERS = ("kind", "boundary", "sources", "seeds")  # than keys


@dataclass(frozen=True)
class Conditions:
    """What a figure was measured under; other conditions begin another series.

    The seeds belong to it where the metric depends on them: another seed is another Dice.
    """

    keys: Mapping[str, str]
    kind: str | None
    sources: tuple[str, ...]
    seeds: tuple[int, ...] = ()
    boundary: str | None = None

    def differing(self, other: Conditions) -> tuple[str, ...]:
        """Name what differs: a key, kind, boundary, sources or seeds."""
        names = dict.fromkeys([*self.keys, *other.keys])
        keys = [name for name in names if self.keys.get(name) != other.keys.get(name)]
        rest = [name for name in OTHERS if getattr(self, name) != getattr(other, name)]
        return (*keys, *rest)


@dataclass(frozen=True)
class Matrix:
    """One metric of all cases (rows) in all runs (columns, oldest first) of one machine.

    Args:
        metric: its name.
        runs: their cases may be left out.
        cases: name and task of each row.
        conditions: those that occur; `under` points to them.
        reasons: why a record does not count; `why` points to them, 0 where it does.
        means: of the repeats, in the metric's unit; NaN where unknown.
        halves: half of the 95 % interval of the mean; NaN with one repeat.
        counts: number of repeats.
        under: which conditions; -1 where there is no record.
        why: which reason.
    """

    metric: str
    runs: tuple[RunSummary, ...]
    cases: tuple[tuple[str, str], ...]
    conditions: tuple[Conditions, ...]
    reasons: tuple[str, ...]
    means: Numbers
    halves: Numbers
    counts: Numbers
    under: Numbers
    why: Numbers

    @property
    def relative(self) -> bool:
        """Whether changes are relative, and the scale is the logarithm."""
        return self.metric not in ABSOLUTE

    def values(self) -> Numbers:
        """Return the means on the scale; NaN where a record does not count."""
        import numpy as np

        good = np.where(self.why == 0, self.means, np.nan)
        return np.log(good) if self.relative else good


@dataclass
class _Index:
    """Numbers the cases, conditions and reasons as they come."""

    metric: str
    cases: dict[tuple[str, str], int] = field(default_factory=dict)
    conditions: list[Conditions] = field(default_factory=list)
    reasons: dict[str, int] = field(default_factory=lambda: {GOOD: 0})
    kinds: list[tuple[int, int, int]] = field(default_factory=list)
    _numbers: dict[str, int] = field(default_factory=dict)
    _seen: dict[int, tuple[int, CaseSummary]] = field(default_factory=dict)

    def kind(self, case: CaseSummary) -> int:
        """Return the number, in `kinds`, of a case's row, conditions and reason."""
        known = self._seen.get(id(case))
        if known is None:
            # The case is kept, so that no other one gets its id.
            known = self._seen[id(case)] = (len(self.kinds), case)
            row = self.cases.setdefault(case.identity, len(self.cases))
            self.kinds.append((row, self._condition(case), self.reason(_find_objection(case))))
        return known[0]

    def reason(self, text: str) -> int:
        """Return the number of a reason."""
        return self.reasons.setdefault(text, len(self.reasons))

    def _condition(self, case: CaseSummary) -> int:
        seeds = tuple(sorted(set(case.seeds))) if self.metric in BY_SEED else ()
        name = repr((sorted(case.keys.items()), case.kind, case.boundary, case.sources, seeds))
        if name not in self._numbers:
            self._numbers[name] = len(self.conditions)
            self.conditions.append(Conditions(case.keys, case.kind, case.sources, seeds, case.boundary))
        return self._numbers[name]


def build_matrix(columns: Iterable[Column], metric: str) -> Matrix:
    """Return the matrix of one metric of one machine.

    Raises:
        ValueError: there is no such metric, or the runs are of several machines.
    """
    import numpy as np

    if metric not in METRICS:
        raise ValueError(explain_unknown("metric", metric, METRICS))
    ordered = sorted(columns, key=lambda column: _when(column.run))
    _refuse_several([column.run for column in ordered])
    index = _Index(metric)
    found = [np.fromiter(map(index.kind, one.cases), int, len(one.cases)) for one in ordered]
    kinds = np.array(index.kinds, int).reshape(-1, 3)
    shape = (len(index.cases), len(ordered))
    means, halves, counts = np.full(shape, np.nan), np.full(shape, np.nan), np.zeros(shape, int)
    under, why = np.full(shape, -1), np.full(shape, index.reason(ABSENT))
    for place, (column, numbers) in enumerate(zip(ordered, found, strict=True)):
        rows, conditions, reasons = kinds[numbers].T
        under[rows, place], why[rows, place] = conditions, reasons
        counts[rows, place], means[rows, place], halves[rows, place] = _find_means(column)
        if column.run.dirty:
            _exclude(why[:, place], True, index.reason("made from changes that were not committed"))
    _exclude(why, counts == 0, index.reason(f"has no {metric}"))
    _exclude(why, np.isnan(means), index.reason(f"{metric} is unknown"))
    if metric not in ABSOLUTE:
        _exclude(why, means <= 0, index.reason(f"{metric} is not above 0, and changes of it are relative"))
    names = tuple(index.cases), tuple(index.conditions), tuple(index.reasons)
    return Matrix(metric, tuple(column.run for column in ordered), *names, means, halves, counts, under, why)


def _refuse_several(runs: Sequence[RunSummary]) -> None:
    machines = sorted({str(run.fingerprint) for run in runs})
    if len(machines) > 1:
        raise ValueError(f"runs of several machines: {', '.join(machines)}; a history is that of one")


def _find_objection(case: CaseSummary) -> str:
    """Say what speaks against a record, whatever its figures are."""
    if case.status != "ok":
        return case.status
    return f"invalid: {', '.join(case.invalid)}" if case.invalid else GOOD


def _exclude(why: Numbers, where: Any, reason: int) -> None:
    """Give a reason where there is none yet."""
    why[(why == 0) & where] = reason


def _find_means(column: Column) -> tuple[Numbers, Numbers, Numbers]:
    """Return number of repeats, mean, and half of its 95 % interval of each case, as `energy.statistics`."""
    import numpy as np
    from scipy.special import stdtrit

    counts = np.frombuffer(column.counts, np.uint32).astype(int)
    values = np.frombuffer(column.values, float)
    means, halves = np.full(len(counts), np.nan), np.full(len(counts), np.nan)
    some = counts > 0
    if some.any():
        starts = (np.cumsum(counts) - counts)[some]
        n = counts[some]
        means[some] = np.add.reduceat(values, starts) / n
        squares = np.add.reduceat((values - np.repeat(means[some], n)) ** 2, starts)
        with np.errstate(divide="ignore", invalid="ignore"):
            halves[some] = stdtrit(n - 1.0, (1 + CONFIDENCE) / 2) * np.sqrt(squares / (n - 1) / n)
    return counts, means, halves


def _when(run: RunSummary) -> tuple[float, str]:
    """Return when a run was stored, to sort by; a date that cannot be read comes first."""
    try:
        date = datetime.datetime.fromisoformat(run.datetime)
    except ValueError:
        return float("-inf"), run.reference
    in_zone = date if date.tzinfo else date.replace(tzinfo=datetime.UTC)
    return in_zone.timestamp(), run.reference


Numbers: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"
