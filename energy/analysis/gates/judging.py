"""The gates of a run in progress: which there are, what they compare with, and what they say at its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from energy.analysis.compare import noise
from energy.analysis.compare.gate import Gate, GateError, resolve_gates
from energy.analysis.compare.result import Noise
from energy.analysis.gates import base, sides
from energy.analysis.gates import baseline as baselines
from energy.analysis.gates.base import Base
from energy.analysis.gates.config import Project
from energy.analysis.gates.evaluate import Answer, Question, answer
from energy.analysis.gates.selection import Selection
from energy.measuring.run import Session
from energy.records import summary
from energy.records.index import Index
from energy.records.store import Store
from energy.records.summary import CaseSummary, RunSummary
from energy.report.terminal import gates as report

BARE = ""  # --energy-compare without a REF
THIS_RUN = "this run"
CONFIRMING = "the confirming run"


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
    base: Base | None = None
    history: list[RunSummary] = field(default_factory=list)
    calibrated: Mapping[str, Noise] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
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
                raise GateError(f"gate {gate.text!r} ({gate.origin}): {why}{_named(self.cases)}")
        if self.confirms and not self.ranked:
            raise GateError("--energy-confirm: no gate gives an alarm; add --energy-fail, e.g. total_kj:5%")

    def choose(self, fingerprint: str) -> str | None:
        """Choose what the run is compared with; return why there is nothing that it can be, or None.

        Raises:
            StoreError: there is nothing of the name that was given.
            RecordError: a baseline or run is damaged, or was edited.
            ValueError: the file of `calibrate` is.
        """
        if not self.compares:
            return None
        with self.store.index() as index:
            self.base = self._chosen(index, fingerprint)
            known = [] if self.base is None else [self.base.side]
            self.history, notes = sides.earlier(self.store, index, known) if known else ([], ())
        self.calibrated = noise.read_calibrated(self.store.root / fingerprint)
        chosen = [self.base.warning] if self.base is not None and self.base.warning else []
        self.warnings = [*chosen, *notes]
        if self.base is None:
            name = self.reference or self.project.baseline
            others = baselines.elsewhere(self.store.root, name)
            return f"no baseline {name!r} for this hardware ({fingerprint}); {others}"
        run = self.base.run
        if run.fingerprint not in (None, fingerprint):
            return (
                f"{self.base.told} is of other hardware or meters, {run.fingerprint}; this is {fingerprint}"
            )
        if not {case.case for case in run.cases} & set(self.cases):
            return f"{self.base.told} has none of the cases of this run"
        return None

    def judge(self, head: RunSummary, again: RunSummary | None = None) -> Answer:
        """Hold a run against the gates; `again` is its alarmed cases, measured once more."""
        question = Question(
            ranked=self.ranked,
            base=self.base,
            selection=self.selection,
            history=[run for run in self.history if run.path.resolve() != head.path.resolve()],
            calibrated=self.calibrated,
            leaves_out=self.leaves_out,
            warnings=tuple(self.warnings),
        )
        self.answer = answer(question, head, again, strict=self.strict)
        return self.answer

    def written(self, path: Path) -> None:
        """Name the run by the file that it has been written to."""
        assert self.answer is not None
        comparison = self.answer.comparison
        named = replace(comparison.head, path=path, reference=f"{path.parent.name}/{path.stem}")
        self.answer = replace(self.answer, comparison=replace(comparison, head=named))

    def lines(self, *, all_rows: bool = False) -> Iterator[str]:
        """Yield what was found, as text."""
        assert self.answer is not None
        told = self.base.told if self.base is not None else "nothing" if self.compares else None
        gated = bool(self.ranked)
        yield from report.lines(self.answer, told=told, gated=gated, strict=self.strict, all_rows=all_rows)

    def _chosen(self, index: Index, fingerprint: str) -> Base | None:
        if self.reference:
            return base.named(self.store, index, self.reference, fingerprint)
        pinned = base.usual(self.store, self.project.baseline, fingerprint)
        if pinned is not None or self.reference is None:
            return pinned
        return base.newest(self.store, index, fingerprint, set(self.cases), self.project.baseline)


def head(run: Session, records: Sequence[dict[str, Any]], name: str) -> RunSummary:
    """Return the summary of a run that has not been written."""
    cases = tuple(map(summary.of_record, records))
    return RunSummary(Path(name), name, run.fingerprint, run.started, "", False, True, cases)


def _named(cases: Sequence[str], most: int = 5) -> str:
    more = f" and {len(cases) - most} more" if len(cases) > most else ""
    if not cases:
        return "this run measures nothing; select tests that use the fixture `energy`"
    return f"the {len(cases)} cases of this run ({', '.join(cases[:most])}{more})"
