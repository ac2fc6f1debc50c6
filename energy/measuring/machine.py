"""The machine at one instant: clocks, CPU time, temperature, memory; and what two states say of a window.

Our own CPU time is that of this process and all its descendants, as the meter cpu_model counts it. That
misses a daemon, and a child that nobody waits for. A control group that holds nobody but us misses neither.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from energy.meters import Meter
from energy.meters.cpu_model import CpuModel
from energy.meters.cpu_model.cpus import quota_cpus
from energy.meters.cpu_model.seconds import count_family

# Other programs' share of the cores this process may use, above which a run counts as oversubscribed.
OTHER_LOAD_LIMIT = 0.10
CLEAR_REFS = Path("/proc/self/clear_refs")
STATUS = Path("/proc/self/status")
# proc(5): writing 5 resets the peak resident set size ("VmHWM").
RESET_PEAK = "5"


@dataclass(frozen=True)
class State:
    """What the machine looked like at one instant; seconds are cumulative counts, temperatures in °C.

    own_cpu_seconds: of this process and its descendants.
    group_cpu_seconds: of this process's control group; None if others are in it, too, or there is none.
    """

    monotonic_seconds: float
    boot_seconds: float | None
    wall_seconds: float
    busy_cpu_seconds: float
    own_cpu_seconds: float
    temperature_c: float | None
    load_average: float | None
    group_cpu_seconds: float | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the state as a JSON-able mapping."""
        return asdict(self)


def state(meters: Iterable[Meter] = ()) -> State:
    """Read clocks, CPU time and temperature now; our own CPU time as one of the meters has it, if it can."""
    own_cpu_seconds, family = _count_family(meters)
    return State(
        monotonic_seconds=time.monotonic(),
        boot_seconds=_boot_seconds(),
        wall_seconds=time.time(),
        busy_cpu_seconds=_busy_cpu_seconds(),
        own_cpu_seconds=own_cpu_seconds,
        temperature_c=temperature_c(),
        load_average=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        group_cpu_seconds=_group_cpu_seconds(family),
    )


def flags(before: State, after: State) -> tuple[str, ...]:
    """Name what disturbed the window between two states: `oversubscribed`, or nothing."""
    return ("oversubscribed",) if other_load(before, after) > OTHER_LOAD_LIMIT else ()


def other_load(before: State, after: State) -> float:
    """Return the share (0 to 1) of this process's cores that other programs kept busy between two states."""
    seconds = after.monotonic_seconds - before.monotonic_seconds
    if seconds <= 0:
        return 0.0
    busy = after.busy_cpu_seconds - before.busy_cpu_seconds
    return max(0.0, busy - own_cpu_seconds(before, after)) / (seconds * len(allowed_cpus()))


def own_cpu_seconds(before: State, after: State) -> float:
    """Return the CPU time that this process and its descendants used between two states.

    The process tree and the control group both count too little rather than too much, so the greater counts.
    """
    tree = after.own_cpu_seconds - before.own_cpu_seconds
    if before.group_cpu_seconds is None or after.group_cpu_seconds is None:
        return tree
    return max(tree, after.group_cpu_seconds - before.group_cpu_seconds)


def allowed_cpus() -> tuple[int, ...]:
    """Return the logical CPUs that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


def physical_cores(topology: Path = Path("/sys/devices/system/cpu")) -> int:
    """Count the physical cores this process may use; a container's quota limits them."""
    cpus = allowed_cpus()
    cores = {_core(topology / f"cpu{cpu}" / "topology", cpu) for cpu in cpus}
    return max(1, math.floor(min(len(cores), quota_cpus())))


def _core(folder: Path, cpu: int) -> tuple[str, str]:
    try:
        return (
            (folder / "physical_package_id").read_text().strip(),
            (folder / "core_id").read_text().strip(),
        )
    except OSError:
        return ("unknown", str(cpu))


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


def _count_family(meters: Iterable[Meter]) -> tuple[float, set[int]]:
    """Return our own CPU seconds, and the ids of our processes; a record has one figure of them, not two."""
    for meter in meters:
        if isinstance(meter, CpuModel) and not meter.closed:
            return meter.count_family()
    return count_family()


def _group_cpu_seconds(
    family: set[int], root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")
) -> float | None:
    """Return the CPU time of this process's control group (version 2) if only the family is in it."""
    try:
        (name,) = (line[4:] for line in own.read_text().splitlines() if line.startswith("0::/"))
        if ".." in name.split("/") or _holds_others(root / name, family):
            return None
        fields = dict(line.split() for line in (root / name / "cpu.stat").read_text().splitlines())
        return int(fields["usage_usec"]) / 1e6
    except (OSError, ValueError, KeyError):  # no version 2, or not mounted where it usually is
        return None


def _holds_others(group: Path, family: set[int]) -> bool:
    """Say whether a control group or one below it holds a process that is not of the family."""
    if not {int(pid) for pid in (group / "cgroup.procs").read_text().split()} <= family:
        return True
    return any(_holds_others(below, family) for below in group.iterdir() if below.is_dir())


def temperature_c() -> float | None:
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


def reset_peak_rss() -> bool:
    """Start a new high-water mark; False where the system has none (then the peak is unknown)."""
    try:
        CLEAR_REFS.write_text(RESET_PEAK)
    except OSError:
        return False
    return True


def peak_rss_mib() -> float | None:
    """Return the high-water mark since the last reset that worked, in MiB; None where there is none."""
    for line in STATUS.read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return None
