"""The history of cases, from the figures of stored runs: levels, and where they changed.

What all cases of a run have in common is taken out first and is a series of its own: a new driver or a warm
room is one event, not one per case. A case then changed where its own level did. Points are cut where the
hardware, software, data or case key changes, since across a cut something else was measured.

The price of a change (`potts.price`) supposes noise without memory. A level that wanders from day to day has
one, and shows as changes that come and go; the series of the session shift is where to look first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from energy.analysis.history import levels
from energy.analysis.history.matrix import ABSENT, Conditions, Matrix, Numbers, build_matrix
from energy.analysis.history.potts import PointNoise
from energy.analysis.history.series import Cut, Excluded, Point, Series
from energy.analysis.history.session_shift import (
    LEAST_CASES,
    LEAST_POINTS,
    Polished,
    count_searched,
    find_stretches,
    number_machine_eras,
    take_out_shift,
)
from energy.records.summary import Column, RunSummary


def build_histories(
    columns: Iterable[Column], metric: str, wanted: Callable[[str, str], bool] | None = None
) -> Iterator[Series]:
    """Yield the history of what all cases have in common, then those of the cases, by name.

    Args:
        columns: that metric of all cases of each run of one machine.
        metric: its name.
        wanted: is asked, with name and task, which cases are; None: all.

    Raises:
        ValueError: no such metric, or runs of several machines.
    """
    found = take_out_shift(build_matrix(columns, metric))
    yield _make_shift_series(found)
    for identity, row in sorted((identity, row) for row, identity in enumerate(found.matrix.cases)):
        if wanted is None or wanted(*identity):
            yield _make_series(found, row)


def _make_series(found: Polished, row: int) -> Series:
    matrix = found.matrix
    places = find_stretches(matrix.why[row] == 0, found.eras[row])
    conditions = [matrix.conditions[matrix.under[row, own[0]]] for own in places]
    repeats = matrix.counts[row].astype(float)
    segments = levels.find_levels(places, found.centred[row], repeats, found.noise, found.tests)
    case, task = matrix.cases[row]
    return Series(
        fingerprint=str(matrix.runs[0].fingerprint),
        case=case,
        task=task,
        metric=matrix.metric,
        relative=matrix.relative,
        points=_make_points(found, row, places),
        cuts=_find_cuts(conditions, places),
        levels=levels.as_levels(segments, matrix),
        changes=levels.as_changes(segments, matrix),
        excluded=_list_excluded(matrix, row),
        noise=_find_point_noise(found.noise, matrix.counts[row]),
        unsearched=_explain_unsearched(places),
        kind=conditions[-1].kind if conditions else None,
    )


def _make_shift_series(found: Polished) -> Series:
    """Return the series of what all cases have in common; cut where the machine's own keys change."""
    import numpy as np

    matrix = found.matrix
    conditions, eras = number_machine_eras(matrix)
    places = find_stretches(found.told, eras)
    ones = np.ones(len(matrix.runs))
    noise = levels.find_noise(places, found.shifts, ones)
    segments = levels.find_levels(places, found.shifts, ones, noise, count_searched(places))
    few = f"fewer than {LEAST_CASES} cases that count"
    return Series(
        fingerprint=str(matrix.runs[0].fingerprint) if matrix.runs else "",
        case=None,
        task="",
        metric=matrix.metric,
        relative=matrix.relative,
        points=tuple(_make_shift_point(found, place) for own in places for place in own.tolist()),
        cuts=_find_cuts([conditions[own[0]] for own in places], places),
        levels=levels.as_levels(segments, matrix),
        changes=levels.as_changes(segments, matrix),
        excluded=tuple(
            Excluded(run.reference, run.datetime, few)
            for run, told in zip(matrix.runs, found.told, strict=True)
            if not told
        ),
        noise=None if noise is None else noise.deviation,
        unsearched=_explain_unsearched(places),
    )


def _make_points(found: Polished, row: int, places: Sequence[Numbers]) -> tuple[Point, ...]:
    matrix = found.matrix
    at = [place for own in places for place in own.tolist()]
    columns = (matrix.counts[row], matrix.means[row], matrix.halves[row], found.shifts)
    figures = zip(at, *(column[at].tolist() for column in columns), strict=True)
    return tuple(_make_point(matrix.runs[place], *figure) for place, *figure in figures)


def _make_point(run: RunSummary, n: int, mean: float, half: float, shift: float) -> Point:
    interval = None if math.isnan(half) else (mean - half, mean + half)
    return Point(run.reference, run.datetime, run.commit, n, mean, interval, shift)


def _make_shift_point(found: Polished, place: int) -> Point:
    """Return the shift of a run as people read it, relative where changes are."""
    run, shift = found.matrix.runs[place], float(found.shifts[place])
    cases = int((found.matrix.why[:, place] == 0).sum())
    change = math.expm1(shift) if found.matrix.relative else shift
    return Point(run.reference, run.datetime, run.commit, cases, change, None, shift)


def _find_point_noise(noise: PointNoise | None, repeats: Numbers) -> float | None:
    """Return the noise of a mean of as many repeats as are usual."""
    import numpy as np

    known = repeats[repeats > 0]
    return None if noise is None or not len(known) else noise.deviation / math.sqrt(float(np.median(known)))


def _find_cuts(conditions: Sequence[Conditions], places: Sequence[Numbers]) -> tuple[Cut, ...]:
    """Name what changed between stretches."""
    cuts, begin = [], 0
    for own, before, after in zip(places, conditions, conditions[1:], strict=False):
        begin += len(own)
        cuts.append(Cut(begin, before.differing(after)))
    return tuple(cuts)


def _list_excluded(matrix: Matrix, row: int) -> tuple[Excluded, ...]:
    """List the records of a case that do not count; that a run does not have the case is no exclusion."""
    reasons = ((run, matrix.reasons[why]) for run, why in zip(matrix.runs, matrix.why[row], strict=True))
    return tuple(
        Excluded(run.reference, run.datetime, why) for run, why in reasons if why not in ("", ABSENT)
    )


def _explain_unsearched(places: Sequence[Any]) -> str:
    """Say why no change was looked for anywhere."""
    if count_searched(places):
        return ""
    most = max(map(len, places), default=0)
    points = f"{most} point{'' if most == 1 else 's'}"
    between = f"at most {points} between cuts" if len(places) > 1 else points
    return f"{between}; changes are looked for among {LEAST_POINTS} or more"
