"""What all cases of a run have in common, against their own levels: driver, room, meter, common code."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from energy.analysis.history import potts
from energy.analysis.history.matrix import Conditions, Matrix, Numbers
from energy.analysis.history.potts import PointNoise

LEAST_POINTS = 10  # of fewer, hardly any change can be told from noise


@dataclass(frozen=True)
class Polished:
    """A matrix, and what its cases have in common.

    Args:
        matrix: the figures.
        shifts: of each run, (runs,).
        told: whether enough cases tell it; else it is 0.
        centred: values without the shift, (cases, runs).
        eras: numbers of the stretches of equal conditions of each case, (cases, runs).
        noise: that of one repeat, pooled over all cases; None if no case has two points.
        tests: points of all cases at which a change is looked for.
    """

    matrix: Matrix
    shifts: Numbers
    told: Numbers
    centred: Numbers
    eras: Numbers
    noise: PointNoise | None
    tests: int


def take_out_shift(matrix: Matrix) -> Polished:
    """Take out what the cases of each run have in common, and pool the noise of the rest."""
    import numpy as np

    values, eras = matrix.values(), _number_eras(matrix)
    shifts = polish_shifts(values, eras)
    centred = values - shifts
    differences, tests = [], 0
    for row in range(len(values)):
        for places in find_stretches(matrix.why[row] == 0, eras[row]):
            differences.append(
                potts.take_differences(centred[row, places], matrix.counts[row, places].astype(float))
            )
            tests += count_searched([places])
    told = np.sum(~np.isnan(values), axis=0) >= LEAST_CASES
    return Polished(matrix, shifts, told, centred, eras, potts.pool_differences(differences), tests)


def count_searched(parts: Sequence[Numbers]) -> int:
    """Return the number of points in stretches that are long enough to be searched."""
    return sum(len(places) for places in parts if len(places) >= LEAST_POINTS)


def find_stretches(counting: Numbers, eras: Numbers) -> list[Numbers]:
    """Return the places of the points of each era.

    >>> import numpy as np
    >>> counting = np.array([True, False, True, True])
    >>> [part.tolist() for part in find_stretches(counting, np.array([0, 0, 0, 1]))]
    [[0, 2], [3]]
    """
    import numpy as np

    places = np.flatnonzero(counting)
    parts = np.split(places, np.flatnonzero(np.diff(eras[places])) + 1)
    return [part for part in parts if len(part)]


def number_machine_eras(matrix: Matrix) -> tuple[list[Conditions], Numbers]:
    """Return hardware and software keys of each run, and the number of its stretch of equal ones.

    A run of cases with several software keys counts with that of its first case.
    """
    import numpy as np

    found: list[Conditions] = []
    for place in range(len(matrix.runs)):
        rows = np.flatnonzero(matrix.why[:, place] == 0)
        keys = matrix.conditions[matrix.under[rows[0], place]].keys if len(rows) else {}
        own = {name: keys[name] for name in ("hardware", "software") if name in keys}
        found.append(Conditions(own, None, ()) if own or not found else found[-1])
    new = [before != after for before, after in itertools.pairwise(found)]
    return found, np.cumsum([0, *new])[: len(found)]


def _number_eras(matrix: Matrix) -> Numbers:
    """Number the stretches of equal conditions of each case, by the records that count."""
    import numpy as np

    eras = np.zeros(matrix.under.shape, int)
    for row, under in enumerate(matrix.under):
        counting = np.flatnonzero(matrix.why[row] == 0)
        eras[row, counting[1:]] = np.cumsum(np.diff(under[counting]) != 0)
    return eras


LEAST_CASES = 5  # of three, one is the median itself, and what is left of its noise is 0
ROUNDS = 10
CLOSE = 1e-5


def polish_shifts(values: Numbers, eras: Numbers) -> Numbers:
    """Return the shift of each run, by median polish (J. W. Tukey, Exploratory Data Analysis, 1977, ch. 11).

    Args:
        values: (cases, runs) on the scale of the noise; NaN where a record does not count.
        eras: (cases, runs): numbers stretches of equal conditions within each case.

    Returns:
        (runs,); 0 where fewer than five cases tell.
    """
    import numpy as np

    told = np.sum(~np.isnan(values), axis=0) >= LEAST_CASES
    shift = np.zeros(values.shape[1])
    if not told.any():
        return shift
    for _ in range(ROUNDS):
        levels = _find_levels(values - shift, eras)
        step = np.zeros_like(shift)
        step[told] = np.nanmedian(values[:, told] - shift[told] - levels[:, told], axis=0)
        shift += step
        if np.max(np.abs(step)) < CLOSE:
            break
    return shift


def _find_levels(values: Numbers, eras: Numbers) -> Numbers:
    """Return the median of each case within each of its eras, at each of its places."""
    import numpy as np

    if not eras.any():  # one era each: all cases at once
        some = np.any(~np.isnan(values), axis=1)
        medians = np.full((len(values), 1), np.nan)
        medians[some, 0] = np.nanmedian(values[some], axis=1)
        return np.broadcast_to(medians, values.shape)
    levels = np.full(values.shape, np.nan)
    for row, own in enumerate(eras):
        known = ~np.isnan(values[row])
        for era in np.unique(own[known]):
            here = known & (own == era)
            levels[row, here] = np.median(values[row, here])
    return levels
