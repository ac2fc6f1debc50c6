"""A comparison as JSON, for programs."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from energy.analysis.compare.outcome import Change, Comparison, Noise, Row, Shift
from energy.records.summary import RunSummary


def as_json(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison as what JSON knows; unknown is null, and so is a ratio beyond all floats.

    Changes of metrics that are compared as ratios are shares (0.05: 5 % more), those of others differences.
    """
    return {
        "base": None if comparison.base is None else _run(comparison.base),
        "head": _run(comparison.head),
        "metrics": list(comparison.metrics),
        "refused": comparison.refused,
        "warnings": list(comparison.warnings),
        "noise": {metric: _noise(noise) for metric, noise in comparison.noise.items()},
        "session": {metric: _shift(shift) for metric, shift in comparison.shifts.items()},
        "cases": [_row(row) for row in comparison.rows],
    }


def _run(run: RunSummary) -> dict[str, Any]:
    return {
        "run": run.reference,
        "hardware": run.fingerprint,
        "datetime": run.datetime,
        "commit": run.commit,
        "dirty": run.dirty,
        "finished": run.finished,
    }


def _noise(noise: Noise | None) -> dict[str, Any] | None:
    return None if noise is None else asdict(noise)


def _shift(shift: Shift) -> dict[str, Any]:
    return {
        "change": _number(shift.change),
        "ci95": _interval(shift.interval),
        "cases": shift.cases,
        "verdict": shift.verdict,
        "why": shift.why,
        "gate": None if shift.gate is None else shift.gate.text,
    }


def _row(row: Row) -> dict[str, Any]:
    return {
        "case": row.case,
        "task": row.task,
        "verdict": row.verdict,
        "problem": row.problem,
        "why": row.why,
        "kind": None if row.head is None else row.head.kind,
        "changes": {metric: _change(change) for metric, change in row.changes.items()},
    }


def _change(change: Change) -> dict[str, Any]:
    return {
        "relative": change.relative,
        "base": list(change.base),
        "head": list(change.head),
        "base_mean": change.base_mean,
        "head_mean": change.head_mean,
        "change": _number(change.change),
        "ci95": _interval(change.interval),
        "effect": _number(change.effect),
        "effect_ci95": _interval(change.effect_interval),
        "p_worse": change.p_value,
        "verdict": change.verdict,
        "why": change.why,
        "gate": None if change.gate is None else change.gate.text,
    }


def _interval(bounds: tuple[float, float] | None) -> list[float | None] | None:
    return None if bounds is None else [_number(bounds[0]), _number(bounds[1])]


def _number(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
