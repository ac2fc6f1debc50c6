"""What a comparison means to the caller: the exit codes beyond pytest's, each with its reasons.

A gate blocks; a verdict without a gate blocks nothing. Regressions (10), missing or failed cases (13) and
invalid measurements (14) fail a run. What could not be told (11) and what has nothing to be compared with
(12) is said aloud, and fails only if the run is strict.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from energy.analysis.compare.gate import Gate
from energy.analysis.compare.result import Comparison, Row

PASSED, REGRESSION, INCONCLUSIVE, NO_BASELINE, MISSING, INVALID = 0, 10, 11, 12, 13, 14

MEANING: Mapping[int, str] = MappingProxyType(
    {
        PASSED: "every limit is kept",
        REGRESSION: "regression",
        INCONCLUSIVE: "inconclusive",
        NO_BASELINE: "no comparable baseline",
        MISSING: "a case of the baseline is missing or failed",
        INVALID: "a measurement is invalid",
    }
)
# Of several, the first is the exit code: what is proven, then what is not there, then what cannot be told.
GRAVEST_CODES = (REGRESSION, MISSING, INVALID, NO_BASELINE, INCONCLUSIVE)
WARNINGS = (INCONCLUSIVE, NO_BASELINE)

_OF_PROBLEM = {"missing": MISSING, "failed": MISSING, "invalid": INVALID}
_OF_VERDICT = {
    "regressed": REGRESSION,
    "inconclusive": INCONCLUSIVE,
    "no-baseline": NO_BASELINE,
    "invalid": INVALID,
}
_OF_BOUND = {"broken": REGRESSION, "invalid": INVALID, "failed": MISSING}


class Finding(NamedTuple):
    """Something that a gate does not let pass: its exit code, what it is about, and why."""

    code: int
    about: str
    why: str


def choose_code(comparison: Comparison, strict: bool = False) -> int:
    """Return the exit code of a comparison: 0, or 10 to 14; see `findings`.

    Args:
        comparison: with its gates.
        strict: whether 11 and 12 count, too.
    """
    found = {finding.code for finding in list_findings(comparison, strict)}
    counting = (code for code in GRAVEST_CODES if strict or code not in WARNINGS)
    return next((code for code in counting if code in found), PASSED)


def list_findings(comparison: Comparison, strict: bool = False) -> list[Finding]:
    """List what the gates do not let pass, gravest first.

    A run without gates has none, unless it is strict: then every case must be there, good, and have a base.
    """
    found = [*_about_runs(comparison), *_about_cases(comparison, strict), *_about_bounds(comparison)]
    return sorted(dict.fromkeys(found), key=lambda finding: GRAVEST_CODES.index(finding.code))


def blocks(code: int) -> bool:
    """Tell whether an exit code fails a run that is not strict."""
    return code != PASSED and code not in WARNINGS


def _about_runs(comparison: Comparison) -> Iterator[Finding]:
    """Yield what is the matter with the two runs as a whole, and with what their cases have in common."""
    comparing = [gate for gate in comparison.gates if gate.compares]
    if comparing and comparison.base is None:
        yield Finding(NO_BASELINE, "this run", "there is nothing to compare with")
    elif comparing and comparison.refused is not None:
        yield Finding(NO_BASELINE, "this run", comparison.refused)
    else:
        for gate in comparing:
            if gate.kind == "session":
                yield from _about_session(comparison, gate)
        yield from _blind(comparison)


def _about_session(comparison: Comparison, gate: Gate) -> Iterator[Finding]:
    shift = comparison.shifts.get(gate.metric)
    if shift is None:
        yield Finding(INCONCLUSIVE, f"session ({gate.metric})", "no case has this metric in both runs")
    elif shift.verdict in _OF_VERDICT:
        yield Finding(_OF_VERDICT[shift.verdict], f"session ({gate.metric})", shift.why)


def _about_cases(comparison: Comparison, strict: bool) -> Iterator[Finding]:
    """Yield what is the matter with a case; where all are refused, each of them would say the same again."""
    all_refused = comparison.base is None or comparison.refused is not None
    for row in comparison.rows:
        about = [gate for gate in comparison.gates if gate.is_about(row.case)]
        every = strict and not comparison.gates
        if row.problem == "no-baseline":
            if not all_refused and (every or any(gate.compares for gate in about)):
                yield Finding(NO_BASELINE, row.case, row.why)
        elif row.problem is not None:
            if every or about:
                yield Finding(_OF_PROBLEM[row.problem], row.case, row.why)
        elif not all_refused:
            yield from _about_changes(row)


def _about_changes(row: Row) -> Iterator[Finding]:
    for change in row.changes.values():
        if change.gate is not None and change.verdict in _OF_VERDICT:
            about, why = f"{row.case} {change.metric}", f"{change.why} ({change.gate.text})"
            yield Finding(_OF_VERDICT[change.verdict], about, why)


def _blind(comparison: Comparison) -> Iterator[Finding]:
    """Yield the gates that look at nothing: none of their cases has the metric, or there is none of them."""
    for gate in comparison.gates:
        if not gate.limits_change:
            continue
        rows = [row for row in comparison.rows if gate.is_about(row.case)]
        if not rows:
            yield Finding(NO_BASELINE, gate.text, "no case that it is about was measured")
        good = [row for row in rows if row.problem is None]
        if good and not any(gate.metric in row.changes for row in good):
            yield Finding(INVALID, gate.text, f"no case that it is about has {gate.metric}")


def _about_bounds(comparison: Comparison) -> Iterator[Finding]:
    for bound in comparison.bounds:
        if bound.verdict in _OF_BOUND:
            about = f"{bound.case} {bound.gate.metric}".strip()
            yield Finding(_OF_BOUND[bound.verdict], about, f"{bound.why} ({bound.gate.text})")
