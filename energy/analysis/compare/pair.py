"""One metric of one case in both runs, on the scale on which noise is added up."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

from energy.analysis.compare.outcome import Verdict
from energy.analysis.compare.scale import Scale, known
from energy.records.summary import CaseSummary
from energy.statistics import Spread, measure_spread, pool_spreads

Identity = tuple[str, str]  # a case's name and task


@dataclass(frozen=True)
class Pair:
    """Both sides are known, and can be compared.

    Args:
        base: values as measured, in the order of `head` where they are compared by seed.
        head: likewise.
        change: head - base on the metric's scale.
        factor: the variance of `change` in units of that of one value: 1/n + 1/m.
        spread: what the repeats tell of the noise of one value.
        by_seed: the repeats were compared seed by seed.
    """

    base: tuple[float, ...]
    head: tuple[float, ...]
    change: float
    factor: float
    spread: Spread
    by_seed: bool

    @property
    def is_same(self) -> bool:
        """Whether both sides show the very same figures."""
        return self.base == self.head


@dataclass(frozen=True)
class Gap:
    """The two sides cannot be compared; `why` says what is missing."""

    base: tuple[float, ...]
    head: tuple[float, ...]
    verdict: Verdict
    why: str


def of(scale: Scale, base: CaseSummary, head: CaseSummary) -> Pair | Gap | None:
    """Return what a metric did from base to head; None where neither side knows it."""
    before, after = known(base, scale.metric), known(head, scale.metric)
    if before is None or after is None:
        return _gap(scale.metric, base, head)
    if scale.relative and min(*before, *after) <= 0:
        if before == after:
            return Gap(before, after, "unchanged", "the same figures on both sides")
        why = f"{scale.metric} is 0 or less on one side, which has no ratio to the other"
        return Gap(before, after, "inconclusive", why)
    if scale.by_seed and _have_same_seeds(base, head, len(before), len(after)):
        before, after = _in_order(before, base.seeds), _in_order(after, head.seeds)
        return _by_seed(scale, before, after)
    return _unpaired(scale, before, after)


def _gap(metric: str, base: CaseSummary, head: CaseSummary) -> Gap | None:
    before, after = known(base, metric), known(head, metric)
    if before is not None:
        return Gap(before, (), "invalid", f"{metric} is unknown in the head{_how_often(head, metric)}")
    if after is not None:
        return Gap((), after, "no-baseline", f"{metric} is unknown in the base{_how_often(base, metric)}")
    return None


def _have_same_seeds(base: CaseSummary, head: CaseSummary, before: int, after: int) -> bool:
    """Tell whether every repeat of both sides has a seed, and the other side has it, too."""
    all_have = (len(base.seeds), len(head.seeds)) == (before, after)
    return all_have and Counter(base.seeds) == Counter(head.seeds)


def _how_often(case: CaseSummary, metric: str) -> str:
    values = case.values.get(metric, ())
    missing = sum(value is None for value in values)
    return f" in {missing} of {len(values)} repeats" if 0 < missing < len(values) else ""


def _in_order(values: tuple[float, ...], seeds: tuple[int, ...]) -> tuple[float, ...]:
    """Sort values by their seeds; of equal seeds the first stays the first."""
    return tuple(value for _, value in sorted(zip(seeds, values, strict=True), key=lambda both: both[0]))


def _by_seed(scale: Scale, before: tuple[float, ...], after: tuple[float, ...]) -> Pair:
    """Compare seed by seed: a difference of two values varies twice as much as one value does."""
    both = zip(scale.transformed(after), scale.transformed(before), strict=True)
    differences = [late - early for late, early in both]
    found = measure_spread(differences)
    one_value = Spread(found.squares / 2, found.freedom)
    change = math.fsum(differences) / len(differences)
    return Pair(before, after, change, 2 / len(differences), one_value, by_seed=True)


def _unpaired(scale: Scale, before: tuple[float, ...], after: tuple[float, ...]) -> Pair:
    early, late = scale.transformed(before), scale.transformed(after)
    change = math.fsum(late) / len(late) - math.fsum(early) / len(early)
    spreads = pool_spreads([measure_spread(early), measure_spread(late)])
    return Pair(before, after, change, 1 / len(early) + 1 / len(late), spreads, by_seed=False)
