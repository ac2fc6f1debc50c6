"""The state of an NVIDIA board beside its energy: temperature, clocks, throttling, who else uses it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from energy.fault import Fault, keep

TEMPERATURE_GPU = 0  # nvml.h, NVML_TEMPERATURE_GPU
CLOCK_SM, CLOCK_MEMORY = 1, 2  # nvml.h, nvmlClockType_t
MIB = 2**20
MILLIWATTS = 1000.0
# nvml.h, nvmlClocksEventReasons
REASONS: Mapping[int, str] = MappingProxyType(
    {
        0x1: "gpu_idle",
        0x2: "applications_clocks_setting",
        0x4: "sw_power_cap",
        0x8: "hw_slowdown",
        0x10: "sync_boost",
        0x20: "sw_thermal_slowdown",
        0x40: "hw_thermal_slowdown",
        0x80: "hw_power_brake_slowdown",
        0x100: "display_clock_setting",
    }
)
# A board that is slowed by these was not what it usually is: the same work takes another time and another
# energy. Not so the power cap (0x4): a busy board often runs at its enforced limit, and as that limit is part
# of the fingerprint, boards are only compared under the same one.
SLOWED = 0x8 | 0x20 | 0x40 | 0x80
OF_ALL_PROCESSES = 0xEFFFFFFC  # Linux, include/linux/proc_ns.h, PROC_PID_INIT_INO


def name_reasons(reasons: int) -> list[str]:
    """Name the bits of a throttle-reason mask, lowest first."""
    known = [word for bit, word in REASONS.items() if reasons & bit]
    unknown = reasons & ~sum(REASONS)
    return known + ([f"0x{unknown:x}"] if unknown else [])


@dataclass
class Episode:
    """A condition that is looked for now and then, as one fault for as long as it goes on."""

    kind: str
    source: str
    device: str
    past: list[Fault] = field(default_factory=list)
    present: Fault | None = None

    def look(self, seconds: float, found: Iterable[str]) -> None:
        """Note what was found by a look at `seconds`; nothing ends the episode."""
        names = list(found)
        if self.present is not None:
            until = replace(self.present, seconds=seconds - self.present.at_seconds)
            names = names and sorted({*names, *until.reason.split(", ")})
            self.present = until
        if not names:
            if self.present is not None:
                keep(self.past, self.present)
            self.present = None
        elif self.present is None:
            self.present = Fault(self.kind, self.source, self.device, seconds, 0.0, 0.0, ", ".join(names))
        else:
            self.present = replace(self.present, reason=", ".join(names))

    def faults(self, seconds: float) -> list[Fault]:
        """Return all episodes; one that goes on lasts until now."""
        if self.present is None:
            return list(self.past)
        return [*self.past, replace(self.present, seconds=seconds - self.present.at_seconds)]


class Context:
    """What NVML says of one board beside its energy; what it does not say is None, `unknown` says why."""

    def __init__(self, library: Any, handle: Callable[[], Any], source: str, uuid: str, name: str) -> None:
        self.name = name
        self._library, self._handle = library, handle
        self._slowed = Episode("throttled", source, uuid)
        self._strangers = Episode("shared", source, uuid)
        self._reasons_seen = 0
        self._family = {os.getpid()}
        self._hidden = _hidden_processes()
        self._lock = threading.RLock()  # looking and reading are done by two threads

    def look(self, seconds: float) -> None:
        """Look for throttling and for strangers on the board."""
        unknown: dict[str, str] = {}
        reasons = self._ask(unknown, "throttle_reasons", self._reasons) or 0
        others = self._ask(unknown, "other_processes", self._others) or set()
        self._note(seconds, reasons, others)

    def faults(self, seconds: float) -> list[Fault]:
        """Return when the board was slowed, and when strangers were on it."""
        with self._lock:
            return self._slowed.faults(seconds) + self._strangers.faults(seconds)

    def state(self, seconds: float) -> dict[str, Any]:
        """Return the board's state now, ready for JSON."""
        unknown: dict[str, str] = {}
        nvml = self._library
        questions: dict[str, Callable[[], Any]] = {
            "temperature_c": lambda: nvml.nvmlDeviceGetTemperature(self._handle(), TEMPERATURE_GPU),
            "sm_clock_mhz": lambda: nvml.nvmlDeviceGetClockInfo(self._handle(), CLOCK_SM),
            "memory_clock_mhz": lambda: nvml.nvmlDeviceGetClockInfo(self._handle(), CLOCK_MEMORY),
            "utilization_pct": lambda: nvml.nvmlDeviceGetUtilizationRates(self._handle()).gpu,
            "memory_used_mib": lambda: nvml.nvmlDeviceGetMemoryInfo(self._handle()).used // MIB,
            "power_limit_watts": lambda: nvml.nvmlDeviceGetEnforcedPowerLimit(self._handle()) / MILLIWATTS,
            "persistence": lambda: bool(nvml.nvmlDeviceGetPersistenceMode(self._handle())),
        }
        state = {key: self._ask(unknown, key, question) for key, question in questions.items()}
        reasons = self._ask(unknown, "throttle_reasons", self._reasons)
        others = self._ask(unknown, "other_processes", self._others)
        self._note(seconds, reasons or 0, others or set())
        return {
            "name": self.name,
            **state,
            "throttle_reasons": None if reasons is None else name_reasons(reasons),
            "throttle_reasons_since_open": None if reasons is None else name_reasons(self._reasons_seen),
            "other_processes": None if others is None else len(others),
            "unknown": unknown,
        }

    def _note(self, seconds: float, reasons: int, others: set[int]) -> None:
        with self._lock:
            self._reasons_seen |= reasons
            self._slowed.look(seconds, name_reasons(reasons & SLOWED))
            self._strangers.look(seconds, ["other processes use this GPU too"] if others else [])

    def _ask(self, unknown: dict[str, str], key: str, question: Callable[[], Any]) -> Any:
        """Return the answer; None, with the reason in `unknown`, where the board or its driver has none."""
        try:
            return question()
        except (Hidden, self._library.NVMLError) as problem:
            unknown[key] = str(problem)
            return None

    def _reasons(self) -> int:
        nvml = self._library
        try:
            return int(nvml.nvmlDeviceGetCurrentClocksEventReasons(self._handle()))
        except nvml.NVMLError:  # drivers before 535 know the call by its old name
            return int(nvml.nvmlDeviceGetCurrentClocksThrottleReasons(self._handle()))

    def _others(self) -> set[int]:
        """Return the processes on the board that are neither this one nor its descendants."""
        if self._hidden:
            raise Hidden(self._hidden)
        nvml = self._library
        compute = nvml.nvmlDeviceGetComputeRunningProcesses(self._handle())
        graphics = nvml.nvmlDeviceGetGraphicsRunningProcesses(self._handle())
        pids = {int(process.pid) for process in (*compute, *graphics)} - self._family
        self._family |= {pid for pid in pids if _descends(pid, os.getpid())}
        return pids - self._family


class Hidden(Exception):  # noqa: N818 -- no error: there is nothing to be seen from here
    """Processes of others cannot be seen from here."""


def _hidden_processes(namespace: Path = Path("/proc/self/ns/pid")) -> str:
    """Say why the processes of others cannot be told from our own here; "" if they can.

    In a container NVML names no processes, or names them by numbers that mean nothing inside (NVIDIA
    nvidia-docker issues 179 and 1483). Only the first namespace of the machine contains all processes.
    """
    if not namespace.exists() or namespace.stat().st_ino == OF_ALL_PROCESSES:
        return ""
    return "the processes of others are hidden in this container"


def _descends(pid: int, ancestor: int) -> bool:
    """Say whether a process was started by `ancestor`, or by one that it started."""
    import psutil

    try:
        return any(parent.pid == ancestor for parent in psutil.Process(pid).parents())
    except psutil.Error:
        return False  # it has ended, or belongs to somebody whom we may not look at
