"""What repeated measurements say, with how sure that is, in words."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from scipy import stats


def mean_interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Return the lower end of the mean's 95 % interval (Student's t), the mean, and the upper end.

    >>> mean_interval([2.0, 2.0, 2.0])
    (2.0, 2.0, 2.0)
    """
    mean = statistics.fmean(values)
    half = float(stats.t.ppf(0.975, len(values) - 1) * stats.sem(values))
    return mean - half, mean, mean + half


def median_interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Return the lower end of the median's 95 % interval (by ranks), the median, and the upper end.

    Work that another program interrupts may take half as long again: a mean would be one of such accidents.

    >>> median_interval([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 90.0])
    (1.0, 4.0, 90.0)
    """
    ordered = sorted(values)
    rank = max(0, int(stats.binom.ppf(0.025, len(ordered), 0.5)) - 1)
    return ordered[rank], statistics.median(ordered), ordered[-1 - rank]


def share(shares: Sequence[float]) -> str:
    """Say a mean share of one core and its 95 % interval.

    >>> share([0.002, 0.002])
    '0.200 % of a core (0.200 to 0.200)'
    """
    low, mean, high = (100 * value for value in mean_interval(shares))
    return f"{mean:.3f} % of a core ({low:.3f} to {high:.3f})"


def ratio(logs: Sequence[float]) -> str:
    """Say the median ratio of pairs from their logarithms, its 95 % interval, and the spread.

    >>> ratio([0.0, 0.0, 0.0])
    '1.0000 (1.0000 to 1.0000); pairs 1.000 to 1.000'
    """
    low, middle, high = (math.exp(value) for value in median_interval(logs))
    pairs = f"pairs {math.exp(min(logs)):.3f} to {math.exp(max(logs)):.3f}"
    return f"{middle:.4f} ({low:.4f} to {high:.4f}); {pairs}"


def micros(seconds: Sequence[float]) -> str:
    """Say the median and what all but 1 % stay below.

    >>> micros([20e-6, 20e-6, 30e-6])
    '20.0 µs (99 % below 30.0 µs)'
    """
    slow = sorted(seconds)[math.ceil(0.99 * len(seconds)) - 1]
    return f"{1e6 * statistics.median(seconds):.1f} µs (99 % below {1e6 * slow:.1f} µs)"


def millis(seconds: Sequence[float]) -> str:
    """Say the median and the range.

    >>> millis([0.1, 0.12, 0.2])
    '120 ms (100 to 200 ms)'
    """
    middle, low, high = (round(1e3 * f(seconds)) for f in (statistics.median, min, max))
    return f"{middle} ms ({low} to {high} ms)"
