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

from energy.analysis.compare.cases import explain_keys, find_refusal, match_cases, refuse_all, warn_of_runs
from energy.analysis.compare.gate import Gate
from energy.analysis.compare.result import Comparison, Noise
from energy.analysis.compare.significance import prepare_metric
from energy.analysis.compare.values import MARGIN, choose_metrics, choose_scale
from energy.analysis.compare.verdict import judge_rows, show_unjudged, warn_of_shifts
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
    scales = [choose_scale(name, margin) for name in names]
    matched = match_cases(base, head)
    if base is None:
        bare = tuple(show_unjudged(one, scales) for one in matched)
        return Comparison(base, head, names, bare, {}, dict.fromkeys(names), tuple(gates))
    warned = tuple(warn_of_runs(base, head, matched))
    if refused := find_refusal(base, head, matched):
        shown = tuple(show_unjudged(one, scales) for one in refuse_all(matched, refused))
        unknown = dict.fromkeys(names)
        return Comparison(base, head, names, shown, {}, unknown, tuple(gates), refused, warned)
    matched = explain_keys(base, head, matched)
    earlier = _same_hardware(history, base, head)
    known = calibrated or {}
    studies = [prepare_metric(one, matched, gates, earlier, known.get(one.metric)) for one in scales]
    return Comparison(
        base,
        head,
        names,
        tuple(judge_rows(matched, studies)),
        {one.scale.metric: one.shift for one in studies if one.shift is not None},
        {one.scale.metric: one.noises.common for one in studies},
        tuple(gates),
        None,
        (*warned, *warn_of_shifts(studies)),
    )


def _names(
    base: RunSummary | None, head: RunSummary, metrics: Sequence[str] | None, gates: Sequence[Gate]
) -> tuple[str, ...]:
    chosen = choose_metrics(base, head) if metrics is None else metrics
    gated = (gate.metric for gate in gates if gate.compares)
    return tuple(dict.fromkeys([*chosen, *gated]))


def _same_hardware(history: Sequence[RunSummary], base: RunSummary, head: RunSummary) -> list[RunSummary]:
    """Return the earlier runs that tell the noise here; base and head tell it themselves."""
    others = [run for run in history if run not in (base, head)]
    return [run for run in others if run.fingerprint == head.fingerprint is not None]
