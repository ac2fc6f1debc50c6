"""What all cases of a session have in common: a warm room, a new driver, or a change in what they share.

Between two sessions everything may shift by a few per cent. Judged case by case that is an alarm in every
case; so the median of the cases' changes is taken out first and has a row and a verdict of its own. (A change
of the data loader looks the same: only a gate on the session finds it.) The median, because one case that
really changed must not drag along the others.

One or two cases have no such median: nobody can tell which of them moved.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence

from energy.analysis.compare import words
from energy.analysis.compare.gate import Gate
from energy.analysis.compare.noise import Noises
from energy.analysis.compare.result import Shift, Verdict
from energy.analysis.compare.values import Identity, Pair, Scale

LEAST_CASES = 3
CONFIDENCE = 0.95
SAME: tuple[Verdict, str] = ("unchanged", "the same figures on both sides")
# The variance of the median of k values is that of one times pi / (2 k), for large k (Kendall and Stuart, The
# Advanced Theory of Statistics 1, section 14.6). For few normal values it is less: 0.45 for k = 3, not 0.52.
MEDIAN_VARIANCE = math.pi / 2


def find_centre(pairs: Mapping[Identity, Pair]) -> float:
    """Return what the cases have in common on the metric's scale."""
    return statistics.median(pair.change for pair in pairs.values())


def change_variance(pair: Pair, share: float) -> float:
    """Return the variance of a case's change; `share` is the standard deviation of one value."""
    return pair.factor * share**2


def effect_variance(own: float, typical: float, cases: int) -> float:
    """Return the variance of a case's deviation from the median of so many cases.

    The median counts as if it came from other cases. It contains the case itself, so this is a little too
    much (by 9 % for 24 cases), and with few cases, where one that moved drags the median along, far too much.

    Args:
        own: variance of the case's change.
        typical: that of a usual case.
        cases: how many the median is taken from.
    """
    return own + typical * MEDIAN_VARIANCE / cases


def typical_variance(pairs: Mapping[Identity, Pair], noises: Noises) -> float | None:
    """Return the variance of a usual case's change; None where any case's noise is unknown."""
    found = [(pair, noises.find(case)) for case, pair in pairs.items()]
    known = [change_variance(pair, noise.share) for pair, noise in found if noise is not None]
    return statistics.median(known) if known and len(known) == len(found) else None


def find_shift(
    scale: Scale,
    pairs: Mapping[Identity, Pair],
    noises: Noises,
    gate: Gate | None = None,
    is_separable: bool = True,
) -> Shift:
    """Return the session's shift of a metric and its verdict; there must be at least one pair.

    Args:
        scale: of a metric that is compared as a ratio.
        pairs: by case, what both runs show.
        noises: how noisy the metric is.
        gate: a limit for the session; None: the margin is only for the verdict's word.
        is_separable: what the session did can be told from what the cases did.
    """
    changes = [pair.change for pair in pairs.values()]
    middle, count = statistics.median(changes), len(changes)
    bounds = _find_bounds(changes, pairs, noises) if is_separable else None
    if all(pair.is_same for pair in pairs.values()):
        verdict, why = SAME
    elif bounds is None:
        verdict, why = _explain_unknown(count, is_separable)
    else:
        verdict, why = _judge_shift(scale, middle, bounds, count, scale.limit(gate, 1.0))
    interval = None if bounds is None else (scale.change(bounds[0]), scale.change(bounds[1]))
    return Shift(scale.metric, scale.change(middle), interval, count, verdict, why, gate)


def _find_bounds(
    changes: Sequence[float], pairs: Mapping[Identity, Pair], noises: Noises
) -> tuple[float, float] | None:
    """Return the 95 % interval of the median: from the noise, else from the order of the cases themselves."""
    from scipy.special import stdtrit

    typical = typical_variance(pairs, noises)
    if typical is not None:
        common = noises.common or next(iter(noises.own.values()))
        half = stdtrit(common.freedom, (1 + CONFIDENCE) / 2) * math.sqrt(
            typical * MEDIAN_VARIANCE / len(changes)
        )
        middle = statistics.median(changes)
        return middle - float(half), middle + float(half)
    return _find_bounds_by_order(changes)


def _find_bounds_by_order(changes: Sequence[float]) -> tuple[float, float] | None:
    """Return the distribution-free interval of a median; None for fewer than 6 cases, which have none."""
    from scipy.stats import quantile_test

    found = quantile_test(changes, q=0, p=0.5).confidence_interval(CONFIDENCE)
    low, high = float(found.low), float(found.high)
    return None if math.isnan(low) or math.isnan(high) else (low, high)


def _judge_shift(
    scale: Scale, middle: float, bounds: tuple[float, float], count: int, limit: float
) -> tuple[Verdict, str]:
    limited = words.write_share(scale, limit)
    worst, best = _find_ends(scale, bounds)
    if best > 0 and scale.worse * middle > limit:
        return "regressed", f"all {count} cases together: more than {limited} worse"
    if worst < 0 and -scale.worse * middle > limit:
        return "improved", f"all {count} cases together: more than {limited} better"
    if worst > limit:
        return "inconclusive", f"may be worse by more than {limited}"
    return "unchanged", f"not worse by more than {limited}"


def _explain_unknown(count: int, is_separable: bool) -> tuple[Verdict, str]:
    """Say why nothing can be said."""
    counted = words.count_cases(count)
    if is_separable:
        return "inconclusive", f"{counted}, one repeat each, no noise known: no interval"
    return "inconclusive", f"{counted}: what the session did cannot be told from what the case did"


def _find_ends(scale: Scale, bounds: tuple[float, float]) -> tuple[float, float]:
    """Return how much worse it may be at most and at least."""
    low, high = bounds
    return (high, low) if scale.worse > 0 else (-low, -high)
