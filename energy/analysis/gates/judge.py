"""A run held against its gates: what is asked, what it is compared with, and what the gates say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from energy.analysis.compare import noise
from energy.analysis.compare.compare import compare
from energy.analysis.compare.gate import Gate, GateError, resolve_gates
from energy.analysis.compare.result import Comparison, Noise, Row
from energy.analysis.gates import baseline as baselines
from energy.analysis.gates import bounds, confirm
from energy.analysis.gates import exit_codes as codes
from energy.analysis.gates.config import Project
from energy.analysis.gates.exit_codes import Finding
from energy.analysis.gates.reference import Base, find_base, find_earlier, find_newest_base, find_usual_base
from energy.analysis.gates.selection import Selection
from energy.records.storage.fitted import FILE
from energy.records.storage.index import Index
from energy.records.storage.store import Store
from energy.records.summary import CaseSummary, RunSummary
from energy.text import list_few

BARE = ""  # --energy-compare without a REF
THIS_RUN = "this run"
CONFIRMING = "the confirming run"
MOST_NAMED = 5
# Of a name that this hardware had earlier.
OF_BEFORE = "named before its key told the processor's instructions, which decide what runs"
REMEDY = "measure again and pin that (baseline set {name})"


@dataclass(frozen=True)
class Known:
    """What is known when a run is judged.

    Args:
        base: what it is compared with; None: there is nothing.
        history: earlier runs, which tell the noise.
        calibrated: noise by metric, of `calibrate`.
        warnings: what a reader should know of how all this was chosen.
    """

    base: Base | None = None
    history: tuple[RunSummary, ...] = ()
    calibrated: Mapping[str, Noise] | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Question:
    """What is asked of a run.

    Args:
        ranked: the gates, the weightiest last.
        known: what it is compared with, and what tells the noise.
        selection: what it was asked to measure.
        leaves_out: whether the suite's own options leave a case of the base out.
    """

    ranked: Sequence[Gate] = ()
    known: Known = field(default_factory=Known)
    selection: Selection = field(default_factory=Selection)
    leaves_out: Callable[[CaseSummary], bool] = lambda _: False


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


def answer_question(
    question: Question, head: RunSummary, again: RunSummary | None = None, *, strict: bool = False
) -> Answer:
    """Hold a run against its base and its gates.

    Args:
        question: what is asked.
        head: the run.
        again: its alarmed cases measured once more, by themselves; an alarm needs both.
        strict: whether what could not be told counts.
    """
    base = question.known.base.run if question.known.base is not None else None
    cases = [case.case for run in (head, base) if run is not None for case in run.cases]
    gates = resolve_gates(question.ranked, cases).gates
    first = whole = _compare(question, base, head, gates)
    if again is not None:
        # The first measurement is another session: it tells the noise, and is not judged again.
        later = replace(question, known=replace(question.known, history=(*question.known.history, head)))
        whole = confirm.confirm_alarms(first, _compare(later, base, again, confirm.choose_gates(first)))
    kept, left_out = _part_asked(whole.rows, question)
    final = replace(whole, rows=kept, warnings=(*whole.warnings, *question.known.warnings))
    return Answer(
        comparison=final,
        findings=tuple(codes.list_findings(final, strict)),
        exit_code=codes.choose_code(final, strict),
        left_out=tuple(left_out),
        alarms=tuple(confirm.list_alarms(first, whole)) if again is not None else (),
    )


def _compare(
    question: Question, base: RunSummary | None, head: RunSummary, gates: Sequence[Gate]
) -> Comparison:
    known = question.known
    found = compare(base, head, gates=gates, history=known.history, calibrated=known.calibrated)
    return replace(found, bounds=bounds.judge_bounds(head, gates))


def _part_asked(rows: Sequence[Row], question: Question) -> tuple[tuple[Row, ...], list[str]]:
    """Part the rows from those that are not there because nobody asked for them."""
    kept = tuple(row for row in rows if row.head is not None or _is_asked_for(row, question))
    return kept, [row.case for row in rows if row not in kept]


def _is_asked_for(row: Row, question: Question) -> bool:
    nodes = question.known.base.nodes if question.known.base is not None else {}
    node = nodes.get((row.case, row.task))
    return question.selection.asks_for(row.case, node) and not (
        row.base is not None and question.leaves_out(row.base)
    )


@dataclass
class Judge:
    """What a run must keep.

    Args:
        store: the results folder.
        project: what the project's own file says.
        asked: the gates of the command line.
        reference: what the user wants to compare with: None: nothing said; BARE: whatever is usual.
        strict: whether what could not be told fails the run.
        confirms: whether alarmed cases are measured once more.
        leaves_out: whether the suite's own options leave a case of the base out.
    """

    store: Store
    project: Project
    asked: tuple[Gate, ...]
    reference: str | None
    strict: bool
    confirms: bool = False
    leaves_out: Callable[[CaseSummary], bool] = lambda _: False
    marked: list[Gate] = field(default_factory=list)
    cases: list[str] = field(default_factory=list)
    selection: Selection = field(default_factory=Selection)
    known: Known = field(default_factory=Known)
    answer: Answer | None = None

    @property
    def ranked(self) -> tuple[Gate, ...]:
        """All gates, the weightiest last."""
        return (*self.project.fail, *self.asked, *self.marked)

    @property
    def is_asked(self) -> bool:
        """Whether there is anything to judge."""
        return self.reference is not None or bool(self.ranked) or self.confirms

    @property
    def compares(self) -> bool:
        """Whether a base is needed."""
        effective = resolve_gates(self.ranked, self.cases).gates
        return self.reference is not None or any(gate.compares for gate in effective)

    def check(self) -> None:
        """Refuse what cannot be meant, now that the cases are known.

        Raises:
            GateError: a gate of the command line is about no case of this run, or nothing can give an alarm.
        """
        for gate in self.asked:
            if not any(map(gate.is_about, self.cases)):
                why = f"{gate.cases.pattern!r} fits none of " if gate.cases and self.cases else ""
                raise GateError(f"gate {gate.text!r} ({gate.origin}): {why}{_name_cases(self.cases)}")
        if self.confirms and not self.ranked:
            raise GateError("--energy-confirm: no gate gives an alarm; add --energy-fail, e.g. total_kj:5%")

    def choose(self, fingerprint: str, former: str | None = None) -> str | None:
        """Choose what the run is compared with; return why there is nothing that it can be, or None.

        Args:
            fingerprint: of this hardware.
            former: what it was called while its key told less; None: the same, or unknown.

        Raises:
            StoreError: there is nothing of the name that was given.
            RecordError: a baseline or run is damaged, or was edited.
            ValueError: the file of `calibrate` is.
        """
        if not self.compares:
            return None
        with self.store.index() as index:
            base = self._choose_base(index, fingerprint)
            history, notes = find_earlier(self.store, index, [base.side]) if base is not None else ([], ())
        calibrated = noise.read_calibrated(self.store.root / fingerprint)
        warned = (base.warning,) if base is not None and base.warning else ()
        if not calibrated and former is not None and (self.store.root / former / FILE).is_file():
            notes = (*notes, f"the noise of {former} is not used: {OF_BEFORE}; run calibrate again")
        self.known = Known(base, tuple(history), calibrated, (*warned, *notes))
        if base is None:
            name = self.reference or self.project.baseline
            others = baselines.name_elsewhere(self.store.root, name)
            known = former is not None and bool(baselines.list_pins(self.store.root, former))
            told = f"; {former} is this hardware, {OF_BEFORE}; {REMEDY.format(name=name)}" if known else ""
            return f"no baseline {name!r} for this hardware ({fingerprint}); {others}{told}"
        if base.run.fingerprint not in (None, fingerprint):
            name = self.reference or self.project.baseline
            same = base.run.fingerprint == former
            told = f": the same hardware, {OF_BEFORE}; {REMEDY.format(name=name)}" if same else ""
            of_other = f"of other hardware or meters, {base.run.fingerprint}"
            return f"{base.told} is {of_other}; this is {fingerprint}{told}"
        if not {case.case for case in base.run.cases} & set(self.cases):
            return f"{base.told} has none of the cases of this run"
        return None

    def judge(self, head: RunSummary, again: RunSummary | None = None) -> Answer:
        """Hold a run against the gates; `again` is its alarmed cases, measured once more."""
        others = tuple(run for run in self.known.history if run.path.resolve() != head.path.resolve())
        known = replace(self.known, history=others)
        question = Question(self.ranked, known, self.selection, self.leaves_out)
        self.answer = answer_question(question, head, again, strict=self.strict)
        return self.answer

    def written(self, path: Path) -> None:
        """Name the run by the file that it has been written to."""
        assert self.answer is not None
        comparison = self.answer.comparison
        named = replace(comparison.head, path=path, reference=f"{path.parent.name}/{path.stem}")
        self.answer = replace(self.answer, comparison=replace(comparison, head=named))

    @property
    def told(self) -> str | None:
        """What the run was compared with, in words; None: nothing was asked to be compared."""
        if self.known.base is not None:
            return self.known.base.told
        return "nothing" if self.compares else None

    def _choose_base(self, index: Index, fingerprint: str) -> Base | None:
        if self.reference:
            return find_base(self.store, index, self.reference, fingerprint)
        pinned = find_usual_base(self.store, self.project.baseline, fingerprint)
        if pinned is not None or self.reference is None:
            return pinned
        return find_newest_base(self.store, index, fingerprint, set(self.cases), self.project.baseline)


def _name_cases(cases: Sequence[str]) -> str:
    if not cases:
        return "this run measures nothing; select tests that use the fixture `energy`"
    return f"the {len(cases)} cases of this run ({list_few(cases, MOST_NAMED)})"
