"""Turn a finished case into its record: metrics with their spread, every joule with its provenance."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Any

from energy import metrics
from energy.case import Case, Repeat
from energy.figures import measured, total_joules
from energy.reading import DomainEnergy, Energy

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
        "keys": described.get("keys", {}),
        "metrics": _metrics(case, idle_watts, grid_g_per_kwh),
        "epochs": [_epochs(repeat) for repeat in case.repeats],
        "setup": [repeat.facts for repeat in case.repeats],
        "domains": _domains([repeat.window.energy for repeat in case.repeats]),
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
    rows = [measured(repeat, idle_watts, grid_g_per_kwh) for repeat in case.repeats]
    summary = {}
    for name in metrics.METRICS:
        cells = [row[name] for row in rows if name in row]
        if len(cells) < len(rows) or not cells:
            continue
        reasons = [reason for value, reason in cells if value is None]
        reason = case.unknown.get(name, reasons[0]) if reasons else None
        summary[name] = metrics.summarise(name, [value for value, _ in cells], reason)
    return summary


def _epochs(repeat: Repeat) -> list[dict[str, Any]]:
    """List the epochs of one repeat with the joules and seconds of each."""
    rows, since = [], repeat.window.first
    for mark in repeat.window.marks:
        spent = mark.reading - since
        since = mark.reading
        if mark.kind == "epoch":
            rows.append({"joules": total_joules(spent)[0], "seconds": spent.seconds, **mark.facts})
    return rows


def _domains(energies: Sequence[Energy]) -> list[dict[str, Any]]:
    """Give each figure its provenance; a domain that some repeats did not see is null in those."""
    if not energies:
        return []
    headline = {(part.domain, part.device, part.source) for energy in energies for part in energy.headline()}
    seen: dict[tuple[str, str, str], list[DomainEnergy | None]] = {}
    for index, energy in enumerate(energies):
        for part in energy.domains:
            key = (part.domain, part.device, part.source)
            seen.setdefault(key, [None] * len(energies))[index] = part
    return [_provenance(key, parts, key not in headline) for key, parts in seen.items()]


def _provenance(
    key: tuple[str, str, str], parts: Sequence[DomainEnergy | None], witness: bool
) -> dict[str, Any]:
    """Return one source's figures: joules by repeat, the band as its mean over the repeats."""
    known = [part for part in parts if part is not None]
    bands = [part.band for part in known if part.band is not None]
    whole = len(bands) == len(parts)
    reasons = [part.reason for part in known if part.reason]
    return {
        "domain": key[0],
        "device": key[1],
        "source": key[2],
        "kind": known[0].kind,
        "witness": witness,
        "joules": [None if part is None else part.joules for part in parts],
        "coverage": min(part.coverage for part in known),
        "band": [fmean(ends) for ends in zip(*bands, strict=True)] if whole else None,
        "reason": reasons[0] if reasons else None,
    }


def _validity(repeats: Sequence[Repeat]) -> dict[str, Any]:
    flags = sorted({flag for repeat in repeats for flag in repeat.window.flags()})
    return {"ok": not flags, "flags": flags}


def _machine(case: Case) -> dict[str, Any]:
    return {
        "threads": case.description.get("threads"),
        "states": [
            {
                "before": repeat.window.state_before.as_json(),
                "after": repeat.window.state_after.as_json(),
            }
            for repeat in case.repeats
        ],
    }
