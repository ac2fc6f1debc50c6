"""A comparison as text: the verdict first, then the pairs, then why."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence

from energy.analysis.compare import words
from energy.analysis.compare.result import Change, Comparison, Noise, Row, Shift
from energy.records import provenance
from energy.records.metrics import METRICS
from energy.records.summary import RunSummary
from energy.report.terminal.table import TITLES, UNKNOWN, Notes
from energy.text import align_columns, column_widths, format_number

# Up to so many rows the unchanged ones are shown, too.
FEW = 20
# In the order of what a reader must know first; each with its word for several.
OUTCOMES = {
    "regressed": "regressions",
    "missing": "missing",
    "failed": "failed",
    "invalid": "invalid",
    "inconclusive": "inconclusive",
    "no-baseline": "no-baseline",
    "improved": "improved",
    "unchanged": "unchanged",
}


def format_comparison(comparison: Comparison, all_rows: bool = False, width: int = 120) -> str:
    """Return the pair table of a comparison, the verdict line before it and the reasons below.

    Args:
        comparison: what was found.
        all_rows: also the unchanged rows of a large comparison.
        width: characters in a line; a case's name is never cut, but gets a line of its own if it must.
    """
    notes = Notes()
    rows = shown(comparison, all_rows)
    tables = _tables(comparison, rows, notes, width)
    sentences = [*_sentences(comparison, len(rows)), *_numbered(notes)]
    wrapped = [textwrap.fill(line, width, subsequent_indent="    ") for line in sentences]
    head = [textwrap.fill(line, width) for line in (verdict_line(comparison), sides_line(comparison))]
    return "\n".join([*head, "", *tables, *wrapped]).rstrip()


def verdict_line(comparison: Comparison) -> str:
    """Return how many cases came out how, on what hardware, with how many repeats and what noise."""
    counts = Counter(outcome(row) for row in comparison.rows)
    told = [_counted(name, counts[name]) for name in OUTCOMES if counts[name]]
    about = [comparison.head.fingerprint or "unknown hardware", *_repeats(comparison), *noises(comparison)]
    return f"{', '.join(told) or 'no cases'} – {', '.join(about)}"


def sides_line(comparison: Comparison) -> str:
    """Return which run is compared with which."""
    base = "nothing" if comparison.base is None else _run(comparison.base)
    return f"base {base} → head {_run(comparison.head)}"


def outcome(row: Row) -> str:
    """Return the word for a row: what is wrong with the pair, or else its verdict."""
    return row.problem or row.verdict


def shown(comparison: Comparison, all_rows: bool) -> list[Row]:
    """Return the rows that a person wants to see: where there are many, not the unchanged ones."""
    if all_rows or len(comparison.rows) <= FEW:
        return list(comparison.rows)
    return [row for row in comparison.rows if outcome(row) != "unchanged"]


def noises(comparison: Comparison) -> Iterator[str]:
    """Yield the noise of each metric whose cases were judged."""
    for metric, noise in comparison.noise.items():
        if any(metric in row.changes for row in comparison.rows) and comparison.refused is None:
            yield f"noise of {metric} {noise_text(metric, noise, comparison)}"


def noise_text(metric: str, noise: Noise | None, comparison: Comparison) -> str:
    """Write the noise of one repeat: ±1.1 %, ±0.004 or unknown."""
    if noise is None:
        return "unknown"
    relative = any(row.changes[metric].relative for row in comparison.rows if metric in row.changes)
    size = 100 * noise.share if relative else noise.share
    return f"±{format_number(size, size)}{' %' if relative else ''}"


def _counted(name: str, count: int) -> str:
    return f"{count} {'regression' if (name, count) == ('regressed', 1) else OUTCOMES[name]}"


def _repeats(comparison: Comparison) -> Iterator[str]:
    """Yield n, as far as it is one figure."""
    changes = [change for row in comparison.rows for change in row.changes.values()]
    counts = {len(values) for change in changes for values in (change.base, change.head) if values}
    if counts:
        least, most = min(counts), max(counts)
        yield f"n = {least}" if least == most else f"n = {least} to {most}"


def _run(run: RunSummary) -> str:
    commit = run.commit[:8] + ("+dirty" if run.dirty else "")
    return f"{run.reference} ({', '.join(part for part in (run.datetime[:10], commit) if part)})"


def _tables(comparison: Comparison, rows: Sequence[Row], notes: Notes, width: int) -> list[str]:
    """Return the table; where the metrics do not fit beside each other, several below each other."""
    if not rows:
        return []
    groups = _groups(comparison, rows, comparison.metrics, width)
    blocks = [_aligned(_cells(comparison, rows, group, notes), width) for group in groups]
    return [line for block in blocks for line in (*block, "")]


def _groups(
    comparison: Comparison, rows: Sequence[Row], metrics: tuple[str, ...], width: int
) -> list[tuple[str, ...]]:
    lines = _aligned(_cells(comparison, rows, metrics, Notes()), width)
    if len(metrics) < 2 or max(map(len, lines[1:])) <= width:
        return [metrics]
    middle = len(metrics) // 2
    halves = (metrics[:middle], metrics[middle:])
    return [group for half in halves for group in _groups(comparison, rows, half, width)]


def metric_title(metric: str) -> str:
    """Return the title of a metric's column, with its unit."""
    unit = METRICS[metric].unit
    return TITLES.get(metric, metric if unit in ("1", "%") else f"{metric} ({unit})")


