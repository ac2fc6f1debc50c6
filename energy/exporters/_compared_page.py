"""A comparison as a page of Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from energy.analysis.compare import words
from energy.analysis.compare.result import Change, Comparison, Row, Shift
from energy.exporters import Request
from energy.exporters._cases import kinds, records
from energy.exporters._markdown import Page, bullets, code, commands, folded, prose, table
from energy.exporters._run_page import environment, reproduce
from energy.report.terminal import comparison as terminal
from energy.report.terminal.table import UNKNOWN

# Words and signs, no colours: a reader may not see these, and some services do not show them.
SIGNS = {
    "regressed": "✗", "missing": "✗", "failed": "✗", "invalid": "!", "inconclusive": "?", "no-baseline": "–",
    "improved": "✓", "unchanged": "=",
}  # fmt: skip
MOST_WARNINGS = 8


def write_page(request: Request, base: Comparison) -> Page:
    """Return the page of a comparison: the gravest rows first."""
    order = list(terminal.OUTCOMES)
    rows = sorted(base.rows, key=lambda row: order.index(terminal.outcome(row)))
    changed = [row for row in rows if terminal.outcome(row) != "unchanged"]
    return Page(
        head=_head(request, base),
        rows=len(changed),
        body=lambda count: _body(base, changed[:count]),
        folds=_folds(request, base),
        whole=f"all in {code(_command(request, base))}",
    )


def _head(request: Request, base: Comparison) -> str:
    """Return verdict, sides, and what a reader must know of the comparison."""
    found = {terminal.outcome(row) for row in base.rows}
    gravest = next((name for name in terminal.OUTCOMES if name in found), "unchanged")
    refused = [f"not judged: {base.refused}"] if base.refused else []
    warnings = [*refused, *(f"warning: {text}" for text in base.warnings)]
    if left_out := len(warnings) - MOST_WARNINGS:
        warnings[MOST_WARNINGS:] = [f"and {left_out} more warnings"] if left_out > 0 else []
    paragraphs = [
        f"{SIGNS[gravest]} **{prose(terminal.verdict_line(base))}**",
        f"{prose(terminal.sides_line(base))}; {prose(kinds(records(request)))}",
        bullets([prose(text) for text in (*warnings, *_limits(base))]),
    ]
    return "\n\n".join(part for part in paragraphs if part)


def _limits(base: Comparison) -> Iterator[str]:
    """Yield the ceilings and floors that are not kept."""
    for bound in base.bounds:
        if bound.verdict != "kept":
            yield f"{bound.case} {bound.gate.text} {bound.verdict}: {bound.why}"


def _folds(request: Request, base: Comparison) -> tuple[str, ...]:
    conditions = bullets([prose(line) for line in _conditions(base)])
    return (
        folded(f"All {words.count_cases(len(base.rows))}", _table(base, base.rows)),
        folded("Environment", "\n\n".join(part for part in (environment(request), conditions) if part)),
        folded("How to reproduce", "\n\n".join([reproduce(request), commands([_command(request, base)])])),
    )


def _conditions(base: Comparison) -> Iterator[str]:
    return terminal.conditions(base) if base.base is not None and not base.refused else iter(())


def _command(request: Request, base: Comparison) -> str:
    if base.base is None:
        return f"joulebench show {request.reference}"
    return f"joulebench compare {base.base.reference} {request.reference}"


def _body(base: Comparison, rows: Sequence[Row]) -> str:
    if rows or _shifts(base):
        unchanged = sum(terminal.outcome(row) == "unchanged" for row in base.rows)
        told = f"{words.count_cases(unchanged)} unchanged." if unchanged else ""
        return "\n\n".join(part for part in (_table(base, rows), told) if part)
    return "Nothing changed beyond its limit." if base.rows else "There are no cases."


def _table(base: Comparison, rows: Sequence[Row]) -> str:
    titles = ["case"]
    for metric in base.metrics:
        titles += [prose(terminal.metric_title(metric)), prose("Δ [95 %]")]
    cells = [[code(row.case), *_figures(base, row), _verdict(row)] for row in rows]
    return table([*titles, "verdict"], [*_session(base), *cells])


def _figures(base: Comparison, row: Row) -> Iterator[str]:
    for metric in base.metrics:
        change = row.changes.get(metric)
        yield UNKNOWN if change is None else prose(terminal.figures(change))
        yield UNKNOWN if change is None else prose(_change(change))


def _change(change: Change) -> str:
    return words.write_change(change.change, change.relative, change.interval)


def _verdict(row: Row) -> str:
    """Return the row's word, and why each metric that is not unchanged is not."""
    word = terminal.outcome(row)
    reasons = [row.why] if row.why else []
    reasons += [
        f"{change.metric} {change.verdict}: {change.why}"
        for change in row.changes.values()
        if change.verdict != "unchanged" and row.problem is None
    ]
    told = f": {'; '.join(reasons)}" if reasons else ""
    return f"{SIGNS[word]} {prose(f'{word}{told}')}"


def _shifts(base: Comparison) -> dict[str, Shift]:
    return {metric: base.shifts[metric] for metric in base.metrics if metric in base.shifts}


def _session(base: Comparison) -> Iterator[list[str]]:
    """Yield the row of what all cases have in common."""
    shifts = _shifts(base)
    if not shifts:
        return
    cells = ["session (median)"]
    for metric in base.metrics:
        shift = shifts.get(metric)
        shown = UNKNOWN if shift is None else prose(words.write_change(shift.change, True, shift.interval))
        cells += ["", shown]
    gravest = next(word for word in terminal.OUTCOMES if word in {one.verdict for one in shifts.values()})
    why = "; ".join(f"{one.metric} {one.verdict}: {one.why}" for one in shifts.values())
    yield [*cells, f"{SIGNS[gravest]} {prose(f'{gravest}: {why}')}"]
