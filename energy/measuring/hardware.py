"""The hardware and meter key: what a figure in joules depends on, and its name, never the host's."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import psutil

from energy.measuring import machine
from energy.meters import Meter, context, read
from energy.meters.cpu_model.processor import Processor, read_processor
from energy.meters.nvml.visible import NOT_SUPPORTED, load
from energy.reading import DomainEnergy

MIB = 2**20
MILLIWATTS = 1000.0


def describe_hardware(
    gpus: Sequence[Mapping[str, Any]] = (),
    headline: Sequence[DomainEnergy] = (),
    processor: Processor | None = None,
) -> dict[str, Any]:
    """Describe what a figure in joules depends on: boards with their power limit, CPU, memory, meters.

    Args:
        gpus: one mapping per GPU that is measured: name, memory_mib, power_limit_watts, mig.
        headline: what makes up a total here.
        processor: default: this machine's.
    """
    cpu = processor or find_processor()
    return {
        "gpus": [dict(gpu) for gpu in gpus],
        "cpu": cpu.name,
        "processor": cpu.as_key(),
        "instructions": list(cpu.instructions),
        "cores": machine.physical_cores(),
        # Rounded: the kernel takes a little more or less of the same memory from boot to boot.
        "ram_gib": round(psutil.virtual_memory().total / 2**30),
        "meters": sorted({part.source for part in headline}),
        "boundary": next((part.boundary for part in headline), None),
        **_law(headline),
    }


def read_hardware(meters: Sequence[Meter]) -> dict[str, Any]:
    """Describe this machine as these open meters see it."""
    now = read(meters)
    headline = (now - now).headline()
    # A GPU that no meter can read ("missing") cannot be asked for its name either.
    metered = [part for part in headline if part.domain == "gpu" and part.source != "missing"]
    by_nvml = [part for part in metered if part.source.startswith(("nvml_", "codecarbon_"))]
    uuids = sorted({uuid for part in by_nvml for uuid in part.device.split(",")})
    others = sorted(part.device for part in metered if part not in by_nvml)
    state = context(meters)
    named = [{"name": state.get(device, {}).get("name", device)} for device in others]
    return describe_hardware([*read_boards(uuids), *named], headline)


def find_processor() -> Processor:
    """Return this machine's processor; elsewhere than on Linux no more of it than its name is known."""
    try:
        found = read_processor()
    except OSError:
        found = Processor("", 1, 1, virtual=False)
    return found if found.name else replace(found, name=platform.processor() or platform.machine())


def _law(headline: Sequence[DomainEnergy]) -> dict[str, Any]:
    """Return what a modelled CPU is taken to draw: by another law the same work has other joules."""
    laws = [part.model["law"] for part in headline if part.model is not None and "law" in part.model]
    if not laws:
        return {}
    idle, per = laws[0]["idle_watts_per_thread"], laws[0]["joules_per"]
    figures = {
        "idle_watts_per_thread": idle[1],
        **{f"joules_per_{name}": each[1] for name, each in per.items()},
    }
    return {"cpu_law": {name: float(f"{value:.3g}") for name, value in figures.items()}}


def read_boards(uuids: Sequence[str], library: Any = None) -> list[dict[str, Any]]:
    """Describe the boards of these UUIDs as NVML does; what it cannot tell of one is None.

    Args:
        uuids: as in `Count.device` of domain "gpu".
        library: the NVML bindings; default: pynvml.
    """
    if not uuids:
        return []
    nvml = load(library)  # NVML counts its users: this does not disturb the meter
    try:
        return [_board(nvml, nvml.nvmlDeviceGetHandleByUUID(uuid)) for uuid in uuids]
    finally:
        nvml.nvmlShutdown()


def _board(nvml: Any, handle: Any) -> dict[str, Any]:
    limit = _ask(nvml, nvml.nvmlDeviceGetEnforcedPowerLimit, handle)
    memory = _ask(nvml, nvml.nvmlDeviceGetMemoryInfo, handle)
    mig = _ask(nvml, nvml.nvmlDeviceGetMigMode, handle)
    return {
        "name": nvml.nvmlDeviceGetName(handle),
        "memory_mib": None if memory is None else memory.total // MIB,
        # The enforced limit, not the configured one: it is what the board obeys.
        "power_limit_watts": None if limit is None else limit / MILLIWATTS,
        "mig": None if mig is None else bool(mig[0]),
    }


def _ask(nvml: Any, question: Any, handle: Any) -> Any:
    """Return the answer, or None where this board or driver does not support the question."""
    try:
        return question(handle)
    except nvml.NVMLError as problem:
        if problem.value != NOT_SUPPORTED:
            raise
        return None
