"""What a comparison found: words that a person reads, the figures behind them, and both as JSON.

Everything that shows or gates a comparison (table, exit code, exports) takes it from these.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from energy.analysis.compare.gate import Gate
from energy.records.summary import CaseSummary, RunSummary

Verdict = Literal["improved", "unchanged", "regressed", "inconclusive", "no-baseline", "invalid"]
Problem = Literal["missing", "failed", "no-baseline", "invalid"]


@dataclass(frozen=True)
class Noise:
    """How a metric varies from repeat to repeat on one machine.

    Args:
        share: standard deviation of ln(value), or of the value itself for a metric of unit 1 such as Dice.
        freedom: degrees of freedom behind it.
        origin: in words, such as "48 repeats of 24 cases in 2 runs".
    """

    share: float
    freedom: float
    origin: str


@dataclass(frozen=True)
class Shift:
    """What all cases of a session have in common: median change of a metric, base to head.

    change and interval are relative (0.031: everything took 3.1 % more); interval None: cannot be told.
    """

    metric: str
    change: float
    interval: tuple[float, float] | None
    cases: int
    verdict: Verdict
    why: str
    gate: Gate | None = None


@dataclass(frozen=True)
class Change:
    """One metric of one case, base to head.

    Args:
        metric: its name.
        base: the values behind the base figure; empty if there is none.
        head: the values behind the head figure.
        change: relative (0.05: 5 % more) where `relative`, else the difference; None if unknown. As measured,
            session shift included.
        interval: 95 % interval of `change`; None if it cannot be told, as with one repeat and no known noise.
        effect: the case's own part of the change, the session's shift taken out; what the verdict is about.
        effect_interval: 95 % interval of `effect`.
        p_value: one-sided, of being worse, before Holm; None where nothing was tested.
        verdict: one of the six words.
        why: the reason in words, such as "within the noise of ±1.1 %", "n = 1", "keys differ: hardware".
        gate: the limit that applies to it, if any; a verdict without a gate blocks nothing.
    """

    metric: str
    relative: bool
    base: tuple[float, ...]
    head: tuple[float, ...]
    base_mean: float | None
    head_mean: float | None
    change: float | None
    interval: tuple[float, float] | None
    effect: float | None
    p_value: float | None
    verdict: Verdict
    why: str
    gate: Gate | None = None
    effect_interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class Row:
    """One case in both runs. `problem` says what is wrong with the pair as a whole, else None.

    missing: in the base and not in the head (gate: exit 13).   failed: the head's case has no figures (13).
    no-baseline: not in the base, or its record there is not good or not comparable (12).
    invalid: a flag speaks against the head's record (14).
    """

    case: str
    task: str
    base: CaseSummary | None
    head: CaseSummary | None
    changes: Mapping[str, Change]
    verdict: Verdict
    problem: Problem | None = None
    why: str = ""


@dataclass(frozen=True)
class Bound:
    """A ceiling or floor, and what one case of the head shows against it; that needs no base.

    Args:
        case: its name; empty where no case of the run has the metric.
        task: likewise.
        gate: the ceiling or floor.
        mean: over the repeats; None if unknown.
        interval: 95 % interval of the mean; None for one repeat.
        n: number of repeats.
        verdict: kept, broken (the mean is beyond), failed (the case has no figures), invalid (the figure is
            unknown, or a flag speaks against the record).
        why: the reason in words.
    """

    case: str
    task: str
    gate: Gate
    mean: float | None
    interval: tuple[float, float] | None
    n: int
    verdict: Literal["kept", "broken", "failed", "invalid"]
    why: str


@dataclass(frozen=True)
class Comparison:
    """Everything that a comparison found.

    Args:
        metrics: the compared metrics, in the order of columns.
        noise: by metric; None where nothing tells it.
        refused: why these runs cannot be gated against each other (hardware, meter kind); then no verdict is
            improved or regressed, and a gate ends with 12. None if they can.
        warnings: what a reader should know, such as another software key.
        bounds: what the ceilings and floors among the gates found.
    """

    base: RunSummary | None
    head: RunSummary
    metrics: tuple[str, ...]
    rows: tuple[Row, ...]
    shifts: Mapping[str, Shift]
    noise: Mapping[str, Noise | None]
    gates: tuple[Gate, ...]
    refused: str | None = None
    warnings: tuple[str, ...] = ()
    bounds: tuple[Bound, ...] = ()


def comparison_as_json(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison as what JSON knows; unknown is null, and so is a ratio beyond all floats.

    Changes of metrics that are compared as ratios are shares (0.05: 5 % more), those of others differences.
    """
    return {
        "base": None if comparison.base is None else _run_as_json(comparison.base),
        "head": _run_as_json(comparison.head),
        "metrics": list(comparison.metrics),
        "refused": comparison.refused,
        "warnings": list(comparison.warnings),
        "noise": {metric: _noise_as_json(noise) for metric, noise in comparison.noise.items()},
        "session": {metric: _shift_as_json(shift) for metric, shift in comparison.shifts.items()},
        "cases": [_row_as_json(row) for row in comparison.rows],
    }


def _run_as_json(run: RunSummary) -> dict[str, Any]:
    return {
        "run": run.reference,
        "hardware": run.fingerprint,
        "datetime": run.datetime,
        "commit": run.commit,
        "dirty": run.dirty,
        "finished": run.finished,
    }


def _noise_as_json(noise: Noise | None) -> dict[str, Any] | None:
    return None if noise is None else asdict(noise)


def _shift_as_json(shift: Shift) -> dict[str, Any]:
    return {
        "change": _finite(shift.change),
        "ci95": _finite_interval(shift.interval),
        "cases": shift.cases,
        "verdict": shift.verdict,
        "why": shift.why,
        "gate": None if shift.gate is None else shift.gate.text,
    }


def _row_as_json(row: Row) -> dict[str, Any]:
    return {
        "case": row.case,
        "task": row.task,
        "verdict": row.verdict,
        "problem": row.problem,
        "why": row.why,
        "kind": None if row.head is None else row.head.kind,
        "changes": {metric: _change_as_json(change) for metric, change in row.changes.items()},
    }


def _change_as_json(change: Change) -> dict[str, Any]:
    return {
        "relative": change.relative,
        "base": list(change.base),
        "head": list(change.head),
        "base_mean": change.base_mean,
        "head_mean": change.head_mean,
        "change": _finite(change.change),
        "ci95": _finite_interval(change.interval),
        "effect": _finite(change.effect),
        "effect_ci95": _finite_interval(change.effect_interval),
        "p_worse": change.p_value,
        "verdict": change.verdict,
        "why": change.why,
        "gate": None if change.gate is None else change.gate.text,
    }


def _finite_interval(bounds: tuple[float, float] | None) -> list[float | None] | None:
    return None if bounds is None else [_finite(bounds[0]), _finite(bounds[1])]


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
