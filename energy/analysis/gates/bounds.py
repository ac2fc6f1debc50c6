"""Ceilings and floors: what a case costs, held against a figure that somebody wrote down. No base is needed.

The mean over the repeats decides, and its interval is shown beside it: who writes `total_kj<=25` asks for
25 kJ on average, not for a proof.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import Literal

from energy.analysis.compare.gate import Gate
from energy.analysis.compare.result import Bound
from energy.records.metrics import METRICS
from energy.records.summary import CaseSummary, RunSummary
from energy.statistics import confidence_interval
from energy.text import format_number


def judge_bounds(head: RunSummary, gates: Sequence[Gate]) -> tuple[Bound, ...]:
    """Hold every case of a run against the ceilings and floors that are about it.

    A case whose task knows no such metric (the Dice of a function) is left out; a gate whose metric no case
    has would look at nothing, and is invalid.
    """
    own = [gate for gate in gates if gate.kind in ("ceiling", "floor")]
    return tuple(bound for gate in own for bound in _judge_gate(head, gate))


def _judge_gate(head: RunSummary, gate: Gate) -> Iterator[Bound]:
    cases = [case for case in head.cases if gate.is_about(case.case)]
    had = [case for case in cases if case.status != "ok" or gate.metric in case.values]
    if not had:
        why = f"no case of this run that it is about has {gate.metric}"
        yield Bound("", "", gate, None, None, 0, "invalid", why)
    yield from (_judge_case(case, gate) for case in had)


def _judge_case(case: CaseSummary, gate: Gate) -> Bound:
    values = case.values.get(gate.metric, ())
    known = [value for value in values if value is not None]
    if case.status != "ok":
        return Bound(case.case, case.task, gate, None, None, 0, "failed", f"the case ended as: {case.status}")
    if len(known) < len(values):
        why = f"{gate.metric} is unknown in {len(values) - len(known)} of {len(values)} repeats"
        return Bound(case.case, case.task, gate, None, None, len(values), "invalid", why)
    mean, bounds = fmean(known), confidence_interval(known)
    verdict, why = _find_verdict(case, gate, mean)
    told = f"{_tell(gate, mean, bounds)}, n = {len(known)}{why}"
    return Bound(case.case, case.task, gate, mean, bounds, len(known), verdict, told)


def _find_verdict(
    case: CaseSummary, gate: Gate, mean: float
) -> tuple[Literal["kept", "broken", "invalid"], str]:
    if case.invalid:
        return "invalid", f"; invalid: {', '.join(case.invalid)}"
    is_beyond = mean > gate.limit if gate.kind == "ceiling" else mean < gate.limit
    return ("broken" if is_beyond else "kept"), ""


def _tell(gate: Gate, mean: float, bounds: tuple[float, float] | None) -> str:
    """Write the figure; with all digits where three would make it look like the limit itself."""
    unit, short = METRICS[gate.metric].unit, format_number(mean)
    figure = f"{mean:.9g}" if float(short) == gate.limit != mean else short
    between = "" if bounds is None else f" [{format_number(bounds[0])}, {format_number(bounds[1])}]"
    return f"{figure}{between}{'' if unit == '1' else f' {unit}'}"
