"""The levels of a series, stretch by stretch, and the changes between them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from energy.analysis.history import potts
from energy.analysis.history.matrix import Matrix, Numbers
from energy.analysis.history.potts import PointNoise
from energy.analysis.history.series import ChangePoint, Level
from energy.analysis.history.session_shift import LEAST_POINTS
from energy.records.metrics import METRICS

OUTLIER = 4.0  # deviations from its neighbours at which a single point says nothing of the level
PROVEN = 0.999
LEAST_NOISE = 1e-4  # a figure that repeats to the last digit still means nothing below this

Segment = tuple[int, int, float]


def find_levels(
    places: Sequence[Numbers], values: Numbers, weights: Numbers, noise: PointNoise | None, tests: int
) -> list[list[Segment]]:
    """Return the levels of each stretch: first point, first point after it, level on the scale.

    Args:
        places: of the points of each stretch.
        values: (runs,) on the scale of the noise.
        weights: (runs,) number of repeats.
        noise: of one repeat; None if unknown.
        tests: points that are searched in all series together.
    """
    return [_find_segments(values[own], weights[own], noise, tests) for own in places]


def find_noise(places: Sequence[Numbers], values: Numbers, weights: Numbers) -> PointNoise | None:
    """Return the noise within the stretches of one series; None if unknown."""
    return potts.pool_differences([potts.take_differences(values[own], weights[own]) for own in places])


def as_levels(found: Sequence[Sequence[Segment]], matrix: Matrix) -> tuple[Level, ...]:
    """Return the levels in the metric's unit, counted over all points of the series."""
    levels = []
    begin = 0
    for segments in found:
        for start, stop, level in segments:
            levels.append(Level(begin + start, begin + stop, math.exp(level) if matrix.relative else level))
        begin += segments[-1][1]
    return tuple(levels)


def as_changes(found: Sequence[Sequence[Segment]], matrix: Matrix) -> tuple[ChangePoint, ...]:
    """Return the changes between levels of one stretch."""
    changes = []
    begin = 0
    for segments in found:
        for (start, stop, level), (_, end, new) in itertools.pairwise(segments):
            change = math.expm1(new - level) if matrix.relative else new - level
            worse = _is_worse(matrix.metric, change)
            changes.append(ChangePoint(begin + stop, change, stop - start, end - stop, worse))
        begin += segments[-1][1]
    return tuple(changes)


def _find_segments(values: Numbers, weights: Numbers, noise: PointNoise | None, tests: int) -> list[Segment]:
    import numpy as np

    bounds = [0, len(values)]
    if noise is not None and len(values) >= LEAST_POINTS:
        judged_by = _choose_noise(
            noise, potts.pool_differences([potts.take_differences(values, weights)]) or noise
        )
        values = potts.replace_outliers(values, OUTLIER * judged_by.deviation / np.sqrt(weights))
        price = potts.price_change(judged_by, len(values), tests)
        bounds = [0, *potts.find_changes(values, weights, price), len(values)]
    return [
        (start, stop, float(np.average(values[start:stop], weights=weights[start:stop])))
        for start, stop in itertools.pairwise(bounds)
    ]


def _choose_noise(common: PointNoise, own: PointNoise) -> PointNoise:
    """Return the noise by which a series is judged: the common one, or its own where that is more.

    Among a few points any series may seem noisier by chance. One that an F test proves noisier stands for
    itself, with the few degrees of freedom that it has.
    """
    from scipy.special import fdtri

    proven = own.deviation**2 > fdtri(own.freedom, common.freedom, PROVEN) * common.deviation**2
    freedom = own.freedom if proven else common.freedom
    return PointNoise(max(common.deviation, own.deviation, LEAST_NOISE), freedom)


def _is_worse(metric: str, change: float) -> bool | None:
    better = METRICS[metric].better
    return None if better is None else (change > 0) == (better == "lower")
