"""Confirm an alarm: measure the alarmed cases once more, and call it a regression only if both agree.

The second measurement is tested by itself, on its own figures. It is another session, warmer perhaps, so some
cases without an alarm are measured with it: anchors, which tell what the session did. They outnumber the
alarmed cases, as the median is only then theirs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from energy.analysis.compare.gate import Gate, match_only
from energy.analysis.compare.result import Bound, Change, Comparison, Row, Shift, Verdict
from energy.analysis.compare.verdict import GRAVEST_VERDICTS

# Enough that the median of all is an anchor's, and hardly the most shifted one's.
ANCHORS_PER_ALARM = 2
# So many cases tell what all of them have in common.
SESSION_CASES = 5


def choose_cases(comparison: Comparison) -> list[str]:
    """Return which cases to measure once more: the alarmed ones and their anchors; empty without an alarm."""
    alarmed = {row.case for row in comparison.rows if any(map(_is_alarm, row.changes.values()))}
    # Neither a Dice nor a figure against its ceiling has anything to do with the session.
    sessions = [row for row in comparison.rows if any(map(_moves, row.changes.values()))]
    count = (len(sessions) + 1) * ANCHORS_PER_ALARM if sessions else 0
    if any(map(_is_alarm, comparison.shifts.values())):
        count = max(count, SESSION_CASES)
    bounded = {bound.case for bound in comparison.bounds if bound.verdict == "broken"}
    return sorted(alarmed | bounded | set(_cheapest(comparison.rows, alarmed)[:count]))


def choose_gates(comparison: Comparison) -> tuple[Gate, ...]:
    """Return the gates that gave an alarm, each about the alarmed cases only.

    So the confirming run tests nothing else, and Holm's correction takes no power away.
    """
    alarmed: dict[Gate, list[str]] = {}
    for case, gate in _alarms(comparison):
        alarmed.setdefault(gate, []).append(case)
    return tuple(
        gate if gate.kind == "session" else replace(gate, cases=match_only(own))
        for gate, own in alarmed.items()
    )


def confirm_alarms(first: Comparison, again: Comparison) -> Comparison:
    """Return the first comparison with every alarm confirmed, cleared, or neither.

    Cleared is what the second measurement calls unchanged or better. Where it cannot tell (too noisy,
    invalid, failed), the alarm is inconclusive: no two measurements agree on it.
    """
    rows = {(row.case, row.task): row for row in again.rows}
    bounds = {(bound.case, bound.task, bound.gate.text): bound for bound in again.bounds}
    return replace(
        first,
        rows=tuple(_confirm_row(row, rows.get((row.case, row.task))) for row in first.rows),
        shifts={name: _confirm_shift(shift, again.shifts.get(name)) for name, shift in first.shifts.items()},
        bounds=tuple(
            _confirm_bound(bound, bounds.get((bound.case, bound.task, bound.gate.text)))
            for bound in first.bounds
        ),
    )


def list_alarms(first: Comparison, final: Comparison) -> list[dict[str, Any]]:
    """List every alarm of the first comparison with what became of it, for the run's file."""
    before, after = _verdicts(first), _verdicts(final)
    return [
        {"about": about, "metric": metric, "alarm": why, "verdict": after[about, metric, text][0],
         "why": after[about, metric, text][1]}
        for (about, metric, text), (verdict, why) in before.items()
        if verdict in ("regressed", "broken")
    ]  # fmt: skip


def _alarms(comparison: Comparison) -> Iterator[tuple[str, Gate]]:
    for row in comparison.rows:
        for change in row.changes.values():
            if _is_alarm(change) and change.gate is not None:
                yield row.case, change.gate
    for shift in comparison.shifts.values():
        if _is_alarm(shift) and shift.gate is not None:
            yield "", shift.gate
    for bound in comparison.bounds:
        if bound.verdict == "broken":
            yield bound.case, bound.gate


def _verdicts(comparison: Comparison) -> dict[tuple[str, str, str], tuple[str, str]]:
    """Return verdict and reason by what it is about, metric and gate."""
    found: dict[tuple[str, str, str], tuple[str, str]] = {
        (row.case, change.metric, change.gate.text): (change.verdict, change.why)
        for row in comparison.rows
        for change in row.changes.values()
        if change.gate is not None
    }
    for shift in comparison.shifts.values():
        if shift.gate is not None:
            found["session", shift.metric, shift.gate.text] = shift.verdict, shift.why
    for bound in comparison.bounds:
        found[bound.case, bound.gate.metric, bound.gate.text] = bound.verdict, bound.why
    return found


def _is_alarm(one: Change | Shift) -> bool:
    return one.verdict == "regressed" and one.gate is not None


def _moves(change: Change) -> bool:
    return _is_alarm(change) and change.relative


def _cheapest(rows: Sequence[Row], alarmed: set[str]) -> list[str]:
    """Return the good cases without an alarm, those that take the least time first."""
    good = [row for row in rows if row.problem is None and row.case not in alarmed]
    return [row.case for row in sorted(good, key=_seconds)]


def _seconds(row: Row) -> float:
    values = row.head.values.get("seconds", ()) if row.head is not None else ()
    return math.fsum(value for value in values if value is not None)


def _confirm_row(row: Row, again: Row | None) -> Row:
    if row.problem is not None or not any(map(_is_alarm, row.changes.values())):
        return row
    changes: Mapping[str, Change] = again.changes if again is not None else {}
    why = "it was not measured again" if again is None else again.why
    merged = {name: _confirm_change(change, changes.get(name), why) for name, change in row.changes.items()}
    words = {change.verdict for change in merged.values()}
    # "unchanged" beside +11 % needs its reason in sight.
    told = "; ".join(change.why for name, change in merged.items() if change != row.changes[name])
    return replace(
        row, changes=merged, verdict=next(word for word in GRAVEST_VERDICTS if word in words), why=told
    )


def _confirm_change(change: Change, again: Change | None, why: str) -> Change:
    if not _is_alarm(change):
        return change
    verdict, told = _settle(change.why, again, why)
    return replace(change, verdict=verdict, why=told)


def _confirm_shift(shift: Shift, again: Shift | None) -> Shift:
    if not _is_alarm(shift):
        return shift
    verdict, told = _settle(shift.why, again, "it was not measured again")
    return replace(shift, verdict=verdict, why=told)


def _settle(alarm: str, again: Change | Shift | None, why: str) -> tuple[Verdict, str]:
    """Return what an alarm becomes; `why` says why there is no second figure."""
    if again is None:
        return "inconclusive", _doubtful(alarm, why)
    if again.verdict == "regressed":
        return "regressed", f"{alarm}; measured again: {again.why}"
    if again.verdict in ("unchanged", "improved"):
        return "unchanged", _cleared(alarm, again.why)
    return "inconclusive", _doubtful(alarm, again.why)


def _confirm_bound(bound: Bound, again: Bound | None) -> Bound:
    if bound.verdict != "broken":
        return bound
    if again is None or again.verdict in ("failed", "invalid"):
        why = "it was not measured again" if again is None else again.why
        return replace(bound, verdict="invalid", why=_doubtful(bound.why, why))
    if again.verdict == "broken":
        return replace(bound, why=f"{bound.why}; measured again: {again.why}")
    return replace(bound, verdict="kept", why=_cleared(bound.why, again.why))


def _cleared(first: str, again: str) -> str:
    return f"alarm cleared: {first}, but measured again: {again}"


def _doubtful(first: str, again: str) -> str:
    return f"alarm neither confirmed nor cleared: {first}, but measured again: {again}"
