"""A limit that a run must keep: what it is, how people write it, and to which case it applies.

A gate is METRIC[@CASE-REGEX]:LIMIT, METRIC<=LIMIT or METRIC>=LIMIT. A marker outweighs the command line, and
that the project's own file; within one origin the later one counts. A change (`5%`, `0.01`), a ceiling and a
floor of one metric are different questions, and stand side by side.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from energy.records.metrics import METRICS
from energy.text import align_columns, explain_unknown, list_few

Kind = Literal["relative", "absolute", "ceiling", "floor", "session"]

FORM = "METRIC[@CASE-REGEX]:LIMIT, as in kj_per_epoch:5%, dice:0.01, total_kj@attention.*<=25 or session:4%"
COMMAND_LINE = "command line"
SESSION = "session"
# What all cases have in common is told by what they cost in all.
SESSION_METRIC = "total_kj"

# The regex may hold any of the three signs; a limit holds none, so the last sign is the gate's.
_GATE = re.compile(r"(?P<metric>[^@:<>=]+)(?:@(?P<cases>.*))?(?P<sign>:|<=|>=)(?P<limit>[^:<>=]*)", re.DOTALL)
# How many names a line of the table shows before it counts the rest.
MOST_NAMES = 3


@dataclass(frozen=True)
class Gate:
    """One limit. The direction comes from the metric: more joules are worse, and less Dice is.

    Args:
        text: as the user wrote it.
        metric: a metric's name; for `session` the metric whose session shift is limited (total_kj).
        cases: which cases it is about, searched in the name; None: all.
        kind: relative (5%: the case may be 5 % worse than its base), absolute (0.01: worse by so much in the
            metric's unit), ceiling (`<=25`) and floor (`>=0.8`: against the figure itself, no base needed),
            session (4%: what all cases have in common).
        limit: 0.05 for 5 %, else in the metric's unit.
        origin: where it was written: command line, pyproject.toml, marker of NODE.
    """

    text: str
    metric: str
    cases: re.Pattern[str] | None
    kind: Kind
    limit: float
    origin: str

    @property
    def compares(self) -> bool:
        """Whether it needs a base."""
        return self.limits_change or self.kind == "session"

    @property
    def limits_change(self) -> bool:
        """Whether it limits what a case's figure does from base to head."""
        return self.kind in ("relative", "absolute")

    def is_about(self, case: str) -> bool:
        """Tell whether a case is one of those that are limited."""
        return self.cases is None or self.cases.search(case) is not None


class GateError(ValueError):
    """A gate that cannot be meant; names the gate, where it was written, and what to write instead."""


def parse_gate(text: str, origin: str) -> Gate:
    """Read one gate.

    The direction comes from the metric, so a limit has no sign: `dice:0.01` fails a Dice that is 0.01 lower,
    `total_kj:5%` a total that is 5 % higher.

    Args:
        text: the gate.
        origin: where it was written, such as "command line".

    Raises:
        GateError: not of that form, no such metric, one without a direction, or a limit that nothing can
            break or keep.
    """
    try:
        return _parse(text, origin)
    except ValueError as mistake:
        raise GateError(f"gate {text!r} ({origin}): {mistake}") from None


def parse_marker(text: str, origin: str, case: str) -> Gate:
    """Read a gate that stands on one case, as a marker does, and is about no other.

    Raises:
        GateError: as `parse`, or it names cases of its own.
    """
    gate = parse_gate(text, origin)
    if gate.cases is not None or gate.kind == SESSION:
        told = "is about all cases" if gate.kind == SESSION else "names its cases after @"
        raise GateError(f"gate {text!r} ({origin}): {told}, but a marker is about its own; leave that out")
    return Gate(gate.text, gate.metric, match_only([case]), gate.kind, gate.limit, origin)


def match_only(cases: list[str]) -> re.Pattern[str]:
    """Return the pattern that fits these names and no other."""
    return re.compile(rf"\A(?:{'|'.join(map(re.escape, cases))})\Z")


def _parse(text: str, origin: str) -> Gate:
    parts = _GATE.fullmatch(text.strip())
    if parts is None:
        raise ValueError(f"expected {FORM}")
    metric, sign = parts["metric"].strip(), parts["sign"]
    limit, is_share = _read_limit(parts["limit"].strip())
    cases = None if parts["cases"] is None else _read_pattern(parts["cases"])
    if metric == SESSION:
        _check_session(sign, is_share, cases)
        return Gate(text, SESSION_METRIC, None, "session", limit, origin)
    _check_metric(metric)
    kind = _choose_kind(sign, is_share)
    _check_limit(metric, kind, limit)
    return Gate(text, metric, cases, kind, limit, origin)


def _read_limit(text: str) -> tuple[float, bool]:
    """Return the number, and whether it is a share: 5% is 0.05."""
    if text[:1] in ("+", "-"):
        raise ValueError("a limit has no sign: whether more or less is worse is known of the metric")
    number = text.removesuffix("%").strip()
    if not re.fullmatch(r"\d+(\.\d*)?|\.\d+", number):
        raise ValueError(f"limit {text!r} is no number: expected 5%, 0.01 or the like; {FORM}")
    is_share = text.endswith("%")
    value = float(number) / (100 if is_share else 1)
    if not math.isfinite(value):
        raise ValueError(f"limit {text!r} is not a finite number")
    return value, is_share


def _read_pattern(text: str) -> re.Pattern[str]:
    if not text:
        raise ValueError("no case after @: write a regular expression, or leave out the @")
    try:
        return re.compile(text)
    except re.error as problem:
        raise ValueError(f"{text!r} is no regular expression: {problem}") from None


def _check_session(sign: str, is_share: bool, cases: re.Pattern[str] | None) -> None:
    if sign != ":" or not is_share or cases is not None:
        raise ValueError("what all cases have in common is limited in per cent, as in session:4%")


def _check_metric(metric: str) -> None:
    if metric not in METRICS:
        raise ValueError(explain_unknown("metric", metric, (*METRICS, SESSION)))
    if METRICS[metric].better is None:
        raise ValueError(
            f"{metric} is a witness: neither more nor less of it is better, so nothing limits it"
        )


def _choose_kind(sign: str, is_share: bool) -> Kind:
    if sign == ":":
        return "relative" if is_share else "absolute"
    if is_share:
        raise ValueError(f"{sign} compares with a figure: expected a number in the metric's unit, without %")
    return "ceiling" if sign == "<=" else "floor"


def _check_limit(metric: str, kind: Kind, limit: float) -> None:
    better, unit = METRICS[metric].better, METRICS[metric].unit
    if (kind, better) in (("ceiling", "higher"), ("floor", "lower")):
        right = ">=" if better == "higher" else "<="
        raise ValueError(f"{better} is better for {metric}: expected {right}")
    if kind == "relative" and unit == "%":
        points = f"{100 * limit:g}"
        raise ValueError(f"{metric} is in per cent itself: write {metric}:{points}, in points of it")
    if kind == "relative" and better == "higher" and limit >= 1:
        raise ValueError(f"{metric} cannot fall by {100 * limit:g} %: nothing would break this limit")


@dataclass(frozen=True)
class Resolved:
    """The gates of a run.

    Args:
        gates: none of which is about a case that another of its kind is about.
        idle: those that apply to no case here, each with the reason.
    """

    gates: tuple[Gate, ...]
    idle: tuple[tuple[Gate, str], ...]


def resolve_gates(ranked: Sequence[Gate], cases: Iterable[str]) -> Resolved:
    """Give every case its gates.

    Args:
        ranked: all gates, the weightiest last.
        cases: the names of the cases of the run and, where it is known, of its base.
    """
    names = list(dict.fromkeys(cases))
    owners = {slot: gate for gate in ranked for slot in _slots(gate, names)}
    kept, idle = [], []
    for gate in dict.fromkeys(ranked):
        own = [case for (case, *_), owner in owners.items() if owner == gate]
        if gate.kind == "session" and own:
            kept.append(gate)
        elif own:
            kept.append(replace(gate, cases=match_only(own)))
        else:
            idle.append((gate, _explain_idle(gate, names)))
    return Resolved(tuple(kept), tuple(idle))


def tabulate_gates(resolved: Resolved, cases: Sequence[str]) -> list[str]:
    """Return the table of gates that is shown before anything is measured."""
    names = list(dict.fromkeys(cases))
    rows = [("gate", "from", "cases")]
    rows += [(gate.text, gate.origin, _name_cases(gate, names)) for gate in resolved.gates]
    rows += [(gate.text, gate.origin, why) for gate, why in resolved.idle]
    return align_columns(rows)


def _slots(gate: Gate, names: Sequence[str]) -> list[tuple[str, str, str]]:
    """Return what a gate decides: case, metric and question."""
    if gate.kind == "session":
        return [("", gate.metric, "session")]
    question = "change" if gate.limits_change else gate.kind
    return [(case, gate.metric, question) for case in names if gate.is_about(case)]


def _explain_idle(gate: Gate, names: Sequence[str]) -> str:
    fitting = gate.kind == "session" or any(map(gate.is_about, names))
    return "outweighed by another gate" if fitting else "none of this run"


def _name_cases(gate: Gate, names: Sequence[str]) -> str:
    if gate.kind == "session":
        return "what all cases have in common"
    own = [case for case in names if gate.is_about(case)]
    if len(own) == len(names) > 1:
        return f"all {len(names)}"
    return list_few(own, MOST_NAMES)
