"""The hardware and meter key: what a figure in joules depends on, and its name, never the host's."""

from __future__ import annotations

import hashlib
import json
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import psutil

from energy.measuring import machine
from energy.meters import Meter, context, read
from energy.meters.cpu_model.processor import Processor, find_level, read_processor
from energy.meters.nvml.visible import NOT_SUPPORTED, load
from energy.reading import DomainEnergy

MIB = 2**20
MILLIWATTS = 1000.0
# Words of a processor's marketing name that tell nothing about it.
NOISE = re.compile(
    r"\((r|tm)\)|@.*|\b(amd|intel|apple|nvidia|cpu|gpu|processor|\d+-core|with .*)\b", re.IGNORECASE
)
# What describes a machine since the names of its processor's instructions are a part of its key.
SINCE_INSTRUCTIONS = ("processor", "instructions", "boundary", "cpu_law")


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


def name_hardware(hardware: Mapping[str, Any]) -> str:
    """Name a hardware description: `h200-700w-3f2a`, `epyc-7763-2c-avx2-cpu-91bc`.

    >>> cpu = {"cpu": "AMD EPYC 7763 64-Core Processor", "cores": 2, "instructions": ["avx", "avx2"]}
    >>> name_hardware({"gpus": [], "meters": ["rapl"], **cpu})[:-4]
    'epyc-7763-2c-avx2-cpu-'
    """
    text = json.dumps(hardware, sort_keys=True)
    return f"{_readable(hardware)}-{hashlib.sha256(text.encode()).hexdigest()[:4]}"


def name_before(hardware: Mapping[str, Any]) -> str | None:
    """Return the name that this machine had before its key told the processor's instructions.

    None where a description is of that time itself. Memory was CodeCarbon's model then, where it is ours now.
    """
    if not set(SINCE_INSTRUCTIONS) & set(hardware):
        return None
    before = {name: value for name, value in hardware.items() if name not in SINCE_INSTRUCTIONS}
    meters = ("codecarbon_ram_model" if name == "ram_model" else name for name in hardware["meters"])
    return name_hardware(before | {"meters": sorted(meters)})


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


def _readable(hardware: Mapping[str, Any]) -> str:
    if not hardware["gpus"]:
        level = find_level(hardware.get("instructions", ()))
        words = (_slug(hardware["cpu"]), f"{hardware['cores']}c", level, "cpu")
        return "-".join(word for word in words if word)
    first, count = hardware["gpus"][0], len(hardware["gpus"])
    limit = first.get("power_limit_watts")
    parts = [
        f"{count}x" if count > 1 else "",
        _slug(first["name"]),
        f"{round(limit)}w" if limit else "",
        "mig" if first.get("mig") else "",
    ]
    return "-".join(part for part in parts if part)


def _slug(text: str) -> str:
    words = re.findall(r"[a-z0-9]+", NOISE.sub(" ", text).lower())
    return "-".join(words[:3]) or "unknown"
