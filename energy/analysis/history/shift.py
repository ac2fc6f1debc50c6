"""What all cases of a run have in common, against their own levels: driver, room, meter, common code."""

from __future__ import annotations

from energy.analysis.history.arrays import Numbers

LEAST_CASES = 5  # of three, one is the median itself, and what is left of its noise is 0
ROUNDS = 10
CLOSE = 1e-5


def common(values: Numbers, eras: Numbers) -> Numbers:
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
        levels = _levels(values - shift, eras)
        step = np.zeros_like(shift)
        step[told] = np.nanmedian(values[:, told] - shift[told] - levels[:, told], axis=0)
        shift += step
        if np.max(np.abs(step)) < CLOSE:
            break
    return shift


def _levels(values: Numbers, eras: Numbers) -> Numbers:
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
