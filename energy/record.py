"""Turn a finished case into its record: metrics with their spread, every joule with its provenance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from energy import metrics
from energy.case import Case, Repeat
from energy.reading import DomainEnergy, Energy

SCHEMA = 1
JOULES_PER_KJ = 1000.0
MESSAGE_LENGTH = 2000

# Why a metric is unknown, where the record itself knows.
NO_METER = "no meter read the {domain} in this run"
NO_SENSOR = "this machine shows no temperature sensor"
NO_PEAK = "this system keeps no resettable memory peak"
NO_EPOCHS = "the case marked no epochs"
NO_IDLE = "idle power was not measured in this run"


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


Cell = tuple[float | None, str | None]


def measured(repeat: Repeat, idle_watts: float | None, grid_g_per_kwh: float | None) -> dict[str, Cell]:
    """Return every metric of one repeat as (value, None) or (None, reason)."""
    energy, window = repeat.window.energy, repeat.window
    total = total_joules(energy)
    row: dict[str, Cell] = {
        "total_kj": _kilojoules(total),
        "gpu_kj": _kilojoules(_part(energy, "gpu")),
        "cpu_kj": _kilojoules(_part(energy, "cpu")),
        "ram_kj": _kilojoules(_part(energy, "ram")),
        "codecarbon_kj": _kilojoules(_codecarbon(energy)),
        "idle_kj": (None, NO_IDLE)
        if idle_watts is None
        else (idle_watts * energy.seconds / JOULES_PER_KJ, None),
        "seconds": (energy.seconds, None),
        "mean_watts": _scaled(total, 1 / energy.seconds),
        "co2_g": _co2_g(total, grid_g_per_kwh),
        "peak_rss_mib": (window.peak_rss_mib, None if window.peak_rss_mib is not None else NO_PEAK),
        "temp_rise_c": _temperature_rise(repeat),
    }
    if any(mark.kind == "epoch" for mark in window.marks):
        row |= _per_epoch(repeat)
    row |= {name: (value, "not observed") for name, value in repeat.observed.items()}
    if "dice" in row:
        row["dice_per_kj"] = _ratio(row["dice"], row["total_kj"])
    return row


def total_joules(energy: Energy) -> Cell:
    """Sum GPU, CPU and RAM of a window; unknown as soon as one of them is (a part is not a total)."""
    parts = [_part(energy, domain) for domain in ("cpu", "ram")]
    if any(domain.domain == "gpu" for domain in energy.headline()):
        parts.append(_part(energy, "gpu"))
    for value, reason in parts:
        if value is None:
            return None, reason
    return sum(value for value, _ in parts if value is not None), None


def _part(energy: Energy, domain: str) -> Cell:
    found = [part for part in energy.headline() if part.domain == domain]
    if not found:
        return None, NO_METER.format(domain=domain)
    for part in found:
        if part.joules is None:
            return None, part.reason
    return sum(part.joules for part in found if part.joules is not None), None


def _codecarbon(energy: Energy) -> Cell:
    """Sum what CodeCarbon itself reports, the second witness."""
    found = [part for part in energy.domains if part.source.startswith("codecarbon")]
    if not found:
        return None, "CodeCarbon did not run"
    if any(part.joules is None for part in found):
        return None, next(part.reason for part in found if part.joules is None)
    return sum(part.joules for part in found if part.joules is not None), None


def _per_epoch(repeat: Repeat) -> dict[str, Cell]:
    """Derive the figures of the training loop from the readings at the ends of its epochs."""
    window = repeat.window
    epochs = [mark for mark in window.marks if mark.kind == "epoch"]
    setup = [mark for mark in window.marks if mark.kind == "setup"]
    # The first epoch still pays for what is built lazily (workers, buffers); after it, epochs are steady.
    first = epochs[0].reading if len(epochs) > 1 else (setup[-1].reading if setup else window.first)
    steady = epochs[-1].reading - first
    count = max(1, len(epochs) - 1)
    slices = sum(mark.facts.get("slices", 0) for mark in epochs[-count:])
    row: dict[str, Cell] = {
        "kj_per_epoch": _scaled(total_joules(steady), 1 / (count * JOULES_PER_KJ)),
        "s_per_epoch": (steady.seconds / count, None),
        "slices_per_s": (slices / steady.seconds, None),
        "setup_kj": _kilojoules(total_joules(setup[-1].reading - window.first)) if setup else (0.0, None),
    }
    if "target_dice" in repeat.facts:
        row["kj_to_dice"] = _kj_to_dice(repeat, repeat.facts["target_dice"])
    return row


def _kj_to_dice(repeat: Repeat, target: float) -> Cell:
    for mark in repeat.window.marks:
        if mark.facts.get("val_dice", 0.0) >= target:
            return _kilojoules(total_joules(mark.reading - repeat.window.first))
    return None, f"validation Dice never reached {target}"


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
        "band": [sum(low for low, _ in bands), sum(high for _, high in bands)] if whole else None,
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


def _temperature_rise(repeat: Repeat) -> Cell:
    before, after = repeat.window.state_before.temperature_c, repeat.window.state_after.temperature_c
    return (None, NO_SENSOR) if before is None or after is None else (after - before, None)


def _co2_g(total: Cell, grid_g_per_kwh: float | None) -> Cell:
    if grid_g_per_kwh is None:
        return None, "no grid factor given (ini option energy_grid_g_per_kwh)"
    return _scaled(total, grid_g_per_kwh / 3.6e6)


def _kilojoules(cell: Cell) -> Cell:
    return _scaled(cell, 1 / JOULES_PER_KJ)


def _scaled(cell: Cell, factor: float) -> Cell:
    value, reason = cell
    return (None, reason) if value is None else (value * factor, None)


def _ratio(upper: Cell, lower: Cell) -> Cell:
    if upper[0] is None or lower[0] is None:
        return None, upper[1] if upper[0] is None else lower[1]
    return (None, "no energy was measured") if lower[0] == 0 else (upper[0] / lower[0], None)
