"""The machine at one instant: clocks, CPU time, temperature; and what two such states say of a window."""

from __future__ import annotations

import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

# Other programs' share of the cores this process may use, above which a run counts as oversubscribed.
OTHER_LOAD_LIMIT = 0.10
# A clock that differs from another by more than this over one window was set or stood still.
CLOCK_TOLERANCE_SECONDS = 1.0


@dataclass(frozen=True)
class State:
    """What the machine looked like at one instant; seconds are cumulative counts, temperatures in °C."""

    monotonic_seconds: float
    boot_seconds: float | None
    wall_seconds: float
    busy_cpu_seconds: float
    own_cpu_seconds: float
    temperature_c: float | None
    load_average: float | None

    def as_json(self) -> dict[str, Any]:
        """Return the state as a JSON-able mapping."""
        return asdict(self)


def state() -> State:
    """Read clocks, CPU time and temperature now."""
    return State(
        monotonic_seconds=time.monotonic(),
        boot_seconds=_boot_seconds(),
        wall_seconds=time.time(),
        busy_cpu_seconds=_busy_cpu_seconds(),
        own_cpu_seconds=_own_cpu_seconds(),
        temperature_c=_temperature_c(),
        load_average=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    )


def flags(before: State, after: State) -> tuple[str, ...]:
    """Name what disturbed the window between two states: `host_suspended`, `clock_step`, `oversubscribed`."""
    seconds = after.monotonic_seconds - before.monotonic_seconds
    found = []
    if before.boot_seconds is not None and after.boot_seconds is not None:
        # The boot clock runs on through a suspend, the monotonic clock does not.
        if after.boot_seconds - before.boot_seconds - seconds > CLOCK_TOLERANCE_SECONDS:
            found.append("host_suspended")
        seconds = after.boot_seconds - before.boot_seconds
    if abs(after.wall_seconds - before.wall_seconds - seconds) > CLOCK_TOLERANCE_SECONDS:
        found.append("clock_step")
    if other_load(before, after) > OTHER_LOAD_LIMIT:
        found.append("oversubscribed")
    return tuple(found)


def other_load(before: State, after: State) -> float:
    """Return the share (0 to 1) of this process's cores that other programs kept busy between two states."""
    seconds = after.monotonic_seconds - before.monotonic_seconds
    if seconds <= 0:
        return 0.0
    busy = after.busy_cpu_seconds - before.busy_cpu_seconds
    own = after.own_cpu_seconds - before.own_cpu_seconds
    return max(0.0, busy - own) / (seconds * len(allowed_cpus()))


def allowed_cpus() -> tuple[int, ...]:
    """Return the logical CPUs that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


def physical_cores(topology: Path = Path("/sys/devices/system/cpu")) -> int:
    """Count the physical cores this process may use; a container's quota limits them."""
    cpus = allowed_cpus()
    cores = {_core(topology / f"cpu{cpu}" / "topology", cpu) for cpu in cpus}
    return max(1, min(len(cores), _quota_cpus()))


def _core(folder: Path, cpu: int) -> tuple[str, str]:
    try:
        return (
            (folder / "physical_package_id").read_text().strip(),
            (folder / "core_id").read_text().strip(),
        )
    except OSError:
        return ("unknown", str(cpu))


def _quota_cpus(cpu_max: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """Return how many CPUs the container's quota amounts to, rounded down; no quota: all of them."""
    try:
        quota, period = cpu_max.read_text().split()
    except (OSError, ValueError):
        return os.cpu_count() or 1
    return (os.cpu_count() or 1) if quota == "max" else max(1, int(quota) // int(period))


def _boot_seconds() -> float | None:
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else None


def _busy_cpu_seconds() -> float:
    """Sum the busy time of the CPUs that this process may use (not idle, not waiting for a disk)."""
    allowed = set(allowed_cpus())
    per_cpu = psutil.cpu_times(percpu=True)
    return sum(
        sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0)
        for cpu, times in enumerate(per_cpu)
        if cpu in allowed
    )


def _own_cpu_seconds() -> float:
    """Sum the CPU time of this process, of its living children and of those it has reaped."""
    own = os.times()
    seconds = own.user + own.system + own.children_user + own.children_system
    for child in psutil.Process().children(recursive=True):
        try:
            times = child.cpu_times()
        except psutil.NoSuchProcess:  # it ended just now: its parent has reaped it
            continue
        seconds += times.user + times.system
    return seconds


def _temperature_c() -> float | None:
    """Return the hottest CPU sensor; None where the machine shows none, as most virtual machines."""
    if not hasattr(psutil, "sensors_temperatures"):
        return None
    sensors = psutil.sensors_temperatures()
    chips = [
        reading.current
        for chip in ("coretemp", "k10temp", "zenpower", "cpu_thermal")
        for reading in sensors.get(chip, ())
    ]
    return max(chips, default=None)
