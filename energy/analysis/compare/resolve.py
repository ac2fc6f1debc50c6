"""Which gate applies to which case: a marker outweighs the command line, and that the project's own file.

Within one origin the later one counts. A change (`5%`, `0.01`), a ceiling and a floor of one metric are
different questions, and stand side by side.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from energy.analysis.compare import gates
from energy.analysis.compare.gate import Gate
from energy.text import align_columns, list_few

# How many names a line of the table shows before it counts the rest.
MOST_NAMES = 3


@dataclass(frozen=True)
class Resolved:
    """The gates of a run.

    Args:
        gates: none of which is about a case that another of its kind is about.
        idle: those that apply to no case here, each with the reason.
    """

    gates: tuple[Gate, ...]
    idle: tuple[tuple[Gate, str], ...]


def of(ranked: Sequence[Gate], cases: Iterable[str]) -> Resolved:
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
            kept.append(replace(gate, cases=gates.only(own)))
        else:
            idle.append((gate, _why_idle(gate, names)))
    return Resolved(tuple(kept), tuple(idle))


def lines(resolved: Resolved, cases: Sequence[str]) -> list[str]:
    """Return the table of gates that is shown before anything is measured."""
    names = list(dict.fromkeys(cases))
    rows = [("gate", "from", "cases")]
    rows += [(gate.text, gate.origin, _about(gate, names)) for gate in resolved.gates]
    rows += [(gate.text, gate.origin, why) for gate, why in resolved.idle]
    return align_columns(rows)


def _slots(gate: Gate, names: Sequence[str]) -> list[tuple[str, str, str]]:
    """Return what a gate decides: case, metric and question."""
    if gate.kind == "session":
        return [("", gate.metric, "session")]
    question = "change" if gate.kind in ("relative", "absolute") else gate.kind
    return [(case, gate.metric, question) for case in names if gate.is_about(case)]


def _why_idle(gate: Gate, names: Sequence[str]) -> str:
    fitting = gate.kind == "session" or any(map(gate.is_about, names))
    return "outweighed by another gate" if fitting else "none of this run"


def _about(gate: Gate, names: Sequence[str]) -> str:
    if gate.kind == "session":
        return "what all cases have in common"
    own = [case for case in names if gate.is_about(case)]
    if len(own) == len(names) > 1:
        return f"all {len(names)}"
    return list_few(own, MOST_NAMES)
