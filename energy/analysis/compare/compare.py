"""Compare two runs: pair the cases, pool the noise, take out the session, test, correct, say it in a word.

The statistics are those of a suite whose cases take minutes, so that each has few repeats: see `noise` (one
pooled figure), `shift` (what all cases have in common), `judge` (what the words mean), `holm`, `scale` and
`power`. `tests/audit/false_alarms.py` drives them with random numbers and counts false alarms.

The error band of a modelled figure, often a factor of two, is no part of this: on one machine it is common to
base and head, and a ratio of the two does not have it. What a ratio does have is the noise of the repeats.
Across machines, and between a measurement and a model, it would not cancel: that is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from energy.analysis.compare import pairing, rows, scale, study
from energy.analysis.compare.gate import Gate
from energy.analysis.compare.outcome import Comparison, Noise
from energy.analysis.compare.scale import MARGIN
from energy.records.summary import RunSummary


def compare(
    base: RunSummary | None,
    head: RunSummary,
    *,
    metrics: Sequence[str] | None = None,
    gates: Sequence[Gate] = (),
    history: Sequence[RunSummary] = (),
    calibrated: Mapping[str, Noise] | None = None,
    margin: float = MARGIN,
) -> Comparison:
    """Compare two runs.

    Args:
        base: what the head is compared with; None: there is nothing, and every case has no baseline.
        head: the run in question.
        metrics: names; default: what the cases cost and their Dice. Those of the gates are always compared.
        gates: limits. Of several about one case and metric the last counts, so give the weightiest last.
            Ceilings and floors need no base and are not looked at here. Gated metrics are one family of tests
            and the others another: what nobody gates on takes no power from what somebody does.
        history: earlier runs, for the noise; those of other hardware are left out.
        calibrated: noise of an A/A run by metric, for runs without any repeat.
        margin: the relative change that matters where no gate says so.

    Raises:
        ValueError: there is no such metric, or nobody can say which direction of it is better.
    """
    names = _names(base, head, metrics, gates)
    scales = [scale.of(name, margin) for name in names]
    matched = pairing.of(base, head)
    if base is None:
        bare = tuple(rows.unjudged(one, scales) for one in matched)
        return Comparison(base, head, names, bare, {}, dict.fromkeys(names), tuple(gates))
    warned = tuple(pairing.warnings(base, head, matched))
    if refused := pairing.refusal(base, head, matched):
        shown = tuple(rows.unjudged(one, scales) for one in pairing.refused(matched, refused))
        unknown = dict.fromkeys(names)
        return Comparison(base, head, names, shown, {}, unknown, tuple(gates), refused, warned)
    matched = pairing.explained(base, head, matched)
    earlier = _same_hardware(history, base, head)
    known = calibrated or {}
    studies = [study.of(one, matched, gates, earlier, known.get(one.metric)) for one in scales]
    return Comparison(
        base,
        head,
        names,
        tuple(rows.judged(matched, studies)),
        {one.scale.metric: one.shift for one in studies if one.shift is not None},
        {one.scale.metric: one.noises.common for one in studies},
        tuple(gates),
        None,
        (*warned, *rows.warnings(studies)),
    )


def _names(
    base: RunSummary | None, head: RunSummary, metrics: Sequence[str] | None, gates: Sequence[Gate]
) -> tuple[str, ...]:
    chosen = scale.default_metrics(base, head) if metrics is None else metrics
    gated = (gate.metric for gate in gates if gate.kind in ("relative", "absolute", "session"))
    return tuple(dict.fromkeys([*chosen, *gated]))


def _same_hardware(history: Sequence[RunSummary], base: RunSummary, head: RunSummary) -> list[RunSummary]:
    """Return the earlier runs that tell the noise here; base and head tell it themselves."""
    others = [run for run in history if run not in (base, head)]
    return [run for run in others if run.fingerprint == head.fingerprint is not None]