def _cells(
    comparison: Comparison, rows: Sequence[Row], metrics: Sequence[str], notes: Notes
) -> list[list[str]]:
    """Return title row, case rows and the row of the session."""
    title = ["case"]
    for metric in metrics:
        title += [metric_title(metric), "Δ [95 %]"]
    cells = [[*title, "verdict"], *(_row(row, metrics, notes) for row in rows)]
    shifts = {metric: comparison.shifts[metric] for metric in metrics if metric in comparison.shifts}
    if any(shift.interval is not None for shift in shifts.values()):
        cells.append(_session(shifts, metrics, notes))
    return cells


def _row(row: Row, metrics: Sequence[str], notes: Notes) -> list[str]:
    cells = [row.case]
    for metric in metrics:
        change = row.changes.get(metric)
        cells += [UNKNOWN, UNKNOWN] if change is None else [figures(change), _change(change, notes)]
    mark = f" {notes.mark(row.why)}" if row.why else ""
    return [*cells, f"{outcome(row)}{mark}"]


def figures(change: Change) -> str:
    """Write both sides of a change: 12.3 → 13.1."""
    both = (change.base_mean, change.head_mean)
    return " → ".join(UNKNOWN if mean is None else format_number(mean) for mean in both)


def _change(change: Change, notes: Notes) -> str:
    """Write a change; what is not unchanged has its reason below, and so has what looks too sure."""
    text = words.write_change(change.change, change.relative, change.interval)
    if change.verdict == "no-baseline" and change.change is not None:  # the row says why
        return text
    if change.verdict == "unchanged" and change.interval is not None:
        return text
    return f"{text} {notes.mark(f'{change.metric} {change.verdict}: {change.why}')}"


def _session(shifts: dict[str, Shift], metrics: Sequence[str], notes: Notes) -> list[str]:
    """Return the row of what all cases have in common."""
    cells = ["session (median)"]
    told = []
    for metric in metrics:
        shift = shifts.get(metric)
        if shift is None:
            cells += ["", ""]
            continue
        mark = notes.mark(f"session, {metric} {shift.verdict}: {shift.why}")
        cells += ["", f"{words.write_change(shift.change, True, shift.interval)} {mark}"]
        told.append(shift.verdict)
    return [*cells, next((word for word in OUTCOMES if word in told), "")]


def _aligned(cells: Sequence[Sequence[str]], width: int) -> list[str]:
    """Align the columns; where a line would be too long, each case's name gets a line of its own."""
    widths = column_widths(cells)
    if sum(widths) + 2 * (len(widths) - 1) <= width:
        lines = align_columns(cells)
    else:
        title, *body = align_columns([row[1:] for row in cells])
        named = zip((row[0] for row in cells[1:]), body, strict=True)
        lines = [f"case  {title}", *(line for name, text in named for line in (name, f"      {text}"))]
    return [lines[0], "-" * max(map(len, lines)), *lines[1:]]


def _sentences(comparison: Comparison, count: int) -> Iterator[str]:
    """Yield what the table means."""
    if hidden := len(comparison.rows) - count:
        yield f"{words.count_cases(hidden)} unchanged, not shown (compare --all shows them)"
    if comparison.refused:
        yield f"not judged: {comparison.refused}"
    elif comparison.base is None:
        yield "not judged: there is no base to compare with"
    else:
        yield from conditions(comparison)
    yield from (f"warning: {text}" for text in comparison.warnings)


def conditions(comparison: Comparison) -> Iterator[str]:
    """Yield what the figures of a comparison stand on: session, noise, how the joules were got."""
    metrics = {metric for row in comparison.rows for metric in row.changes}
    if any(comparison.shifts[metric].interval is not None for metric in metrics & set(comparison.shifts)):
        yield "Δ is as measured; a verdict is about what is left of it without the session's median"
    for metric, noise in comparison.noise.items():
        if noise is not None and metric in metrics:
            size = noise_text(metric, noise, comparison)
            yield f"noise of {metric}: {size} (standard deviation of one repeat), {noise.origin}"
    if any(METRICS[metric].unit in provenance.ENERGY_UNITS for metric in metrics):
        yield from _kinds(comparison)


def _kinds(comparison: Comparison) -> Iterator[str]:
    """Yield whether joules were measured or modelled, and by what."""
    cases = [row.head for row in comparison.rows if row.head is not None and row.changes]
    for kind, sources in dict.fromkeys((case.kind, case.sources) for case in cases if case.kind):
        told = f"{kind}: {' + '.join(sources)}"
        if kind == "measured":
            yield told
        else:
            yield f"{told}; the model's error is common to base and head and in none of these intervals"


def _numbered(notes: Notes) -> list[str]:
    return [f"[{number}] {text}" for number, text in enumerate(notes.texts, start=1)]
