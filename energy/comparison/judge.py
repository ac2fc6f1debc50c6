"""The verdict on one metric of all cases: tested each, corrected together.

What the words mean, for a case whose limit is L (the gate's, or the margin where there is no gate):

regressed: worse, proven (one-sided, Holm at 5 % over all tested cases and metrics), and by more than L.
improved: the mirror image. A metric that is compared as a difference (Dice) has improved as soon as that is
    proven; worse by less than L is what a non-inferiority test lets pass.
unchanged: neither of them, and not worse by more than L: the worse end of the 95 % interval is nearer than L.
    It is a statement about L, not that nothing changed; and the better end may lie beyond L.
inconclusive: the interval reaches beyond L. Neither "worse by L" nor "not worse by L" can be said, and a
    difference that is not significant is not called equal.

The interval is the two-sided 95 % interval that the tables show, so non-inferiority is tested at 2.5 %.

One repeat on each side has no spread. Then the noise of other cases, of earlier runs or of `calibrate`
decides. Without any, equal figures are `unchanged` (the row says n = 1: equal to the digits of the file,
which is all that is known), and any difference is `inconclusive`.

A file compared with itself shows the same figures in every case and no shift of the session: `unchanged`,
however noisy its repeats.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from energy.comparison import holm, shift, words
from energy.comparison.gate import Gate
from energy.comparison.noise import Noises
from energy.comparison.outcome import Change, Verdict
from energy.comparison.pair import Identity, Pair
from energy.comparison.power import repeats_needed
from energy.comparison.scale import Scale

LEVEL = 0.05  # of one false alarm or more among all tests of a family
ADVICE = "repeat (n = 3), or let `calibrate` measure it"


@dataclass(frozen=True)
class Case:
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
        return _quantile(self.freedom, 1 - LEVEL / 2) * error

    def _p_value(self, shift: float) -> float | None:
        from scipy.special import stdtr

        if self.error is None:
            return None
        if self.error == 0.0:  # repeats that agree to the last digit: a simulation, or something counted
            return 0.5 if shift == 0.0 else 0.0 if shift > 0 else 1.0
        return float(stdtr(self.freedom, -shift / self.error))


def usual_cases(
    scale: Scale, pairs: Mapping[Identity, Pair], noises: Noises, gates: Mapping[Identity, Gate | None]
) -> Mapping[Identity, Pair] | None:
    """Return the cases whose median is the session's shift; None where that cannot be told.

    All but those that are proven to have moved by themselves: one of three cases that really got better
    drags the median of all three along, and the others would seem worse. They must remain the majority.
    """
    if not scale.relative or len(pairs) < shift.LEAST_CASES:
        return None
    cases = cases_of(scale, pairs, pairs, noises, gates)
    judged = zip(cases, changes(list(cases.values())), strict=True)
    rest = {case: pairs[case] for case, change in judged if change.verdict not in ("regressed", "improved")}
    return rest if 2 * len(rest) > len(pairs) else pairs


def cases_of(
    scale: Scale,
    pairs: Mapping[Identity, Pair],
    usual: Mapping[Identity, Pair] | None,
    noises: Noises,
    gates: Mapping[Identity, Gate | None],
) -> dict[Identity, Case]:
    """Take the session's shift out of every case and say how exactly the rest is known.

    `usual` are the cases whose median the shift is; None: nobody can tell the session from the cases.
    """
    middle = 0.0 if usual is None else shift.centre(usual)
    typical = None if usual is None else shift.typical_variance(usual, noises)
    found = {}
    for case, pair in pairs.items():
        noise = noises.of(case)
        error = None
        if noise is not None:
            own = shift.change_variance(pair, noise.share)
            if usual is not None and typical is not None:
                own = shift.effect_variance(own, typical, len(usual))
            error = math.sqrt(own)
        found[case] = Case(
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


def changes(cases: Sequence[Case]) -> list[Change]:
    """Judge cases of any metrics, which are one family: a false alarm in any of them is as bad."""
    tested = [case for case in cases if case.error is not None]
    worse = holm.rejected([case.p_worse for case in tested if case.p_worse is not None], LEVEL)
    better = holm.rejected([case.p_better for case in tested if case.p_better is not None], LEVEL)
    proofs = iter(zip(worse, better, strict=True))
    return [
        _change(case, *((False, False) if case.error is None else next(proofs)), len(tested))
        for case in cases
    ]


def _change(case: Case, is_worse: bool, is_better: bool, tested: int) -> Change:
    verdict, why = _verdict(case, is_worse, is_better, tested)
    pair, scale = case.pair, case.scale
    whole = None if case.noise is None else case.half(math.sqrt(shift.change_variance(pair, case.noise)))
    own = None if case.error is None else case.half(case.error)
    return Change(
        metric=scale.metric,
        relative=scale.relative,
        base=pair.base,
        head=pair.head,
        base_mean=math.fsum(pair.base) / len(pair.base),
        head_mean=math.fsum(pair.head) / len(pair.head),
        change=scale.change(pair.change),
        interval=_interval(scale, pair.change, whole),
        effect=scale.change(case.effect),
        effect_interval=_interval(scale, case.effect, own),
        p_value=case.p_worse,
        verdict=verdict,
        why=why,
        gate=case.gate,
    )


def _interval(scale: Scale, middle: float, half: float | None) -> tuple[float, float] | None:
    return None if half is None else (scale.change(middle - half), scale.change(middle + half))


def _verdict(case: Case, is_worse: bool, is_better: bool, tested: int) -> tuple[Verdict, str]:
    limit = words.share(case.scale, case.limit)
    if case.error is None:
        return _without_noise(case)
    if case.pair.is_same and case.effect == 0.0:
        return "unchanged", "the same figures on both sides"
    if is_worse and case.worse > case.limit:
        return "regressed", f"worse by {_told(case)}, the limit is {limit}"
    if is_better and -case.worse > (case.limit if case.scale.relative else 0.0):
        return "improved", f"better by {_told(case)}"
    most = case.worse + case.half(case.error)
    if most > case.limit:
        return "inconclusive", _doubt(case, is_worse, tested)
    return "unchanged", f"not worse by more than {limit}{_conditions(case)}"


def _told(case: Case) -> str:
    """Write by how much a case is worse or better, and what was not done to that figure."""
    return f"{words.share(case.scale, case.worse)}{_conditions(case)}"


def _conditions(case: Case) -> str:
    if case.scale.by_seed and not case.pair.by_seed:
        return ", not by seed: base and head have other seeds"
    if not case.scale.relative or case.centred:
        return ""
    return ", the session's drift included"


def _without_noise(case: Case) -> tuple[Verdict, str]:
    count = f"n = {len(case.pair.head)}"
    if case.pair.is_same:
        return "unchanged", f"the same figure; {count}: no interval"
    return "inconclusive", f"{count} and no noise is known: no interval; {ADVICE}"


def _doubt(case: Case, is_worse: bool, tested: int) -> str:
    """Say what cannot be told, and how many repeats would tell."""
    limit = words.share(case.scale, case.limit)
    if case.worse <= case.limit:
        told = "worse, but perhaps not" if is_worse else "may be worse"
        need = _needed(case, case.limit - max(0.0, case.worse), LEVEL / 2)
        return f"{told} by more than the limit of {limit}{_conditions(case)}; {need}"
    told = f"worse by {_told(case)}, the limit is {limit}, but noise may do that among"
    return f"{told} {words.counted_tests(tested)}; {_needed(case, case.worse, LEVEL / tested)}"


def _needed(case: Case, shift: float, level: float) -> str:
    """Say how many repeats a side would tell: a change of this size, or that it is so far from the limit.

    Both take the change seen as the true one. If it is the limit itself, nothing tells.
    """
    repeats = repeats_needed(case.noise, shift, level, case.cases) if case.noise and shift > 0 else None
    if repeats is None:
        return "so near the limit that not even 1000 repeats would tell"
    return f"need about n = {max(repeats, len(case.pair.head) + 1)}"


def _quantile(freedom: float, share: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(freedom, share))
