"""JUnit XML: a suite per case with its figures as properties, and real failures.

The schema of Jenkins (junit-10.xsd; GitLab and others read the same) has properties on suites only, so each
case is a suite of one test. What the test is:

error: the case crashed, ran out of memory or was interrupted; nothing is known of it.
failure: it diverged; or, with a base, it regressed, or the base has it and this run does not; or it broke a
    ceiling or floor. Where the comparison has gates, only what they limit can regress; else everything can.
skipped: nothing can be said, and the message says why: inconclusive, no comparable base, or a flag speaks
    against the record. A flag on a case that a gate is about is an error.

The session's shift, what all cases have in common, is a test of its own for each metric.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from energy.analysis.compare import words
from energy.analysis.compare.result import Change, Comparison, Row, Shift
from energy.exporters import Exported, Request
from energy.exporters._cases import hardware, names, problem, records, row_of, sources
from energy.exporters._text import printable
from energy.records import provenance
from energy.records.storage.runfile import shorten_commit
from energy.records.validity import describe_validity

OPTIONS = ("base",)

Kind = Literal["error", "failure", "skipped"]
DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'
CRASHED = ("error", "oom", "interrupted")


@dataclass(frozen=True)
class Ending:
    """Why a test did not simply pass: the element, its type in a word, and the reason."""

    kind: Kind
    type: str
    message: str


@dataclass(frozen=True)
class Test:
    """One test of the file."""

    name: str
    group: str
    seconds: float | None = None
    ending: Ending | None = None
    properties: Sequence[tuple[str, str]] = field(default=())


def export(request: Request) -> Exported:
    """Return the file."""
    found = records(request)
    tests = [_of_record(request, name, one) for name, one in zip(names(found), found, strict=True)]
    if request.base is not None:
        tests += [_missing(row) for row in request.base.rows if row.problem == "missing"]
        tests += [_session(request.base, shift) for shift in request.base.shifts.values()]
    root = ET.Element("testsuites", {"name": printable(request.reference), **_counts(tests)})
    for test in tests:
        root.append(_suite(request, test))
    ET.indent(root)
    return Exported({".junit.xml": f"{DECLARATION}\n{ET.tostring(root, encoding='unicode')}\n"})


def _suite(request: Request, test: Test) -> ET.Element:
    own = {"name": test.name, **_counts([test]), "skipped": str(_number([test], "skipped"))}
    suite = ET.Element("testsuite", own | {"timestamp": printable(request.run["datetime"])})
    properties = ET.SubElement(suite, "properties")
    for name, value in [*test.properties, *_of_run(request)]:
        ET.SubElement(properties, "property", {"name": printable(name), "value": printable(value)})
    timed = {} if test.seconds is None else {"time": f"{test.seconds:.3f}"}
    case = ET.SubElement(suite, "testcase", {"classname": test.group, "name": test.name, **timed})
    if test.ending is not None:
        about = {"type": test.ending.type, "message": printable(test.ending.message)}
        ET.SubElement(case, test.ending.kind, about)
    return suite


def _counts(tests: Sequence[Test]) -> dict[str, str]:
    failures, errors = _number(tests, "failure"), _number(tests, "error")
    return {"tests": str(len(tests)), "failures": str(failures), "errors": str(errors)}


def _number(tests: Sequence[Test], kind: Kind) -> int:
    return sum(test.ending is not None and test.ending.kind == kind for test in tests)


def _of_run(request: Request) -> Iterator[tuple[str, str]]:
    yield "hardware", hardware(request.run)
    yield "commit", shorten_commit(request.run["commit_info"])
    if request.base is not None and request.base.base is not None:
        yield "base", request.base.base.reference


def _of_record(request: Request, name: str, record: Mapping[str, Any]) -> Test:
    row = row_of(request.base, record)
    seconds = record["metrics"].get("seconds", {"values": ()})["values"]
    took = sum(seconds) if seconds else record["error"] and record["error"]["seconds"]
    ending = _ending(record) or (row and _of_row(request.base, row)) or _flagged(record)
    properties = [*_figures(record), *_verdicts(row)]
    return Test(name, printable(record["task"]), took, ending, properties)


def _figures(record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each known figure under its metric's name, and what kind of energy it is."""
    yield "status", record["status"]
    for metric, figure in record["metrics"].items():
        if figure["mean"] is not None:
            yield metric, repr(figure["mean"])
            kind = provenance.kind_of(record, metric)
            yield from [(f"{metric}.kind", kind)] if kind else []
    yield "energy_sources", sources(record)
    yield "validity", describe_validity(record)


def _verdicts(row: Row | None) -> Iterator[tuple[str, str]]:
    if row is None:
        return
    yield "verdict", row.verdict
    for change in row.changes.values():
        yield f"{change.metric}.change", words.write_change(change.change, change.relative, change.interval)
        yield f"{change.metric}.verdict", f"{change.verdict}: {change.why}"


def _ending(record: Mapping[str, Any]) -> Ending | None:
    """Return how a case ended that has no figures."""
    if record["status"] == "ok":
        return None
    kind: Kind = "error" if record["status"] in CRASHED else "failure"
    return Ending(kind, record["status"], problem(record) or "")


def _flagged(record: Mapping[str, Any]) -> Ending | None:
    why = problem(record)
    return None if why is None else Ending("skipped", "invalid", why)


def _of_row(base: Comparison | None, row: Row) -> Ending | None:
    """Return what a comparison makes of a case that has figures."""
    if base is None:
        return None
    broken = [bound.why for bound in base.bounds if (bound.case, bound.verdict) == (row.case, "broken")]
    worse = [
        change
        for change in row.changes.values()
        if change.verdict == "regressed" and _counts_in(base, change)
    ]
    if broken or worse:
        return Ending("failure", "regressed", "; ".join([*map(_told, worse), *broken]))
    if row.verdict == "invalid":
        is_gated = any(gate.is_about(row.case) for gate in base.gates)
        return Ending("error" if is_gated else "skipped", "invalid", row.why)
    if row.verdict in ("inconclusive", "no-baseline"):
        doubts = [_told(change) for change in row.changes.values() if change.verdict == row.verdict]
        return Ending("skipped", row.verdict, row.why or "; ".join(doubts))
    return None


def _counts_in(base: Comparison, verdict: Change | Shift) -> bool:
    return verdict.gate is not None or not base.gates


def _told(change: Change) -> str:
    shown = words.write_change(change.change, change.relative, change.interval)
    return f"{change.metric} {shown} {change.verdict}: {change.why}"


def _missing(row: Row) -> Test:
    ending = Ending("failure", "missing", row.why)
    return Test(printable(row.case), printable(row.task), None, ending, [("verdict", "missing")])


def _session(base: Comparison, shift: Shift) -> Test:
    shown = words.write_change(shift.change, True, shift.interval)
    message = f"{shift.metric} of {shift.cases} cases {shown} {shift.verdict}: {shift.why}"
    ending = None
    if shift.verdict == "regressed" and _counts_in(base, shift):
        ending = Ending("failure", "regressed", message)
    elif shift.verdict in ("inconclusive", "no-baseline", "invalid"):
        ending = Ending("skipped", shift.verdict, message)
    properties = [("change", shown), ("verdict", f"{shift.verdict}: {shift.why}")]
    return Test(f"session shift of {shift.metric}", "session", None, ending, properties)
