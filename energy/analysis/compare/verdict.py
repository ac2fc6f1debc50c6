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
from collections.abc import Iterator, Mapping, Sequence

from energy.analysis.compare import session_shift, words
from energy.analysis.compare.cases import Matched
from energy.analysis.compare.gate import Gate
from energy.analysis.compare.result import Change, Row, Verdict
from energy.analysis.compare.significance import FALSE_ALARMS, CaseTest, MetricTests, Proof, prove
from energy.analysis.compare.values import Gap, Identity, Pair, Scale, pair_values
from energy.statistics import repeats_needed

ADVICE = "repeat (n = 3), or let `calibrate` measure it"


def judge_cases(cases: Sequence[CaseTest]) -> list[Change]:
    """Judge cases of any metrics, which are one family: a false alarm in any of them is as bad."""
    tested = sum(case.error is not None for case in cases)
    return [_judge(case, proof, tested) for case, proof in zip(cases, prove(cases), strict=True)]


def _judge(case: CaseTest, proof: Proof, tested: int) -> Change:
    verdict, why = _find_verdict(case, proof, tested)
    pair, scale = case.pair, case.scale
    whole = (
        None if case.noise is None else case.half(math.sqrt(session_shift.change_variance(pair, case.noise)))
    )
    own = None if case.error is None else case.half(case.error)
    return Change(
        metric=scale.metric,
        relative=scale.relative,
        base=pair.base,
        head=pair.head,
        base_mean=math.fsum(pair.base) / len(pair.base),
        head_mean=math.fsum(pair.head) / len(pair.head),
        change=scale.change(pair.change),
        interval=_as_interval(scale, pair.change, whole),
        effect=scale.change(case.effect),
        effect_interval=_as_interval(scale, case.effect, own),
        p_value=case.p_worse,
        verdict=verdict,
        why=why,
        gate=case.gate,
    )


def _as_interval(scale: Scale, middle: float, half: float | None) -> tuple[float, float] | None:
    return None if half is None else (scale.change(middle - half), scale.change(middle + half))


def _find_verdict(case: CaseTest, proof: Proof, tested: int) -> tuple[Verdict, str]:
    limit = words.write_share(case.scale, case.limit)
    if case.error is None:
        return _without_noise(case)
    if case.pair.is_same and case.effect == 0.0:
        return "unchanged", "the same figures on both sides"
    if case.has_regressed(proof):
        return "regressed", f"worse by {_tell(case)}, the limit is {limit}"
    if case.has_improved(proof):
        return "improved", f"better by {_tell(case)}"
    most = case.worse + case.half(case.error)
    if most > case.limit:
        return "inconclusive", _tell_doubt(case, proof.is_worse, tested)
    return "unchanged", f"not worse by more than {limit}{_tell_conditions(case)}"


def _tell(case: CaseTest) -> str:
    """Write by how much a case is worse or better, and what was not done to that figure."""
    return f"{words.write_share(case.scale, case.worse)}{_tell_conditions(case)}"


def _tell_conditions(case: CaseTest) -> str:
    told = f", {case.pair.note}" if case.pair.note else ""
    if case.scale.by_seed and not case.pair.by_seed:
        return f"{told}, not by seed"
    if not case.scale.relative or case.centred:
        return told
    return f"{told}, the session's drift included"


def _without_noise(case: CaseTest) -> tuple[Verdict, str]:
    count = f"n = {len(case.pair.head)}{f', {case.pair.note}' if case.pair.note else ''}"
    if case.pair.is_same:
        return "unchanged", f"the same figure; {count}: no interval"
    return "inconclusive", f"{count} and no noise is known: no interval; {ADVICE}"


def _tell_doubt(case: CaseTest, is_worse: bool, tested: int) -> str:
    """Say what cannot be told, and how many repeats would tell."""
    limit = words.write_share(case.scale, case.limit)
    if case.worse <= case.limit:
        told = "worse, but perhaps not" if is_worse else "may be worse"
        need = _tell_need(case, case.limit - max(0.0, case.worse), FALSE_ALARMS / 2)
        return f"{told} by more than the limit of {limit}{_tell_conditions(case)}; {need}"
    told = f"worse by {_tell(case)}, the limit is {limit}, but noise may do that among"
    return f"{told} {words.count_tests(tested)}; {_tell_need(case, case.worse, FALSE_ALARMS / tested)}"


