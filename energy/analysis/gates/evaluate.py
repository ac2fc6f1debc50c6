"""Everything that the gates of a run ask for: the comparison, the bounds, and what a confirming run says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from energy.analysis.compare.compare import compare
from energy.analysis.compare.gate import Gate, resolve_gates
from energy.analysis.compare.result import Comparison, Noise, Row
from energy.analysis.gates import bounds, confirm
from energy.analysis.gates import exit_codes as codes
from energy.analysis.gates.base import Base
from energy.analysis.gates.exit_codes import Finding
from energy.analysis.gates.selection import Selection
from energy.records.summary import CaseSummary, RunSummary


@dataclass(frozen=True)
class Question:
    """What is asked of a run.

    Args:
        ranked: the gates, the weightiest last.
        base: what it is compared with; None: there is nothing.
        selection: what it was asked to measure.
        history: earlier runs, which tell the noise.
        calibrated: noise by metric, of `calibrate`.
        leaves_out: whether the suite's own options leave a case of the base out.
        warnings: what a reader should know of how all this was chosen.
    """

    ranked: Sequence[Gate] = ()
    base: Base | None = None
    selection: Selection = field(default_factory=Selection)
    history: Sequence[RunSummary] = ()
    calibrated: Mapping[str, Noise] | None = None
    leaves_out: Callable[[CaseSummary], bool] = lambda _: False
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answer:
    """What the gates say of a run.

    Args:
        comparison: with its gates and bounds.
        findings: what they do not let pass.
        exit_code: 0, or 10 to 14.
        left_out: cases of the base that nobody asked for.
        alarms: what became of each alarm, if the alarmed cases were measured again.
    """

    comparison: Comparison
    findings: tuple[Finding, ...]
    exit_code: int
    left_out: tuple[str, ...]
    alarms: tuple[dict[str, Any], ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return what a run file keeps of it."""
        base = self.comparison.base
        return {
            "base": None if base is None else base.reference,
            "gates": [{"gate": gate.text, "origin": gate.origin} for gate in self.comparison.gates],
            "exit_code": self.exit_code,
            "findings": [finding._asdict() for finding in self.findings],
        }


def answer(
    question: Question, head: RunSummary, again: RunSummary | None = None, *, strict: bool = False
) -> Answer:
    """Hold a run against its base and its gates.

    Args:
        question: what is asked.
        head: the run.
        again: its alarmed cases measured once more, by themselves; an alarm needs both.
        strict: whether what could not be told counts.
    """
    base = question.base.run if question.base is not None else None
    cases = [case.case for run in (head, base) if run is not None for case in run.cases]
    gates = resolve_gates(question.ranked, cases).gates
    first = whole = _compared(question, base, head, gates)
    if again is not None:
        # The first measurement is another session: it tells the noise, and is not judged again.
        later = replace(question, history=(*question.history, head))
        whole = confirm.merged(first, _compared(later, base, again, confirm.gates_of(first)))
    kept, left_out = _asked_for(whole.rows, question)
    final = replace(whole, rows=kept, warnings=(*whole.warnings, *question.warnings))
    return Answer(
        comparison=final,
        findings=tuple(codes.findings(final, strict)),
        exit_code=codes.exit_code(final, strict),
        left_out=tuple(left_out),
        alarms=tuple(confirm.settled(first, whole)) if again is not None else (),
    )


def _compared(
    question: Question, base: RunSummary | None, head: RunSummary, gates: Sequence[Gate]
) -> Comparison:
    found = compare(base, head, gates=gates, history=question.history, calibrated=question.calibrated)
    return replace(found, bounds=bounds.judge(head, gates))


def _asked_for(rows: Sequence[Row], question: Question) -> tuple[tuple[Row, ...], list[str]]:
    """Part the rows from those that are not there because nobody asked for them."""
    kept = tuple(row for row in rows if row.head is not None or _is_asked_for(row, question))
    return kept, [row.case for row in rows if row not in kept]


def _is_asked_for(row: Row, question: Question) -> bool:
    nodes = question.base.nodes if question.base is not None else {}
    node = nodes.get((row.case, row.task))
    return question.selection.asks_for(row.case, node) and not (
        row.base is not None and question.leaves_out(row.base)
    )
