"""Histories as CSV that Apache Otava's importer reads: time, commit, and a column per case."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from energy.analysis.history.series import Point, Series


def table(cases: Sequence[Series]) -> tuple[str, int]:
    """Return the CSV of some cases of one machine, and how many runs it leaves out.

    Otava refuses an empty cell, so a run in which one of the cases does not count has no line.
    """
    columns = {_title(series, cases): {point.reference: point for point in series.points} for series in cases}
    runs = {point.reference: point for series in cases for point in series.points}
    whole = [run for run in runs.values() if all(run.reference in own for own in columns.values())]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["time", "commit", *columns])
    for run in sorted(whole, key=_when):
        writer.writerow([run.datetime, run.commit, *(own[run.reference].mean for own in columns.values())])
    return text.getvalue(), len(runs) - len(whole)


def _title(series: Series, cases: Sequence[Series]) -> str:
    """Name a column by its case, and by its task where there are several."""
    name = f"{series.case}.{series.metric}"
    return name if len({one.task for one in cases}) == 1 else f"{series.task}.{name}"


def _when(point: Point) -> tuple[str, str]:
    return point.datetime, point.reference
