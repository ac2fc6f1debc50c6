"""What is tested: each metric of each case, the session's shift taken out, and what Holm's test proves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from energy.analysis.compare import noise, session_shift
from energy.analysis.compare.cases import Matched
from energy.analysis.compare.gate import Gate
from energy.analysis.compare.noise import Noises
from energy.analysis.compare.result import Noise, Shift
from energy.analysis.compare.values import Gap, Identity, Pair, Scale, pair_values
from energy.records.summary import RunSummary
from energy.statistics import reject_by_holm

FALSE_ALARMS = 0.05  # of one false alarm or more among all tests of a family


class Proof(NamedTuple):
    """What Holm's test proves of a case; both are False where the noise is unknown."""

    is_worse: bool
    is_better: bool


@dataclass(frozen=True)
class CaseTest:
    """One metric of one case, ready to be judged; all figures on the metric's scale.

    Args:
        scale: how the metric is compared.
        pair: what both runs show.
        gate: the limit that applies, if any.
        limit: how much worse it may get.
        effect: the case's own part of the change.
        noise: standard deviation of one repeat; None: unknown.
        freedom: degrees of freedom behind it.
        error: standard error of the effect; None: unknown.
        cases: how many share the noise.
        centred: the session's shift is taken out.
    """

    scale: Scale
    pair: Pair
    gate: Gate | None
    limit: float
    effect: float
    noise: float | None
    freedom: float
    error: float | None
    cases: int
    centred: bool

    @property
    def worse(self) -> float:
        """How much worse the case got by itself; below 0: better."""
        return self.effect * self.scale.worse

    @property
    def p_worse(self) -> float | None:
        """One-sided p-value of not being worse; None where the noise is unknown."""
        return self._p_value(self.worse)

    @property
    def p_better(self) -> float | None:
        """One-sided p-value of not being better; None where the noise is unknown."""
        return self._p_value(-self.worse)

    def half(self, error: float) -> float:
        """Return half the 95 % interval of a figure with this standard error."""
        from scipy.special import stdtrit

        return float(stdtrit(self.freedom, 1 - FALSE_ALARMS / 2)) * error

    def has_regressed(self, proof: Proof) -> bool:
        """Whether the case got worse for sure, and by more than the limit."""
        return proof.is_worse and self.worse > self.limit

    def has_improved(self, proof: Proof) -> bool:
        """Whether it got better for sure; a ratio also by more than the limit."""
        return proof.is_better and -self.worse > (self.limit if self.scale.relative else 0.0)

    def _p_value(self, shift: float) -> float | None:
        from scipy.special import stdtr

        if self.error is None:
            return None
        if self.error == 0.0:  # repeats that agree to the last digit: a simulation, or something counted
            return 0.5 if shift == 0.0 else 0.0 if shift > 0 else 1.0
        return float(stdtr(self.freedom, -shift / self.error))


def choose_usual_cases(
    scale: Scale, pairs: Mapping[Identity, Pair], noises: Noises, gates: Mapping[Identity, Gate | None]
) -> Mapping[Identity, Pair] | None:
    """Return the cases whose median is the session's shift; None where that cannot be told.

    All but those that are proven to have moved by themselves: one of three cases that really got better
    drags the median of all three along, and the others would seem worse. They must remain the majority.
    """
    if not scale.relative or len(pairs) < session_shift.LEAST_CASES:
        return None
    cases = prepare_tests(scale, pairs, pairs, noises, gates)
    proven = zip(cases.items(), prove(list(cases.values())), strict=True)
    rest = {name: pairs[name] for (name, case), proof in proven if not _has_moved(case, proof)}
    return rest if 2 * len(rest) > len(pairs) else pairs


