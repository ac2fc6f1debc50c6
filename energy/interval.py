"""The mean of a few repeats and its confidence interval."""

import math
import statistics
from collections.abc import Sequence


def mean(values: Sequence[float]) -> float:
    """Return the arithmetic mean of at least one value."""
    return statistics.fmean(values)


def confidence_interval(values: Sequence[float], level: float = 0.95) -> tuple[float, float] | None:
    """Return the two-sided interval of the mean by Student's t with n - 1 degrees of freedom; None for n < 2.

    Student (1908), "The probable error of a mean", Biometrika 6(1). One repeat says nothing about the spread,
    hence None and not an interval of width 0.
    """
    if len(values) < 2:
        return None
    # Half a second to import, and only a case with two or more seeds needs it.
    from scipy.special import stdtrit

    centre = mean(values)
    quantile = float(stdtrit(len(values) - 1, (1 + level) / 2))
    half = quantile * statistics.stdev(values) / math.sqrt(len(values))
    return centre - half, centre + half
