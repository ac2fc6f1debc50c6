"""What NVML says of a GPU that a figure in joules depends on: model, memory, enforced power limit, MIG."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

from energy.meters.nvml.visible import NOT_SUPPORTED

MIB = 2**20
MILLIWATTS = 1000.0


def boards(uuids: Sequence[str], library: Any = None) -> list[dict[str, Any]]:
    """Describe the boards of these UUIDs; what NVML cannot tell of one is None.

    Args:
        uuids: as in `Count.device` of domain "gpu".
        library: the NVML bindings; default: pynvml.
    """
    if not uuids:
        return []
    nvml = importlib.import_module("pynvml") if library is None else library
    nvml.nvmlInit()  # NVML counts its users: this does not disturb the meter
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
