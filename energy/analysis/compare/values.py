"""One metric of one case in both runs, on the scale on which noise is added up.

Energy, time and memory are compared as ratios: their noise is relative, so the statistics work on ln(value).
Dice is compared as a difference; so is what may be 0 or negative.

Training depends on its seed, and Dice strongly so: two seeds differ by more than most techniques do. Base and
head train with the same seeds, hence Dice is compared seed by seed, and what the seeds themselves do cancels.
Of folds, Dice is a volume's, and compared volume by volume: a hard one is hard for both.
The joules of a fixed number of epochs hardly depend on the seed; comparing them seed by seed would gain
nothing and would halve the degrees of freedom that the noise is estimated from.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from statistics import fmean
from types import MappingProxyType

from energy.analysis.compare.gate import Gate
from energy.analysis.compare.result import Verdict
from energy.records.metrics import METRICS
from energy.records.summary import CaseSummary, RunSummary
from energy.records.volumes import BY_VOLUME
from energy.statistics import Spread, measure_spread, pool_spreads
from energy.text import explain_unknown, list_few

Identity = tuple[str, str]  # a case's name and task
Repeat = tuple[int | str | None, float]  # its seed or its volume, and its value
OTHER_SEEDS, OTHER_VOLUMES = "no seed in common", "no volume in common"
MOST_NAMED = 6

MARGIN = 0.03  # a change of joules by less than 3 % is hardly worth a decision

# Compared as differences, each with the change that matters, in the metric's unit. A Dice of 0.01 is what
# the contract of this project gates on; NVML tells temperature in whole degrees at both ends of a window.
ABSOLUTE = MappingProxyType(
    {"dice": 0.01, "dice_slice": 0.01, "dice_batch": 0.01, "dice_loss_vs_unet_pct": 1.0, "temp_rise_c": 2.0}
)
# What depends on the seed.
BY_SEED = frozenset(
    {"dice", "dice_slice", "dice_batch", "dice_loss_vs_unet_pct", "dice_per_kj", "kj_to_dice"}
)
# The headline of each question: what did it cost, how good is it. kj_per_epoch, gpu_kj and the like are
# nearly the figure that total_kj is; to test all of them is to pay for one question several times.
COSTS = ("total_kj", "seconds")
QUALITY = "dice"
MOST_LOG = 709.0  # e**709 is the last whole power of e below the largest float


@dataclass(frozen=True)
class Scale:
    """How one metric is compared.

    Args:
        metric: its name.
        relative: ln(value) is compared, else the value.
        by_seed: it depends on the seed, so repeats are compared seed by seed.
        margin: the change that matters where no gate says so; relative, or in the metric's unit.
        worse: 1 if more is worse, -1 if less is.
    """

    metric: str
    relative: bool
    by_seed: bool
    margin: float
    worse: int

    def transformed(self, values: Sequence[float]) -> list[float]:
        """Return the values on the scale on which noise is added up."""
        return [math.log(value) for value in values] if self.relative else list(values)

    def change(self, transformed: float) -> float:
        """Return what people read of a difference on that scale: 0.05 for 5 % more, or the difference.

        Infinity where the ratio is more than a float can hold.
        """
        if not self.relative:
            return transformed
        return math.expm1(transformed) if transformed < MOST_LOG else math.inf

    def limit(self, gate: Gate | None, base_mean: float) -> float:
        """Return how much worse a case may get on that scale, above 0; infinity if no value is so bad.

        Args:
            gate: a relative or absolute limit; None: the margin.
            base_mean: the mean that the change begins at.
        """
        limit = self.margin if gate is None else gate.limit
        is_share = self.relative if gate is None else gate.kind == "relative"
        if not self.relative:
            return limit * abs(base_mean) if is_share else limit
        share = limit if is_share else limit / base_mean
        if self.worse > 0:
            return math.log1p(share)
        return -math.log1p(-share) if share < 1 else math.inf


def choose_scale(metric: str, margin: float = MARGIN) -> Scale:
    """Return how a metric is compared; `margin` is that of metrics compared as ratios.

    Raises:
        ValueError: there is no such metric, or neither more nor less of it is better.
    """
    if metric not in METRICS:
        raise ValueError(explain_unknown("metric", metric, METRICS))
    better = METRICS[metric].better
    if better is None:
        choices = ", ".join(name for name, known in METRICS.items() if known.better)
        raise ValueError(
            f"metric {metric} is a witness: neither more nor less of it is better; compare one of {choices}"
        )
    absolute = ABSOLUTE.get(metric)
    worse = 1 if better == "lower" else -1
    return Scale(metric, absolute is None, metric in BY_SEED, margin if absolute is None else absolute, worse)


def choose_metrics(base: RunSummary | None, head: RunSummary) -> tuple[str, ...]:
    """Return what is compared if nobody says: what the cases cost and, where they have one, their Dice.

    The cost is total_kj, or the wall time where no common case has a total.
    """
    runs = [head] if base is None else [base, head]
    cost = next((name for name in COSTS if all(_knows(run, name) for run in runs)), COSTS[-1])
    return (cost, QUALITY) if all(_knows(run, QUALITY) for run in runs) else (cost,)


def _knows(run: RunSummary, metric: str) -> bool:
    return any(find_known(case, metric) is not None for case in run.cases)


def find_known(case: CaseSummary | None, metric: str) -> tuple[float, ...] | None:
    """Return the values of a metric if all of them are known, else None.

    The mean of the repeats that happened to work is another figure than that of all.
    """
    values = () if case is None else case.values.get(metric, ())
    complete = tuple(value for value in values if value is not None)
    return complete if complete and len(complete) == len(values) else None


@dataclass(frozen=True)
class Pair:
    """Both sides are known, and can be compared.

    Args:
        base: values as measured, in the order of `head` where they are compared by seed.
        head: likewise.
        change: head - base on the metric's scale.
        factor: the variance of `change` in units of that of one value: 1/n + 1/m.
        spread: what the repeats tell of the noise of one value.
        by_seed: the repeats were compared seed by seed, or volume by volume.
        note: which seeds were compared, where base and head have others.
    """

    base: tuple[float, ...]
    head: tuple[float, ...]
    change: float
    factor: float
    spread: Spread
    by_seed: bool
    note: str = ""

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


def pair_values(
    scale: Scale, base: CaseSummary, head: CaseSummary, *, by_seed: bool = True
) -> Pair | Gap | None:
    """Return what a metric did from base to head; None where neither side knows it.

    Of other seeds, those are compared that both sides have. Without any, the repeats of both sides count as
    independent ones; of what depends on the seed each seed then counts once.

    Args:
        scale: how the metric is compared.
        base: the case in the base.
        head: the same case in the head.
        by_seed: compare seed by seed what depends on the seed, where that is possible.
    """
    before, after = find_known(base, scale.metric), find_known(head, scale.metric)
    if before is None or after is None:
        return _find_gap(scale.metric, base, head)
    if base.volumes and head.volumes and scale.metric in BY_VOLUME and set(base.seeds) != set(head.seeds):
        seeds = (list_few(list(map(str, dict.fromkeys(one.seeds))), MOST_NAMED) for one in (base, head))
        why = f"volumes are means over other seeds ({' against '.join(seeds)}): give both runs equal --seeds"
        return Gap(before, after, "inconclusive", why)
    early, late = _add_labels(base, scale.metric, before), _add_labels(head, scale.metric, after)
    own, others = ({label for label, _ in repeats if label is not None} for repeats in (early, late))
    common, note = own & others, describe_seeds(own, others)
    if common:
        early, late = ([one for one in repeats if one[0] in common] for repeats in (early, late))
    if scale.relative and min(value for _, value in (*early, *late)) <= 0:
        return _find_gap_of_ratio(scale.metric, _take_values(early), _take_values(late))
    if not scale.by_seed:
        return _pair_unpaired(scale, _take_values(early), _take_values(late), note)
    if not (common and by_seed) or _count_labels(early) != _count_labels(late):
        early, late = _average_by_label(early), _average_by_label(late)
    if common and by_seed:
        # Of equal seeds the first stays the first.
        early, late = (sorted(repeats, key=_order_repeats) for repeats in (early, late))
        return _pair_by_seed(scale, _take_values(early), _take_values(late), note)
    return _pair_unpaired(scale, _take_values(early), _take_values(late), note)


def describe_seeds(base: Collection[int | str], head: Collection[int | str]) -> str:
    """Say which seeds, or volumes, are compared where base and head have others; empty where they have none.

    >>> describe_seeds([0], [0, 1, 2]), describe_seeds([0], [1, 2]), describe_seeds([0, 1], [1, 0, 1])
    ('seeds 0 of 0, 1, 2', 'no seed in common', '')
    >>> describe_seeds(["vol1"], ["vol1", "vol2"])
    'volumes vol1 of vol1, vol2'
    """
    before, after = set(base), set(head)
    if not before or not after or before == after:
        return ""
    are_volumes = isinstance(next(iter(before)), str)
    if before.isdisjoint(after):
        return OTHER_VOLUMES if are_volumes else OTHER_SEEDS
    common, every = (
        list_few([str(one) for one in sorted(some, key=_order)], MOST_NAMED)
        for some in (before & after, before | after)
    )
    return f"{'volumes' if are_volumes else 'seeds'} {common} of {every}"


def _order(label: int | str | None) -> tuple[int, str]:
    """Return what sorts seeds as numbers, and volumes by their names."""
    return (label, "") if isinstance(label, int) else (0, label or "")


def _order_repeats(repeat: Repeat) -> tuple[int, str]:
    return _order(repeat[0])


def _count_labels(repeats: Sequence[Repeat]) -> Counter[int | str | None]:
    return Counter(label for label, _ in repeats)


def _find_gap(metric: str, base: CaseSummary, head: CaseSummary) -> Gap | None:
    before, after = find_known(base, metric), find_known(head, metric)
    if before is not None:
        return Gap(before, (), "invalid", f"{metric} is unknown in the head{_how_often(head, metric)}")
    if after is not None:
        return Gap((), after, "no-baseline", f"{metric} is unknown in the base{_how_often(base, metric)}")
    return None


def _how_often(case: CaseSummary, metric: str) -> str:
    values = case.values.get(metric, ())
    missing = sum(value is None for value in values)
    return f" in {missing} of {len(values)} repeats" if 0 < missing < len(values) else ""


def _find_gap_of_ratio(metric: str, before: tuple[float, ...], after: tuple[float, ...]) -> Gap:
    if before == after:
        return Gap(before, after, "unchanged", "the same figures on both sides")
    return Gap(
        before, after, "inconclusive", f"{metric} is 0 or less on one side, which has no ratio to the other"
    )


def _add_labels(case: CaseSummary, metric: str, values: tuple[float, ...]) -> list[Repeat]:
    """Return the values with the seed, or the volume, of each; without where not every one has one."""
    labels = case.pairs(metric)
    return list(zip(labels if len(labels) == len(values) else [None] * len(values), values, strict=True))


def _take_values(repeats: Sequence[Repeat]) -> tuple[float, ...]:
    return tuple(value for _, value in repeats)


def _average_by_label(repeats: Sequence[Repeat]) -> list[Repeat]:
    """Make the repeats of one seed one value: they do not tell how much another seed would differ."""
    own: dict[int | str | None, list[float]] = {}
    for label, value in repeats:
        own.setdefault(label, []).append(value)
    return list(repeats) if None in own else [(label, fmean(values)) for label, values in own.items()]


def _pair_by_seed(scale: Scale, before: tuple[float, ...], after: tuple[float, ...], note: str) -> Pair:
    """Compare seed by seed: a difference of two values varies twice as much as one value does."""
    both = zip(scale.transformed(after), scale.transformed(before), strict=True)
    differences = [late - early for late, early in both]
    found = measure_spread(differences)
    one_value = Spread(found.squares / 2, found.freedom)
    change = math.fsum(differences) / len(differences)
    return Pair(before, after, change, 2 / len(differences), one_value, by_seed=True, note=note)


def _pair_unpaired(scale: Scale, before: tuple[float, ...], after: tuple[float, ...], note: str) -> Pair:
    early, late = scale.transformed(before), scale.transformed(after)
    change = math.fsum(late) / len(late) - math.fsum(early) / len(early)
    spreads = pool_spreads([measure_spread(early), measure_spread(late)])
    return Pair(before, after, change, 1 / len(early) + 1 / len(late), spreads, by_seed=False, note=note)
