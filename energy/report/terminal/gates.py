"""What the gates say, as text: the pair table, what a gate does not let pass, and the exit code."""

from __future__ import annotations

from collections.abc import Iterator

from energy.analysis.gates import exit_codes as codes
from energy.analysis.gates.exit_codes import Finding
from energy.analysis.gates.judge import Answer
from energy.report.terminal.comparison import format_comparison
from energy.text import list_few

# Names of cases that a sentence shows before it counts the rest.
MOST_NAMES = 5


def format_gates(
    answer: Answer, *, told: str | None, gated: bool, strict: bool, all_rows: bool = False
) -> Iterator[str]:
    """Yield the lines of an answer.

    Args:
        answer: what was found.
        told: what the run was compared with, in words; None: nothing was asked to be compared.
        gated: whether there are gates.
        strict: whether what could not be told counts.
        all_rows: also the unchanged rows of a large comparison.
    """
    if told is not None:
        yield f"compared with {told}"
        yield from format_comparison(answer.comparison, all_rows=all_rows).splitlines()
    else:
        yield from (f"warning: {text}" for text in answer.comparison.warnings)
    yield from _left_out(answer)
    yield from _alarms(answer)
    yield from map(_finding, answer.findings)
    yield verdict(answer, gated=gated, strict=strict)


def verdict(answer: Answer, *, gated: bool, strict: bool) -> str:
    """Return the sentence that ends a judgement: the exit code and what it means."""
    code = answer.exit_code
    if code != codes.PASSED:
        return f"energy: {codes.MEANING[code]} (exit code {code})"
    if not gated and not strict:
        return "energy: compared only; no gate, so nothing of it fails the run"
    warned = dict.fromkeys(codes.MEANING[finding.code] for finding in answer.findings)
    if warned:
        return f"energy: {' and '.join(warned)}; that fails a strict run only (exit code 0)"
    return f"energy: {codes.MEANING[codes.PASSED]} (exit code 0)"


def _finding(finding: Finding) -> str:
    return f"{finding.code} {codes.MEANING[finding.code]}: {finding.about}: {finding.why}"


def _left_out(answer: Answer) -> Iterator[str]:
    if names := answer.left_out:
        yield f"{len(names)} cases of the base were not asked for here: {list_few(names, MOST_NAMES)}"


def _alarms(answer: Answer) -> Iterator[str]:
    """Yield the alarms that a second measurement cleared; the others are among the findings."""
    for alarm in answer.alarms:
        if alarm["verdict"] in ("unchanged", "kept"):
            yield f"{alarm['about']} {alarm['metric']}: {alarm['why']}"