def prepare_tests(
    scale: Scale,
    pairs: Mapping[Identity, Pair],
    usual: Mapping[Identity, Pair] | None,
    noises: Noises,
    gates: Mapping[Identity, Gate | None],
) -> dict[Identity, CaseTest]:
    """Take the session's shift out of every case and say how exactly the rest is known.

    `usual` are the cases whose median the shift is; None: nobody can tell the session from the cases.
    """
    middle = 0.0 if usual is None else session_shift.find_centre(usual)
    typical = None if usual is None else session_shift.typical_variance(usual, noises)
    found = {}
    for case, pair in pairs.items():
        noise = noises.find(case)
        error = None
        if noise is not None:
            own = session_shift.change_variance(pair, noise.share)
            if usual is not None and typical is not None:
                own = session_shift.effect_variance(own, typical, len(usual))
            error = math.sqrt(own)
        found[case] = CaseTest(
            scale=scale,
            pair=pair,
            gate=gates[case],
            limit=scale.limit(gates[case], math.fsum(pair.base) / len(pair.base)),
            effect=pair.change - middle,
            noise=None if noise is None else noise.share,
            freedom=0.0 if noise is None else noise.freedom,
            error=error,
            cases=1 if case in noises.own else len(pairs),
            centred=usual is not None,
        )
    return found


def prove(cases: Sequence[CaseTest]) -> list[Proof]:
    """Test all cases as one family, once for being worse and once for being better."""
    worse = _reject([case.p_worse for case in cases])
    better = _reject([case.p_better for case in cases])
    return [Proof(*both) for both in zip(worse, better, strict=True)]


def _reject(p_values: Sequence[float | None]) -> list[bool]:
    """Return which of the known p-values fall; an unknown one is no test and falls never."""
    fell = iter(reject_by_holm([p for p in p_values if p is not None], FALSE_ALARMS))
    return [p is not None and next(fell) for p in p_values]


def _has_moved(case: CaseTest, proof: Proof) -> bool:
    return case.has_regressed(proof) or case.has_improved(proof)


@dataclass(frozen=True)
class MetricTests:
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
    cases: Mapping[Identity, CaseTest]
    gaps: Mapping[Identity, Gap]
    limits: Mapping[Identity, Gate | None]
    noises: Noises
    shift: Shift | None


def prepare_metric(
    scale: Scale,
    matched: Sequence[Matched],
    gates: Sequence[Gate],
    history: Sequence[RunSummary] = (),
    calibrated: Noise | None = None,
) -> MetricTests:
    """Study one metric of all cases that can be compared; `history` is of the same hardware."""
    found = _pair_cases(scale, matched)
    pairs = {case: both for case, both in found.items() if isinstance(both, Pair)}
    gaps = {case: both for case, both in found.items() if isinstance(both, Gap)}
    noises = noise.pool_noise(scale, pairs, history, calibrated)
    limits = {case: find_gate(gates, scale.metric, case[0]) for case in found}
    usual = choose_usual_cases(scale, pairs, noises, limits)
    moved = _find_session_shift(scale, pairs, usual, noises, find_session_gate(gates, scale.metric))
    cases = prepare_tests(scale, pairs, usual, noises, limits)
    return MetricTests(scale, cases, gaps, limits, noises, moved)


def _find_session_shift(
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
        return session_shift.find_shift(scale, pairs, noises, gate, is_separable=False)
    return session_shift.find_shift(scale, usual, noises, gate)


def find_gate(gates: Sequence[Gate], metric: str, case: str) -> Gate | None:
    """Return the last limit that is about a metric of a case, relative or absolute; None if none is."""
    fitting = (
        gate
        for gate in reversed(gates)
        if gate.limits_change and gate.metric == metric and gate.is_about(case)
    )
    return next(fitting, None)


def find_session_gate(gates: Sequence[Gate], metric: str) -> Gate | None:
    """Return the last limit on what all cases have in common."""
    fitting = (gate for gate in reversed(gates) if (gate.kind, gate.metric) == ("session", metric))
    return next(fitting, None)


def _pair_cases(scale: Scale, matched: Sequence[Matched]) -> dict[Identity, Pair | Gap]:
    """Pair the values of all cases in one way: seed by seed if every one of them can be, else none is.

    Repeats of one seed differ less than those of several, so the two may not be pooled into one noise.
    """
    found = _pair_each(scale, matched)
    by_seed = {both.by_seed for both in found.values() if isinstance(both, Pair)}
    return _pair_each(scale, matched, by_seed=False) if len(by_seed) > 1 else found


def _pair_each(
    scale: Scale, matched: Sequence[Matched], *, by_seed: bool = True
) -> dict[Identity, Pair | Gap]:
    good = [one for one in matched if one.problem is None and one.base is not None and one.head is not None]
    both = (
        (one.identity, pair_values(scale, one.base, one.head, by_seed=by_seed))
        for one in good
        if one.base and one.head
    )
    return {identity: found for identity, found in both if found is not None}
