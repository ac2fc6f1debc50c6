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
from collections.abc import Sequence

from energy.analysis.compare import session_shift as shift
from energy.analysis.compare import words
from energy.analysis.compare.outcome import Change, Verdict
from energy.analysis.compare.scale import Scale
from energy.analysis.compare.tested import LEVEL, Case, Proof, proofs
from energy.statistics import repeats_needed

ADVICE = "repeat (n = 3), or let `calibrate` measure it"


def changes(cases: Sequence[Case]) -> list[Change]:
    """Judge cases of any metrics, which are one family: a false alarm in any of them is as bad."""
    tested = sum(case.error is not None for case in cases)
    return [_change(case, proof, tested) for case, proof in zip(cases, proofs(cases), strict=True)]


def _change(case: Case, proof: Proof, tested: int) -> Change:
    verdict, why = _verdict(case, proof, tested)
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


def _verdict(case: Case, proof: Proof, tested: int) -> tuple[Verdict, str]:
    limit = words.share(case.scale, case.limit)
    if case.error is None:
        return _without_noise(case)
    if case.pair.is_same and case.effect == 0.0:
        return "unchanged", "the same figures on both sides"
    if case.has_regressed(proof):
        return "regressed", f"worse by {_told(case)}, the limit is {limit}"
    if case.has_improved(proof):
        return "improved", f"better by {_told(case)}"
    most = case.worse + case.half(case.error)
    if most > case.limit:
        return "inconclusive", _doubt(case, proof.is_worse, tested)
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
