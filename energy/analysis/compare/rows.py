"""The rows of a comparison: the changes of each case, and the one word for all of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from energy.analysis.compare import judge, pair
from energy.analysis.compare.gate import Gate
from energy.analysis.compare.outcome import Change, Row, Verdict
from energy.analysis.compare.pair import Gap, Identity, Pair
from energy.analysis.compare.pairing import Matched
from energy.analysis.compare.scale import Scale
from energy.analysis.compare.study import Study
from energy.analysis.compare.tested import Case

# A row has the first of these that one of its metrics has.
GRAVEST: tuple[Verdict, ...] = (
    "regressed", "invalid", "inconclusive", "no-baseline", "improved", "unchanged",
)  # fmt: skip
NOTHING = "none of the compared metrics is known on both sides"


def judged(matched: Sequence[Matched], studies: Sequence[Study]) -> Iterator[Row]:
    """Yield the row of each case, all cases of all metrics judged."""
    found: dict[Identity, dict[str, Change]] = {one.identity: {} for one in matched}
    cases = [(identity, case) for one in studies for identity, case in one.cases.items()]
    for family in _families(cases):
        changes = judge.changes([case for _, case in family])
        for (identity, _), change in zip(family, changes, strict=True):
            found[identity][change.metric] = change
    for one in studies:
        for identity, gap in one.gaps.items():
            found[identity][one.scale.metric] = _of_gap(one.scale, gap, one.limits[identity])
    order = [one.scale.metric for one in studies]
    for case in matched:
        changed = found[case.identity]
        if case.is_comparable:
            yield _row(case, {name: changed[name] for name in order if name in changed})
        else:
            yield unjudged(case, [one.scale for one in studies])


def unjudged(one: Matched, scales: Sequence[Scale]) -> Row:
    """Return the row of a case that may not be judged: its figures, if it has them, without a verdict."""
    if one.problem != "no-baseline" or one.base is None or one.head is None:
        return _row(one, {})
    pairs = {scale: pair.of(scale, one.base, one.head) for scale in scales}
    return _row(one, {scale.metric: _unjudged(scale, both, one.why) for scale, both in pairs.items() if both})


def warnings(studies: Sequence[Study]) -> Iterator[str]:
    """Yield the shifts that no gate limits, though all cases got worse together."""
    for one in studies:
        if one.shift is not None and one.shift.verdict == "regressed" and one.shift.gate is None:
            yield (
                f"{one.scale.metric} of all cases moved together: the session, or a change in what they "
                "share; a limit for it is session:LIMIT"
            )


def _families(cases: Sequence[tuple[Identity, Case]]) -> list[list[tuple[Identity, Case]]]:
    """Part what a gate limits from the rest; without any gate all are tested as one family."""
    gated = [(identity, case) for identity, case in cases if case.gate is not None]
    others = [(identity, case) for identity, case in cases if case.gate is None]
    return [family for family in (gated, others) if family]


def _row(one: Matched, changes: Mapping[str, Change]) -> Row:
    if one.problem is not None:
        verdict: Verdict = "no-baseline" if one.problem == "no-baseline" else "invalid"
        return Row(one.case, one.task, one.base, one.head, changes, verdict, one.problem, one.why)
    words = {change.verdict for change in changes.values()}
    verdict = next((word for word in GRAVEST if word in words), "inconclusive")
    return Row(one.case, one.task, one.base, one.head, changes, verdict, why="" if changes else NOTHING)


def _of_gap(scale: Scale, gap: Gap, gate: Gate | None) -> Change:
    return _change(scale, gap.base, gap.head, None, gap.verdict, gap.why, gate)


def _unjudged(scale: Scale, both: Pair | Gap, why: str) -> Change:
    shown = scale.change(both.change) if isinstance(both, Pair) else None
    return _change(scale, both.base, both.head, shown, "no-baseline", why, None)


def _change(
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
