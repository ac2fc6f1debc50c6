"""One metric over all cases: pairs, noise, session, and each case ready to be judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from energy.analysis.compare import noise, pair, tested
from energy.analysis.compare import session_shift as shift
from energy.analysis.compare.gate import Gate
from energy.analysis.compare.noise import Noises
from energy.analysis.compare.outcome import Noise, Shift
from energy.analysis.compare.pair import Gap, Identity, Pair
from energy.analysis.compare.pairing import Matched
from energy.analysis.compare.scale import Scale
from energy.analysis.compare.tested import Case
from energy.records.summary import RunSummary


@dataclass(frozen=True)
class Study:
    """What is known of one metric before anything is tested.

    Args:
        scale: how the metric is compared.
        cases: those that can be judged.
        gaps: those that cannot, with the reason.
        limits: the gate of every case.
        noises: how noisy the metric is.
        shift: what all cases have in common; None where no case can be judged, and for differences.
    """

    scale: Scale
    cases: Mapping[Identity, Case]
    gaps: Mapping[Identity, Gap]
    limits: Mapping[Identity, Gate | None]
    noises: Noises
    shift: Shift | None


def of(
    scale: Scale,
    matched: Sequence[Matched],
    gates: Sequence[Gate],
    history: Sequence[RunSummary] = (),
    calibrated: Noise | None = None,
) -> Study:
    """Study one metric of all cases that can be compared; `history` is of the same hardware."""
    found = _pairs(scale, matched)
    pairs = {case: both for case, both in found.items() if isinstance(both, Pair)}
    gaps = {case: both for case, both in found.items() if isinstance(both, Gap)}
    noises = noise.of_pairs(scale, pairs, history, calibrated)
    limits = {case: gate_of(gates, scale.metric, case[0]) for case in found}
    usual = tested.usual_cases(scale, pairs, noises, limits)
    moved = _shift(scale, pairs, usual, noises, session_gate_of(gates, scale.metric))
    cases = tested.cases_of(scale, pairs, usual, noises, limits)
    return Study(scale, cases, gaps, limits, noises, moved)


def _shift(
    scale: Scale,
    pairs: Mapping[Identity, Pair],
    usual: Mapping[Identity, Pair] | None,
    noises: Noises,
    gate: Gate | None,
) -> Shift | None:
    """Return the session's shift. A Dice does not depend on the day: differences have none."""
    if not scale.relative or not pairs:
        return None
    if usual is None:
        return shift.of(scale, pairs, noises, gate, is_separable=False)
    return shift.of(scale, usual, noises, gate)


def gate_of(gates: Sequence[Gate], metric: str, case: str) -> Gate | None:
    """Return the last limit that is about a metric of a case, relative or absolute; None if none is."""
    fitting = (
        gate
        for gate in reversed(gates)
        if gate.kind in ("relative", "absolute") and gate.metric == metric and gate.is_about(case)
    )
    return next(fitting, None)


def session_gate_of(gates: Sequence[Gate], metric: str) -> Gate | None:
    """Return the last limit on what all cases have in common."""
    fitting = (gate for gate in reversed(gates) if (gate.kind, gate.metric) == ("session", metric))
    return next(fitting, None)


def _pairs(scale: Scale, matched: Sequence[Matched]) -> dict[Identity, Pair | Gap]:
    """Pair the values of all cases in one way: seed by seed if every one of them can be, else none is.

    Repeats of one seed differ less than those of several, so the two may not be pooled into one noise.
    """
    found = _paired(scale, matched)
    by_seed = {both.by_seed for both in found.values() if isinstance(both, Pair)}
    return _paired(replace(scale, by_seed=False), matched) if len(by_seed) > 1 else found


def _paired(scale: Scale, matched: Sequence[Matched]) -> dict[Identity, Pair | Gap]:
    good = [one for one in matched if one.problem is None and one.base is not None and one.head is not None]
    both = ((one.identity, pair.of(scale, one.base, one.head)) for one in good if one.base and one.head)
    return {identity: found for identity, found in both if found is not None}
