"""Turn a finished case into its record: metrics with their spread, every joule with its provenance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from statistics import fmean
from typing import Any

from energy.fault import in_order
from energy.measuring import figures
from energy.measuring.case import Case, Repeat
from energy.measuring.window import Window
from energy.reading import DomainEnergy, Energy
from energy.records import metrics
from energy.records.provenance import find_boundary
from energy.records.repeats import NOT_ALWAYS
from energy.records.validity import make_validity
from energy.records.volumes import summarise_volumes

Key = tuple[str, str, str, str]

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
    domains = _domains([repeat.window.energy for repeat in case.repeats])
    return {
        "schema": SCHEMA,
        "case": case.name,
        "task": described.get("task", "function"),
        "node": case.node,
        "arch": described.get("arch"),
        "technique": described.get("technique"),
        "status": case.status,
        "error": _error(case),
        "budget": _known(described.get("budget", {})),
        **({"repeats": max(1, len(case.repeats))} if case.of > 1 else {}),
        "keys": described.get("keys", {}),
        "metrics": _metrics(case, idle_watts, grid_g_per_kwh),
        "epochs": [_epochs(repeat) for repeat in case.repeats],
        "setup": [_known(repeat.facts) for repeat in case.repeats],
        "boundary": find_boundary(domains),
        "domains": domains,
        "faults": [_faults(repeat.window) for repeat in case.repeats],
        "reference": described.get("reference"),
        "recipe": _known(described.get("recipe", {})),
        "data": _known(described.get("data")),
        "code": described.get("code"),
        "validity": make_validity(flag for repeat in case.repeats for flag in repeat.flags()),
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
    by_volume = summarise_volumes([repeat.facts for repeat in case.repeats])
    summary = {}
    for name in metrics.METRICS:
        cells = [row[name] for row in rows if name in row]
        if len(cells) < len(rows) or not cells:
            continue
        reasons = [reason for value, reason in cells if value is None]
        reason = case.unknown.get(name, reasons[0]) if reasons else None
        values = [value for value, _ in cells]
        summary[name] = metrics.summarise_metric(name, values, reason, by_volume.get(name, {}))
        if all(name in band for band in bands):
            known = summary[name]["mean"] is not None
            summary[name]["band"] = _mean_band([band[name] for band in bands]) if known else None
    return summary


def _known(facts: Any) -> Any:
    """Return facts as JSON has them, so that they equal those of a repeat that was read from the journal.

    Lists stand for tuples, and null for what is no finite number: it must not cost the record.
    """
    if isinstance(facts, float):
        return facts if math.isfinite(facts) else None
    if isinstance(facts, dict):
        return {name: _known(value) for name, value in facts.items()}
    return [_known(value) for value in facts] if isinstance(facts, list | tuple) else facts


def _epochs(repeat: Repeat) -> list[dict[str, Any]]:
    """List the epochs of one repeat with the joules and seconds of each."""
    window, rows, since = repeat.window, [], repeat.window.first
    for mark in window.marks:
        spent, since = window.between(since, mark.reading), mark.reading
        if mark.kind == "epoch":
            figure = {"joules": figures.total_joules(spent)[0], "band": figures.total_band(spent)}
            rows.append({**figure, "seconds": spent.seconds, **_known(mark.facts)})
    return rows


def _domains(energies: Sequence[Energy]) -> list[dict[str, Any]]:
    """Say where each joule comes from, by source and device; what a repeat did not see is null in it."""
    seen = dict.fromkeys(_key(part) for energy in energies for part in energy.domains)
    headline = {_key(part) for energy in energies for part in energy.headline()}
    return [_domain(key, energies, key not in headline) for key in seen]


def _mean_band(bands: Sequence[tuple[float, float] | None]) -> list[float] | None:
    """Return the mean lower and the mean upper end; None if one of the bands is unknown."""
    known = [band for band in bands if band is not None]
    return [fmean(ends) for ends in zip(*known, strict=True)] if known and len(known) == len(bands) else None


def _domain(key: Key, energies: Sequence[Energy], witness: bool) -> dict[str, Any]:
    """Return one source's figures: joules by repeat, the band as its mean over the repeats."""
    parts = [_part(energy, key) for energy in energies]
    known = [part for part in parts if part is not None]
    domain, device, source, boundary = key
    joules = [None if part is None else part.joules for part in parts]
    reason = next((part.reason for part in known if part.reason), None)
    return {
        "domain": domain,
        "device": device,
        "source": source,
        "kind": known[0].kind,
        "boundary": boundary,
        "witness": witness,
        "joules": joules,
        "coverage": min(part.coverage for part in known),
        "band": _mean_band([None if part is None else part.band for part in parts]),
        "reason": reason or (NOT_ALWAYS if None in joules else None),
        "disagreement": _disagreements(parts, energies) if witness else None,
        "model": known[0].model,
    }


def _disagreements(parts: Sequence[DomainEnergy | None], energies: Sequence[Energy]) -> list[float | None]:
    """Return by repeat how far this second opinion lies from the headline, as a share of it."""
    return [
        None if part is None else energy.disagreement(part)
        for part, energy in zip(parts, energies, strict=True)
    ]


def _part(energy: Energy, key: Key) -> DomainEnergy | None:
    return next((part for part in energy.domains if _key(part) == key), None)


def _key(part: DomainEnergy) -> Key:
    return part.domain, part.device, part.source, part.boundary


def _faults(window: Window) -> list[dict[str, Any]]:
    """Return the faults of a window in the order of their beginning.

    `at_seconds` counts from the window's start; what had begun before it is negative.
    """
    faults = in_order(window.energy.faults)
    return [asdict(fault) | {"at_seconds": fault.at_seconds - window.first.seconds} for fault in faults]


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
