"""Where the level of a noisy series changes: least squares with a price per change (Potts functional).

The segmentation that costs least is found exactly, by dynamic programming (B. Jackson et al., An algorithm
for optimal partitioning of data on an interval, IEEE Signal Processing Letters 12, 2005, equation 4). The
package `ruptures` has no weights, and its PELT prunes segmentations with a least length that are the best
(its pull request 383); its exact search for a given number of changes is what the tests compare with.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from energy.analysis.history.matrix import Numbers

LEAST_SEGMENT = 2  # a single odd point is an outlier, not a level
GAUSSIAN_MAD = 0.6744897501960817  # median of |x| of a standard normal variable
# Degrees of freedom of the median of absolute differences of neighbours, per difference: 0.37 would be those
# of differences that share no point (F. R. Hampel 1974); these do. 3,000 random series gave 0.31 to 0.33.
EFFICIENCY = 0.32


def find_changes(values: Numbers, weights: Numbers, price: float) -> list[int]:
    """Return the first points of all levels but the first.

    Args:
        values: the series, (n,).
        weights: of each point, above 0, (n,); 1 / variance but for a common factor.
        price: what a change must save in weighted squares.

    >>> import numpy as np
    >>> find_changes(np.array([1.0, 1.1, 0.9, 1.0, 2.0, 2.1, 1.9]), np.ones(7), 0.1)
    [4]
    """
    import numpy as np

    total = np.concatenate([[0.0], np.cumsum(weights)])
    # Around its mean, or the squares of a long series far from 0 lose their digits.
    moment = np.concatenate([[0.0], np.cumsum(weights * (values - np.average(values, weights=weights)))])
    # Squares within a segment are those of its points, which are the same for all segmentations, minus this.
    best = np.full(len(values) + 1, np.inf)
    best[0] = 0.0
    begins = np.zeros(len(values) + 1, int)
    for stop in range(LEAST_SEGMENT, len(values) + 1):
        starts = slice(0, stop - LEAST_SEGMENT + 1)
        costs = moment[stop] - moment[starts]
        costs *= costs
        costs /= total[starts] - total[stop]
        costs += best[starts]
        begins[stop] = begin = costs.argmin()
        best[stop] = costs[begin] + price
    return _trace(begins)


def _trace(begins: Numbers) -> list[int]:
    """Follow the best segmentation from the end."""
    found = []
    begin = int(begins[-1])
    while begin > 0:
        found.append(begin)
        begin = int(begins[begin])
    return found[::-1]


def replace_outliers(values: Numbers, deviations: Numbers) -> Numbers:
    """Return the series with each point that lies apart replaced by the median of it and its neighbours.

    A step of two points or more stays as it is (F. R. Hampel's identifier with three points).

    Args:
        values: the series, (n,), n >= 3.
        deviations: how far a point may lie from the median of the three, (n,).
    """
    import numpy as np

    inner = np.median(np.stack([values[:-2], values[1:-1], values[2:]]), axis=0)
    medians = np.concatenate([inner[:1], inner, inner[-1:]])
    return np.where(np.abs(values - medians) > deviations, medians, values)


@dataclass(frozen=True)
class PointNoise:
    """Standard deviation of a point of weight 1 around its level, and the degrees of freedom behind it."""

    deviation: float
    freedom: float


def take_differences(values: Numbers, weights: Numbers) -> Numbers:
    """Return the absolute differences of neighbours, each as the deviation of one point of weight 1."""
    import numpy as np

    spread = np.sqrt(1 / weights[1:] + 1 / weights[:-1])
    found: Numbers = np.abs(np.diff(values)) / spread
    return found


def pool_differences(of_series: Sequence[Numbers]) -> PointNoise | None:
    """Return the noise that the differences of one or more series show; None without any difference.

    It is their median, which steps do not change. Its variance is that of a standard deviation of
    `EFFICIENCY` times as many degrees of freedom.
    """
    import numpy as np

    known = np.concatenate([*of_series, []])
    if not len(known):
        return None
    return PointNoise(float(np.median(known)) / GAUSSIAN_MAD, max(1.0, EFFICIENCY * len(known)))


def price_change(found: PointNoise, points: int, tests: int, false_alarms: float = 0.05) -> float:
    """Return what a change must save so that noise alone hardly ever seems one.

    It is the larger of two: that of the BIC (Y.-C. Yao, Statistics & Probability Letters 6, 1988), and the
    one by which all `tests` together give a false alarm in 5 % of histories (Bonferroni; what a false change
    saves, over the variance, is the square of Student's t).

    Args:
        found: the noise.
        points: of this series.
        tests: points of all series that are searched together.
        false_alarms: probability of one or more.
    """
    from scipy.special import stdtrit

    sure = float(stdtrit(found.freedom, false_alarms / tests / 2)) ** 2
    return found.deviation**2 * max(2 * math.log(points), sure)
