"""Grams of CO2 equivalent: as recorded, or by a grid factor that the user gives for a run without one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from energy.exporters import ExportError, Request

KJ_PER_KWH = 3600.0


def factor(request: Request) -> float | None:
    """Return the grid factor in grams per kWh; None if nobody knows it.

    Raises:
        ExportError: the run has another one than the user gives.
    """
    recorded: float | None = request.run["energy"].get("grid_g_per_kwh")
    given = request.grid_g_per_kwh
    if None not in (recorded, given) and recorded != given:
        raise ExportError(
            f"{request.reference} was recorded with a grid of {recorded:g} g/kWh, and {given:g} is given; "
            "leave out --grid-g-per-kwh"
        )
    return given if recorded is None else recorded


def grams(request: Request, record: Mapping[str, Any]) -> list[float | None]:
    """Return the emissions of each repeat in grams; None where energy or grid are unknown."""
    recorded = record["metrics"].get("co2_g", {"values": ()})["values"]
    total = record["metrics"].get("total_kj", {"values": ()})["values"]
    per_kwh = factor(request)
    if any(value is not None for value in recorded):
        return list(recorded)
    return [None if None in (value, per_kwh) else value * per_kwh / KJ_PER_KWH for value in total]


def kilograms(request: Request, record: Mapping[str, Any], number: int) -> float | None:
    """Return the emissions of one repeat, counted from 0, in kg."""
    emitted = grams(request, record)
    value = emitted[number] if number < len(emitted) else None
    return None if value is None else value / 1000