def _tell_need(case: CaseTest, shift: float, level: float) -> str:
    """Say how many repeats a side would tell: a change of this size, or that it is so far from the limit.

    Both take the change seen as the true one. If it is the limit itself, nothing tells.
    """
    repeats = repeats_needed(case.noise, shift, level, case.cases) if case.noise and shift > 0 else None
    if repeats is None:
        return "so near the limit that not even 1000 repeats would tell"
    return f"need about n = {max(repeats, len(case.pair.head) + 1)}"


# A row has the first of these that one of its metrics has.
GRAVEST_VERDICTS: tuple[Verdict, ...] = (
    "regressed", "invalid", "inconclusive", "no-baseline", "improved", "unchanged",
)  # fmt: skip
NOTHING = "none of the compared metrics is known on both sides"


def judge_rows(matched: Sequence[Matched], studies: Sequence[MetricTests]) -> Iterator[Row]:
    """Yield the row of each case, all cases of all metrics judged."""
    found: dict[Identity, dict[str, Change]] = {one.identity: {} for one in matched}
    cases = [(identity, case) for one in studies for identity, case in one.cases.items()]
    for family in _part_families(cases):
        changes = judge_cases([case for _, case in family])
        for (identity, _), change in zip(family, changes, strict=True):
            found[identity][change.metric] = change
    for one in studies:
        for identity, gap in one.gaps.items():
            found[identity][one.scale.metric] = _show_gap(one.scale, gap, one.limits[identity])
    order = [one.scale.metric for one in studies]
    for case in matched:
        changed = found[case.identity]
        if case.is_comparable:
            yield _make_row(case, {name: changed[name] for name in order if name in changed})
        else:
            yield show_unjudged(case, [one.scale for one in studies])


def show_unjudged(one: Matched, scales: Sequence[Scale]) -> Row:
    """Return the row of a case that may not be judged: its figures, if it has them, without a verdict."""
    if one.problem != "no-baseline" or one.base is None or one.head is None:
        return _make_row(one, {})
    pairs = {scale: pair_values(scale, one.base, one.head) for scale in scales}
    return _make_row(
        one, {scale.metric: _show_pair(scale, both, one.why) for scale, both in pairs.items() if both}
    )


def warn_of_shifts(studies: Sequence[MetricTests]) -> Iterator[str]:
    """Yield the shifts that no gate limits, though all cases got worse together."""
    for one in studies:
        if one.shift is not None and one.shift.verdict == "regressed" and one.shift.gate is None:
            yield (
                f"{one.scale.metric} of all cases moved together: the session, or a change in what they "
                "share; a limit for it is session:LIMIT"
            )


def _part_families(cases: Sequence[tuple[Identity, CaseTest]]) -> list[list[tuple[Identity, CaseTest]]]:
    """Part what a gate limits from the rest; without any gate all are tested as one family."""
    gated = [(identity, case) for identity, case in cases if case.gate is not None]
    others = [(identity, case) for identity, case in cases if case.gate is None]
    return [family for family in (gated, others) if family]


def _make_row(one: Matched, changes: Mapping[str, Change]) -> Row:
    if one.problem is not None:
        verdict: Verdict = "no-baseline" if one.problem == "no-baseline" else "invalid"
        return Row(one.case, one.task, one.base, one.head, changes, verdict, one.problem, one.why)
    words = {change.verdict for change in changes.values()}
    verdict = next((word for word in GRAVEST_VERDICTS if word in words), "inconclusive")
    return Row(one.case, one.task, one.base, one.head, changes, verdict, why="" if changes else NOTHING)


def _show_gap(scale: Scale, gap: Gap, gate: Gate | None) -> Change:
    return _show_change(scale, gap.base, gap.head, None, gap.verdict, gap.why, gate)


def _show_pair(scale: Scale, both: Pair | Gap, why: str) -> Change:
    shown = scale.change(both.change) if isinstance(both, Pair) else None
    return _show_change(scale, both.base, both.head, shown, "no-baseline", why, None)


def _show_change(
    scale: Scale,
    base: tuple[float, ...],
    head: tuple[float, ...],
    change: float | None,
    verdict: Verdict,
    why: str,
    gate: Gate | None,
) -> Change:
    """Return a change about which no statistics says anything."""
    return Change(
        metric=scale.metric,
        relative=scale.relative,
        base=base,
        head=head,
        base_mean=_mean(base),
        head_mean=_mean(head),
        change=change,
        interval=None,
        effect=None,
        p_value=None,
        verdict=verdict,
        why=why,
        gate=gate,
    )


def _mean(values: tuple[float, ...]) -> float | None:
    return math.fsum(values) / len(values) if values else None
