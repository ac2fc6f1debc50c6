"""What is found out of all cases of a machine together: what they have in common, and how noisy they are."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from energy.analysis.history import potts
from energy.analysis.history.arrays import Numbers
from energy.analysis.history.matrix import Conditions, Matrix
from energy.analysis.history.potts import Noise
from energy.analysis.history.shift import LEAST_CASES, common

LEAST_POINTS = 10  # of fewer, hardly any change can be told from noise


@dataclass(frozen=True)
class Study:
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
    noise: Noise | None
    tests: int


def of_matrix(matrix: Matrix) -> Study:
    """Take out what the cases of each run have in common, and pool the noise of the rest."""
    import numpy as np

    values, eras = matrix.values(), _eras(matrix)
    shifts = common(values, eras)
    centred = values - shifts
    differences, tests = [], 0
    for row in range(len(values)):
        for places in stretches(matrix.why[row] == 0, eras[row]):
            differences.append(
                potts.differences(centred[row, places], matrix.counts[row, places].astype(float))
            )
            tests += searched([places])
    told = np.sum(~np.isnan(values), axis=0) >= LEAST_CASES
    return Study(matrix, shifts, told, centred, eras, potts.noise(differences), tests)


def searched(parts: Sequence[Numbers]) -> int:
    """Return the number of points in stretches that are long enough to be searched."""
    return sum(len(places) for places in parts if len(places) >= LEAST_POINTS)


def stretches(counting: Numbers, eras: Numbers) -> list[Numbers]:
    """Return the places of the points of each era.

    >>> import numpy as np
    >>> counting = np.array([True, False, True, True])
    >>> [part.tolist() for part in stretches(counting, np.array([0, 0, 0, 1]))]
    [[0, 2], [3]]
    """
    import numpy as np

    places = np.flatnonzero(counting)
    parts = np.split(places, np.flatnonzero(np.diff(eras[places])) + 1)
    return [part for part in parts if len(part)]


def machine_eras(matrix: Matrix) -> tuple[list[Conditions], Numbers]:
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


def _eras(matrix: Matrix) -> Numbers:
    """Number the stretches of equal conditions of each case, by the records that count."""
    import numpy as np

    eras = np.zeros(matrix.under.shape, int)
    for row, under in enumerate(matrix.under):
        counting = np.flatnonzero(matrix.why[row] == 0)
        eras[row, counting[1:]] = np.cumsum(np.diff(under[counting]) != 0)
    return eras
