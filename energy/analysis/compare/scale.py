"""How each metric is compared: as a ratio or as a difference, by seed or not, and what change matters.

Energy, time and memory are compared as ratios: their noise is relative, so the statistics work on ln(value).
Dice is compared as a difference; so is what may be 0 or negative.

Training depends on its seed, and Dice strongly so: two seeds differ by more than most techniques do. Base and
head train with the same seeds, hence Dice is compared seed by seed, and what the seeds themselves do cancels.
The joules of a fixed number of epochs hardly depend on the seed; comparing them seed by seed would gain
nothing and would halve the degrees of freedom that the noise is estimated from.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType

from energy.analysis.compare.gate import Gate
from energy.records.metrics import METRICS
from energy.records.summary import CaseSummary, RunSummary
from energy.text import explain_unknown

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
# nearly the figure that total_kj is; whoever tests all of them pays for one question several times.
COSTS = ("total_kj", "seconds")
QUALITY = "dice"


@dataclass(frozen=True)
class Scale:
    """How one metric is compared.

    Args:
        metric: its name.
        relative: ln(value) is compared, else the value.
        by_seed: repeats are compared seed by seed.
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


MOST_LOG = 709.0  # e**709 is the last whole power of e below the largest float


def of(metric: str, margin: float = MARGIN) -> Scale:
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


def default_metrics(base: RunSummary | None, head: RunSummary) -> tuple[str, ...]:
    """Return what is compared if nobody says: what the cases cost and, where they have one, their Dice.

    The cost is total_kj, or the wall time where no common case has a total.
    """
    runs = [head] if base is None else [base, head]
    cost = next((name for name in COSTS if all(_has(run, name) for run in runs)), COSTS[-1])
    return (cost, QUALITY) if all(_has(run, QUALITY) for run in runs) else (cost,)


def _has(run: RunSummary, metric: str) -> bool:
    return any(known(case, metric) is not None for case in run.cases)


def known(case: CaseSummary | None, metric: str) -> tuple[float, ...] | None:
    """Return the values of a metric if all of them are known, else None.

    The mean of the repeats that happened to work is another figure than that of all.
    """
    values = () if case is None else case.values.get(metric, ())
    complete = tuple(value for value in values if value is not None)
    return complete if complete and len(complete) == len(values) else None
