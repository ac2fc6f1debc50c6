"""Turn a finished case into its record: metrics with their spread, every joule with its provenance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from energy.measuring import domains, figures, ledger
from energy.measuring.case import Case, Repeat
from energy.records import metrics

SCHEMA = 1
MESSAGE_LENGTH = 2000


def build(case: Case, idle_watts: float | None = None, grid_g_per_kwh: float | None = None) -> dict[str, Any]:
    """Return the record of a finished case as contract and `schema.json` describe it.

    Args:
        case: a case that has ended, well or not.
        idle_watts: what the machine drew before the first case, for `idle_kj`; None: not measured.
        grid_g_per_kwh: grams of CO2 per kWh of the grid that fed the machine, for `co2_g`; None: not told.
    """
    described = case.description
    return {
        "schema": SCHEMA,
        "case": case.name,
        "task": described.get("task", "function"),
        "node": case.node,
        "arch": described.get("arch"),
        "technique": described.get("technique"),
        "status": case.status,
        "error": _error(case),
        "budget": described.get("budget", {}),
        **({"repeats": max(1, len(case.repeats))} if case.of > 1 else {}),
        "keys": described.get("keys", {}),
        "metrics": _metrics(case, idle_watts, grid_g_per_kwh),
        "epochs": [_epochs(repeat) for repeat in case.repeats],
        "setup": [repeat.facts for repeat in case.repeats],
        "domains": domains.of([repeat.window.energy for repeat in case.repeats]),
        "faults": [ledger.of(repeat.window.energy, repeat.window.first) for repeat in case.repeats],
        "reference": described.get("reference"),
        "recipe": described.get("recipe", {}),
        "data": described.get("data"),
        "code": described.get("code"),
        "validity": _validity(case.repeats),
        "machine": _machine(case),
    }


def _error(case: Case) -> dict[str, Any] | None:
    if case.problem is None:
        return None
    return {
        "type": type(case.problem).__name__,
        "message": str(case.problem)[:MESSAGE_LENGTH],
        "seconds": case.failed_after_seconds,
    }


def _metrics(case: Case, idle_watts: float | None, grid_g_per_kwh: float | None) -> dict[str, Any]:
    """Summarise every metric that the case can have: one value per repeat, null with its reason."""
    if case.status != "ok":
        return {}
    rows = [figures.measured(repeat, idle_watts, grid_g_per_kwh) for repeat in case.repeats]
    bands = [figures.bands(repeat) for repeat in case.repeats]
    summary = {}
    for name in metrics.METRICS:
        cells = [row[name] for row in rows if name in row]
        if len(cells) < len(rows) or not cells:
            continue
        reasons = [reason for value, reason in cells if value is None]
        reason = case.unknown.get(name, reasons[0]) if reasons else None
        summary[name] = metrics.summarise_metric(name, [value for value, _ in cells], reason)
        if all(name in band for band in bands):
            known = summary[name]["mean"] is not None
            summary[name]["band"] = domains.mean_band([band[name] for band in bands]) if known else None
    return summary


def _epochs(repeat: Repeat) -> list[dict[str, Any]]:
    """List the epochs of one repeat with the joules and seconds of each."""
    rows, since = [], repeat.window.first
    for mark in repeat.window.marks:
        spent = mark.reading - since
        since = mark.reading
        if mark.kind == "epoch":
            figure = {"joules": figures.total_joules(spent)[0], "band": figures.total_band(spent)}
            rows.append({**figure, "seconds": spent.seconds, **mark.facts})
    return rows


def _validity(repeats: Sequence[Repeat]) -> dict[str, Any]:
    flags = sorted({flag for repeat in repeats for flag in repeat.flags()})
    return {"ok": not flags, "flags": flags}


def _machine(case: Case) -> dict[str, Any]:
    return {
        "threads": case.description.get("threads"),
        "states": [
            {
                "before": repeat.window.state_before.as_json(),
                "after": repeat.window.state_after.as_json(),
                "devices_before": repeat.window.context_before,
                "devices_after": repeat.window.context_after,
                "cooling": None if repeat.cooling is None else repeat.cooling.as_json(),
            }
            for repeat in case.repeats
        ],
    }
