"""The published methods that figures are judged by: interval of a mean, pooled noise, F-test, Holm, power."""

from __future__ import annotations

import functools
import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import mul

# scipy takes half a second to import, and only what has two or more repeats needs it: each function that
# does imports it itself.

POWER = 0.80  # Cohen's convention
MOST_REPEATS = 1000
TWO_SIGMA = 0.97725  # of a normal distribution lies below two standard deviations
LAGS = 60
LEAST_CORRELATION = 0.05


def confidence_interval(values: Sequence[float], level: float = 0.95) -> tuple[float, float] | None:
    """Return the two-sided interval of the mean by Student's t with n - 1 degrees of freedom; None for n < 2.

    Student (1908), "The probable error of a mean", Biometrika 6(1). One repeat says nothing about the spread,
    hence None and not an interval of width 0.
    """
    if len(values) < 2:
        return None
    from scipy.special import stdtrit

    centre = statistics.fmean(values)
    quantile = float(stdtrit(len(values) - 1, (1 + level) / 2))
    half = quantile * statistics.stdev(values) / math.sqrt(len(values))
    return centre - half, centre + half


def error_of_mean(series: Sequence[float], number: int | None = None) -> float:
    """Return how far the mean of `number` successive values may be from what they are a sample of (95 %).

    t · sqrt(variance / n · τ), where τ = 1 + 2 · Σ autocorrelation, over the lags until it falls below 0.05
    (at most a quarter of the series, and 60), is by how much fewer the independent values are: the integrated
    autocorrelation time (Sokal, "Monte Carlo methods in statistical mechanics", 1997). t is Student's for as
    many independent values, and 2 for many.

    Args:
        series: values in the order of time that the variance and τ are taken from.
        number: of how many the mean is; default: of all.

    >>> round(error_of_mean([1.0, -1.0] * 5000), 4)
    0.02
    """
    length = len(series)
    if length < 2:
        return 0.0
    mean = math.fsum(series) / length
    deviations = [value - mean for value in series]
    squares = sum(map(mul, deviations, deviations))
    if squares <= 0:
        return 0.0
    together = 1.0
    for lag in range(1, min(length // 4, LAGS) + 1):
        correlation = sum(map(mul, deviations, deviations[lag:])) / squares
        if correlation < LEAST_CORRELATION:
            break
        together += 2 * correlation
    from scipy.special import stdtrit

    quantile = float(stdtrit(max(1.0, length / together - 1), TWO_SIGMA))
    return quantile * math.sqrt(squares / length * together / (number or length))


def error_of_systematic_mean(series: Sequence[float], share: float = 0.0) -> float:
    """Return how far the mean of values taken at equal steps may be from that of all there was (95 %).

    Wolter (1984), "An investigation of some estimators of variance for systematic sampling", JASA 79:781, v4:
    from second differences, so that what changes slowly counts as seen. `share` is the part of all that the
    values cover.
    """
    length = len(series)
    if length < 3:
        return 0.0
    bends = (series[i] - 2 * series[i + 1] + series[i + 2] for i in range(length - 2))
    variance = sum(bend * bend for bend in bends) / (6 * (length - 2))
    return 2 * math.sqrt((1 - share) * variance / length)


@dataclass(frozen=True)
class Spread:
    """How repeats spread around their own mean: sum of squared deviations, and the degrees of freedom."""

    squares: float = 0.0
    freedom: int = 0

    @property
    def variance(self) -> float:
        """Return the variance of one value; there must be at least one degree of freedom."""
        return self.squares / self.freedom


def measure_spread(values: Sequence[float]) -> Spread:
    """Return the spread of repeats of the same thing; one value has none.

    >>> measure_spread([1.0, 2.0, 3.0])
    Spread(squares=2.0, freedom=2)
    """
    centre = sum(values) / len(values)
    return Spread(sum((value - centre) ** 2 for value in values), len(values) - 1)


def pool_spreads(spreads: Iterable[Spread]) -> Spread:
    """Add up the spreads of different things that are equally noisy."""
    parts = list(spreads)
    return Spread(sum(part.squares for part in parts), sum(part.freedom for part in parts))


def p_noisier(one: Spread, other: Spread) -> float:
    """Return the p-value of `one` being no noisier than `other`, by the F-test of two variances.

    1 where either has no degree of freedom: nothing is proven then.
    """
    from scipy.special import fdtrc

    if not one.freedom or not other.freedom or one.squares == 0.0:
        return 1.0
    if other.squares == 0.0:
        return 0.0
    return float(fdtrc(one.freedom, other.freedom, one.variance / other.variance))


def reject_by_holm(p_values: Sequence[float], level: float = 0.05) -> list[bool]:
    """Tell which hypotheses fall, so that one true one falls wrongly with a probability of at most `level`.

    S. Holm (1979), "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
    Statistics 6(2). Valid however the tests depend on each other. The smallest p-value must be at most
    level / m, the next level / (m - 1), and so on; the first that is not ends it.

    >>> reject_by_holm([0.01, 0.04, 0.03, 0.005])
    [True, False, False, True]
    """
    fell = [False] * len(p_values)
    left = len(p_values)
    for at in sorted(range(left), key=p_values.__getitem__):
        # Not a level divided by so many: 0.05 / 3 * 3 must fall at 0.05.
        if p_values[at] * left > level:
            break
        fell[at] = True
        left -= 1
    return fell


@functools.lru_cache(maxsize=1024)
def repeats_needed(noise: float, shift: float, level: float, cases: int) -> int | None:
    """Return how many repeats a side find a shift with 80 % power; None if more than 1000.

    The statistic of a shifted sample follows Student's noncentral t. The noise is pooled over the cases,
    which gives it cases * (2 n - 2) degrees of freedom.

    Args:
        noise: standard deviation of one repeat.
        shift: what is to be found, in the unit of `noise`, above 0.
        level: of the one-sided test.
        cases: how many cases share the noise.

    Cohen's table 2.4.1 (Statistical Power Analysis, 2nd edition 1988): half a deviation takes 64 a side.

    >>> repeats_needed(1.0, 0.5, 0.025, 1)
    64
    """
    low, high = 2, MOST_REPEATS
    if power(noise, shift, level, cases, high) < POWER:
        return None
    while low < high:
        middle = (low + high) // 2
        if power(noise, shift, level, cases, middle) < POWER:
            low = middle + 1
        else:
            high = middle
    return low


def power(noise: float, shift: float, level: float, cases: int, repeats: int) -> float:
    """Return the probability that a one-sided t-test of `repeats` against `repeats` finds the shift."""
    from scipy.special import nctdtr, stdtrit

    freedom = cases * (2 * repeats - 2)
    critical = stdtrit(freedom, 1 - level)
    if noise == 0.0:
        return 1.0
    return float(1 - nctdtr(freedom, shift / (noise * math.sqrt(2 / repeats)), critical))
