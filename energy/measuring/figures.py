"""The figures of one window: every metric as (value, None) or (None, the reason why it is unknown)."""

from __future__ import annotations

import math

from energy.measuring.case import Repeat
from energy.measuring.window import Mark, Window
from energy.reading import DomainEnergy, Energy
from energy.records.metrics import JOULES_PER_KJ, NO_GRID

JOULES_PER_KWH = 3.6e6

NO_METER = "no meter read the {domain} in this run"
NO_SENSOR = "this machine shows no temperature sensor"
NO_GPU_SENSOR = "the GPU tells no temperature, and the CPU's would not be its rise"
NO_PEAK = "this system keeps no resettable memory peak"
NO_SETUP = "the case marked no end of its set-up"
NO_IDLE = "idle power was not measured in this run"

Cell = tuple[float | None, str | None]
Band = tuple[float, float]


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
    outside = [part for part in energy.domains if part.source.startswith("outside_")]
    if outside:
        surest = min(outside, key=_relative_width)
        row["outside_kj"] = _scaled((surest.joules, surest.reason), 1 / JOULES_PER_KJ)
    if _epochs(repeat):
        row |= _per_epoch(repeat)
    row |= {name: _observed(value) for name, value in repeat.observed.items()}
    if "dice" in row:
        row["dice_per_kj"] = _ratio(row["dice"], row["total_kj"])
    return row


def bands(repeat: Repeat) -> dict[str, Band | None]:
    """Return in kJ where the truth of each energy lies: gain, edges and what the faults put at stake."""
    energy = repeat.window.energy
    found = {f"{domain}_kj": energy.band(domain) for domain in ("gpu", "cpu", "ram")}
    found["total_kj"] = total_band(energy)
    if _epochs(repeat):
        steady, count = _steady(repeat)
        found["kj_per_epoch"] = _shared(total_band(steady), count)
    return {name: _shared(band, JOULES_PER_KJ) for name, band in found.items()}


def total_band(energy: Energy) -> Band | None:
    """Return between which joules the truth of the total lies; None where there is no total."""
    return None if total_joules(energy)[0] is None else energy.band()


def _shared(band: Band | None, among: float) -> Band | None:
    return None if band is None else (band[0] / among, band[1] / among)


def total_joules(energy: Energy) -> Cell:
    """Sum GPU, CPU and RAM of a window; unknown as soon as one of them is (a part is not a total)."""
    parts = [_part(energy, domain) for domain in ("cpu", "ram")]
    if any(domain.domain == "gpu" for domain in energy.headline()):
        parts.append(_part(energy, "gpu"))
    for value, reason in parts:
        if value is None:
            return None, reason
    return sum(value for value, _ in parts if value is not None), None


def _observed(value: float | None) -> Cell:
    """Return what a test observed; what is no number is unknown, and costs no other figure."""
    if value is None:
        return None, "not observed"
    return (value, None) if math.isfinite(value) else (None, f"{value} was observed")


def _part(energy: Energy, domain: str) -> Cell:
    found = [part for part in energy.headline() if part.domain == domain]
    if not found:
        return None, NO_METER.format(domain=domain)
    for part in found:
        if part.joules is None:
            return None, part.reason
    return sum(part.joules for part in found if part.joules is not None), None


def _relative_width(part: DomainEnergy) -> float:
    """Return how wide the band of a figure is, as a share of it; infinite if the figure is unknown."""
    return math.inf if part.band is None or not part.joules else (part.band[1] - part.band[0]) / part.joules


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
    teacher = [mark for mark in window.marks if mark.kind == "teacher"]
    setup = [mark for mark in window.marks if mark.kind == "setup"]
    begun = teacher[-1].reading if teacher else window.first
    steady, count = _steady(repeat)
    slices = sum(mark.facts.get("slices", 0) for mark in _epochs(repeat)[-count:])
    row: dict[str, Cell] = {
        "kj_per_epoch": _scaled(total_joules(steady), 1 / (count * JOULES_PER_KJ)),
        "s_per_epoch": (steady.seconds / count, None),
        "slices_per_s": (slices / steady.seconds, None),
        "setup_kj": _kilojoules(total_joules(window.between(begun, setup[-1].reading)))
        if setup
        else (None, NO_SETUP),
    }
    if teacher:
        row["teacher_kj"] = _kilojoules(total_joules(window.between(window.first, begun)))
    if "target_dice" in repeat.facts:
        row["kj_to_dice"] = _kj_to_dice(repeat, repeat.facts["target_dice"])
    return row


def _steady(repeat: Repeat) -> tuple[Energy, int]:
    """Return the energy of the steady epochs as one window, and their number.

    One window over all of them: epochs are often shorter than a counter can resolve, the fit is not. The
    first epoch still pays for what is built lazily (workers, buffers) and is left out if there are others.
    """
    window, epochs = repeat.window, _epochs(repeat)
    setup = [mark for mark in window.marks if mark.kind == "setup"]
    first = epochs[0].reading if len(epochs) > 1 else (setup[-1].reading if setup else window.first)
    return window.between(first, epochs[-1].reading), max(1, len(epochs) - 1)


def _epochs(repeat: Repeat) -> list[Mark]:
    return [mark for mark in repeat.window.marks if mark.kind == "epoch"]


def _kj_to_dice(repeat: Repeat, target: float) -> Cell:
    window = repeat.window
    for mark in window.marks:
        if (mark.facts.get("val_dice") or 0.0) >= target:
            return _kilojoules(total_joules(window.between(window.first, mark.reading)))
    return None, f"validation Dice never reached {target}"


def _temperature_rise(repeat: Repeat) -> Cell:
    """Return the greatest rise among the GPUs, or that of the CPU where no GPU is measured."""
    window = repeat.window
    if any(part.domain == "gpu" for part in window.energy.headline()):
        return _gpu_temperature_rise(window)
    before, after = window.state_before.temperature_c, window.state_after.temperature_c
    return (None, NO_SENSOR) if before is None or after is None else (after - before, None)


def _gpu_temperature_rise(window: Window) -> Cell:
    rises = []
    for device, state in window.context_after.items():
        before = window.context_before.get(device, {}).get("temperature_c")
        if before is not None and state.get("temperature_c") is not None:
            rises.append(state["temperature_c"] - before)
    return (max(rises), None) if rises else (None, NO_GPU_SENSOR)


def _co2_g(total: Cell, grid_g_per_kwh: float | None) -> Cell:
    if grid_g_per_kwh is None:
        return None, NO_GRID
    return _scaled(total, grid_g_per_kwh / JOULES_PER_KWH)


def _kilojoules(cell: Cell) -> Cell:
    return _scaled(cell, 1 / JOULES_PER_KJ)


def _scaled(cell: Cell, factor: float) -> Cell:
    value, reason = cell
    return (None, reason) if value is None else (value * factor, None)


def _ratio(upper: Cell, lower: Cell) -> Cell:
    if upper[0] is None or lower[0] is None:
        return None, upper[1] if upper[0] is None else lower[1]
    return (None, "no energy was measured") if lower[0] == 0 else (upper[0] / lower[0], None)
