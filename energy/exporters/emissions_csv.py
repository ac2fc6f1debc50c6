"""CSV in CodeCarbon's columns (emissions.csv): one row per case and repeat, energy in kWh.

The columns are those of `codecarbon.output_methods.emissions_data.EmissionsData` of CodeCarbon 3.3, in its
order; `EXTRA` follow them. The units are CodeCarbon's: seconds, kg of CO2 equivalent, kg/s, W, kWh, GiB.
What was not recorded is empty, such as place, cloud, water, and CodeCarbon's own version, which did not write
this file. The powers are means over the window.
`timestamp` is when the run was stored; `duration` of a case that failed is the time until it did.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from energy.exporters import Exported, Request
from energy.exporters._carbon import KJ_PER_KWH, kilograms
from energy.exporters._cases import names, records, sources
from energy.exporters._sheet import Cell, table
from energy.records.provenance import MACHINE, PROCESS, kind_of
from energy.records.volumes import list_seeds

OPTIONS = ("grid_g_per_kwh",)

COLUMNS = (
    "timestamp", "project_name", "run_id", "experiment_id", "duration", "emissions", "emissions_rate",
    "cpu_power", "gpu_power", "ram_power", "cpu_energy", "gpu_energy", "ram_energy", "energy_consumed",
    "water_consumed", "country_name", "country_iso_code", "region", "cloud_provider", "cloud_region", "os",
    "python_version", "codecarbon_version", "cpu_count", "cpu_model", "gpu_count", "gpu_model", "longitude",
    "latitude", "ram_total_size", "tracking_mode", "cpu_utilization_percent", "gpu_utilization_percent",
    "ram_utilization_percent", "ram_used_gb", "on_cloud", "pue", "wue",
)  # fmt: skip
EXTRA = ("status", "seed", "energy_kind", "energy_boundary", "energy_sources", "invalid", "notes")

DOMAINS = ("cpu", "gpu", "ram")


def export(request: Request) -> Exported:
    """Return one row per repeat; a case that failed before any has one."""
    found = records(request)
    made = _of_run(request)
    rows = (
        {**made, **row}
        for name, record in zip(names(found), found, strict=True)
        for row in _rows(request, name, record)
    )
    return Exported({".emissions.csv": table((*COLUMNS, *EXTRA), rows)})


def _of_run(request: Request) -> dict[str, Cell]:
    block, machine = request.run["energy"], request.run["machine_info"]
    hardware = block["hardware"]
    boards = [str(board.get("name")) for board in hardware.get("gpus") or ()]
    system = [str(machine[name]) for name in ("system", "release", "machine") if machine.get(name)]
    return {
        "timestamp": request.run["datetime"],
        "experiment_id": request.reference,
        "os": "-".join(system),
        "python_version": machine.get("python_version"),
        "cpu_count": hardware.get("cores"),
        "cpu_model": hardware.get("cpu"),
        # No board was read: that there is none, nobody knows.
        "gpu_count": len(boards) or None,
        "gpu_model": " + ".join(boards),
        "ram_total_size": hardware.get("ram_gib"),
    }


def _rows(request: Request, name: str, record: Mapping[str, Any]) -> Iterator[dict[str, Cell]]:
    run, seeds = request.run["energy"]["run"], list_seeds(record)
    case: dict[str, Cell] = {
        "project_name": name,
        "status": record["status"],
        "energy_kind": kind_of(record, "total_kj"),
        "energy_boundary": record["boundary"],
        # CodeCarbon's word for the same, which knows no mix of both.
        "tracking_mode": record["boundary"] if record["boundary"] in (PROCESS, MACHINE) else None,
        "energy_sources": sources(record),
        "invalid": ", ".join(record["validity"]["invalid"]),
        "notes": ", ".join(record["validity"]["notes"]),
    }
    if not record["metrics"]:
        yield {**case, "run_id": f"{run}/{name}", "duration": record["error"] and record["error"]["seconds"]}
    for number in range(len(record["metrics"].get("seconds", {"values": ()})["values"])):
        seed = seeds[number] if number < len(seeds) else None
        own = {"run_id": f"{run}/{name}/{number}", "seed": seed}
        yield {**case, **own, **_figures(request, record, number)}


def _figures(request: Request, record: Mapping[str, Any], number: int) -> dict[str, Cell]:
    seconds = _value(record, "seconds", number)
    emitted = kilograms(request, record, number)
    row: dict[str, Cell] = {
        "duration": seconds,
        "energy_consumed": _kwh(record, "total_kj", number),
        "emissions": emitted,
        "emissions_rate": emitted / seconds if emitted is not None and seconds else None,
    }
    for domain in DOMAINS:
        energy = _value(record, f"{domain}_kj", number)
        row[f"{domain}_energy"] = _kwh(record, f"{domain}_kj", number)
        row[f"{domain}_power"] = 1000 * energy / seconds if energy is not None and seconds else None
    return row


def _kwh(record: Mapping[str, Any], metric: str, number: int) -> float | None:
    energy = _value(record, metric, number)
    return None if energy is None else energy / KJ_PER_KWH


def _value(record: Mapping[str, Any], metric: str, number: int) -> float | None:
    figure = record["metrics"].get(metric)
    if figure is None:
        return None
    value: float | None = figure["values"][number]
    return value
