"""Histories as a person reads them in a terminal: a line per case, and the changes in words."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator, Sequence

from energy.analysis.compare import words
from energy.analysis.history.series import ChangePoint, Point, Series
from energy.records.metrics import METRICS
from energy.records.storage.runfile import shorten_commit
from energy.text import align_columns, format_number, format_plus_minus, list_few

BLOCKS = "▁▂▃▄▅▆▇█"
PLAIN = "_.-~=+*#"  # for a terminal that cannot write blocks
CUT = "|"
MOST_POINTS = 32
MOST_LISTED = 10
UNKNOWN = "–"
ALL = "all cases"


def format_histories(histories: Sequence[Series], blocks: str = BLOCKS) -> Iterator[str]:
    """Yield what to print of the histories of one machine: first that of the session shift, then the cases'.

    Args:
        histories: at least the first.
        blocks: eight characters, from low to high.
    """
    shift, *cases = histories
    yield _headline(shift, cases)
    yield ""
    rows = [_row(series, blocks) for series in (*cases, *([shift] if shift.points else []))]
    yield from align_columns([_titles(shift.metric), *rows])
    if shift.points:
        yield f"{ALL}: the session shift, which is taken out of the rows above"
    yield ""
    yield from _changes(histories)
    yield from _cuts(cases)
    yield from _excluded(cases)


def _headline(shift: Series, cases: Sequence[Series]) -> str:
    days = sorted(point.datetime[:10] for series in cases for point in series.points)
    runs = len({point.reference for series in cases for point in series.points})
    span = f", {days[0]} to {days[-1]}" if days else ""
    told = f"{runs} run{'' if runs == 1 else 's'}"
    return f"{shift.fingerprint}: {shift.metric} of {words.count_cases(len(cases))} in {told}{span}"


def _titles(metric: str) -> tuple[str, ...]:
    unit = METRICS[metric].unit
    return ("case", "runs", "n", f"newest{'' if unit == '1' else f' {unit}'}", "kind", "noise", "trend")


def _row(series: Series, blocks: str) -> tuple[str, ...]:
    name = _name(series)
    if series.task not in ("", "training", "function"):
        name = f"{name} ({series.task})"
    if not series.points:
        return (name, "0", *[UNKNOWN] * 5)
    newest = series.points[-1]
    mean = _change(newest.mean, series.relative) if series.case is None else _mean(newest)
    noise = UNKNOWN if series.noise is None else _noise(series.noise, series.relative)
    kind = series.kind or UNKNOWN
    runs = str(len(series.points))
    return (name, runs, str(newest.n), mean, kind, noise, _trend(series, blocks))


def _change(change: float, relative: bool) -> str:
    return f"{100 * change:+.1f} %" if relative else f"{change:+.3f}"


def _mean(point: Point) -> str:
    if point.interval is None:
        return format_number(point.mean)
    return format_plus_minus(point.mean, (point.interval[1] - point.interval[0]) / 2)


def _noise(noise: float, relative: bool) -> str:
    return f"±{100 * noise:.2g} %" if relative else f"±{noise:.2g}"


def _trend(series: Series, blocks: str) -> str:
    """Draw the newest points without the session shift; noise alone fills no more than half of the height."""
    first = max(0, len(series.points) - MOST_POINTS)
    heights = [_height(series, point) for point in series.points[first:]]
    low, high = min(heights), max(heights)
    spare = max(0.0, 12 * (series.noise or 0.0) - (high - low)) / 2
    low, high = low - spare, high + spare
    cuts = {cut.index for cut in series.cuts}
    drawn = (
        (CUT if place in cuts else "") + blocks[_step(height, low, high, len(blocks))]
        for place, height in enumerate(heights, first)
    )
    return "".join(drawn)


def _height(series: Series, point: Point) -> float:
    if series.case is None:
        return point.shift
    return (math.log(point.mean) if series.relative else point.mean) - point.shift


def _step(height: float, low: float, high: float, steps: int) -> int:
    if high <= low:
        return steps // 2
    return min(steps - 1, int(steps * (height - low) / (high - low)))


def _changes(histories: Sequence[Series]) -> Iterator[str]:
    found = [(series, change) for series in histories for change in series.changes]
    if found:
        yield "changes of level"
        yield from align_columns(
            [(f"  {_name(series)}", describe_change(series, change)) for series, change in found]
        )
        return
    searched = [series for series in histories[1:] if not series.unsearched]
    if searched:
        yield f"no change of level in {words.count_cases(len(searched))}"
    few = [series.unsearched for series in histories[1:] if series.unsearched]
    for why, count in Counter(few).items():
        yield f"not searched in {words.count_cases(count)}: {why}"


def describe_change(series: Series, change: ChangePoint) -> str:
    """Say what changed, since when, and on how many points that rests."""
    first = series.points[change.index]
    size = words.write_change(change.change, series.relative)
    verdict = {True: ", worse", False: ", better", None: ""}[change.worse]
    since = f"{shorten_commit({'id': first.commit})} ({first.datetime[:10]})"
    return f"{size} since {since}, {change.before} points before, {change.after} after{verdict}"


def _name(series: Series) -> str:
    return ALL if series.case is None else series.case


def _cuts(cases: Sequence[Series]) -> Iterator[str]:
    """Yield where another thing was measured, cases that share it together."""
    shared: Counter[tuple[str, str]] = Counter()
    for series in cases:
        for cut in series.cuts:
            first = series.points[cut.index]
            since = f"{shorten_commit({'id': first.commit})} ({first.datetime[:10]})"
            shared[since, ", ".join(cut.keys)] += 1
    if shared:
        yield f"cuts ({CUT}): what was measured before and after is not compared"
    for (since, keys), count in shared.items():
        yield f"  {keys} changed with {since} in {words.count_cases(count)}"


def _excluded(cases: Sequence[Series]) -> Iterator[str]:
    """Yield which records do not count, and why."""
    left = [(one.why, _name(series), one.reference) for series in cases for one in series.excluded]
    if left:
        yield f"not counted: {len(left)} record{'' if len(left) == 1 else 's'}"
    for why, entries in itertools.groupby(sorted(left), key=lambda entry: entry[0]):
        named = [f"{name} in {reference}" for _, name, reference in entries]
        hint = " (--json has all)" if len(named) > MOST_LISTED else ""
        yield f"  {why}: {list_few(named, MOST_LISTED)}{hint}"
