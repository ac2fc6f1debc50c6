"""The `power` events of Linux perf: which there are, where they are counted, and how one is opened.

Sources: perf_event_open(2); Linux, Documentation/ABI/testing/sysfs-bus-event_source-devices-events (names,
scales and units of events), Documentation/admin-guide/perf-security (who may open them).
"""

from __future__ import annotations

import ctypes
import os
import platform
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from energy.meters._meter import MeterUnavailable

# The other events overlap: energy-cores and energy-gpu are parts of energy-pkg, energy-psys contains it.
EVENTS = {"energy-pkg": "cpu", "energy-ram": "ram"}
SYSCALLS = {"x86_64": 298, "aarch64": 241}  # asm/unistd_64.h; asm-generic/unistd.h
ATTRIBUTES = "=IIQQQQQIIQ"  # struct perf_event_attr as of PERF_ATTR_SIZE_VER0: type, size, config, then zeros
ALL_PROCESSES = -1
NO_GROUP = -1
CLOSE_ON_EXEC = 8  # PERF_FLAG_FD_CLOEXEC

OpenEvent = Callable[[int, int, int], int]


@dataclass(frozen=True)
class Event:
    """One event on one CPU, which counts for that CPU's whole package."""

    domain: str
    device: str
    cpu: int
    kind: int
    config: int
    joules_per_count: float


def list_events(sys: Path) -> list[Event]:
    """Return the energy events of every package.

    Raises:
        MeterUnavailable: an event is described in a way that we do not know.
    """
    unit = sys / "bus/event_source/devices/power"
    kind = int((unit / "type").read_text())
    places = _places(sys, cpus((unit / "cpumask").read_text()))
    found = []
    for name, domain in EVENTS.items():
        path = unit / "events" / name
        if path.exists():
            config, scale = _config(path), _scale(path)
            found += [
                Event(domain, device + "/dram" * (domain == "ram"), cpu, kind, config, scale)
                for cpu, device in places.items()
            ]
    return found


def cpus(text: str) -> list[int]:
    """Parse a list of CPUs.

    >>> cpus("0,18-19")
    [0, 18, 19]
    """
    spans = [part.partition("-") for part in text.strip().split(",") if part]
    return [cpu for first, _, last in spans for cpu in range(int(first), int(last or first) + 1)]


def _places(sys: Path, counting: list[int]) -> dict[int, str]:
    """Name the package that each CPU counts for as powercap does; one CPU per counter.

    Intel's dies have a counter each. AMD's counter is of the whole package, and some kernels show it once per
    die, so there the first CPU of each package counts (log of arch/x86/events/rapl.c in Linux, 2024-05-02:
    "AMD CPUs have the scope of RAPL energy-pkg event as package, whereas Intel Cascade Lake CPUs have the
    scope as die").
    """
    packages = {cpu: _topology(sys, cpu, "physical_package_id") for cpu in counting}
    if len(set(packages.values())) == len(packages):
        return {cpu: f"package-{package}" for cpu, package in packages.items()}
    if _is_amd(sys):
        first = {package: cpu for cpu, package in reversed(packages.items())}
        return {cpu: f"package-{package}" for package, cpu in sorted(first.items())}
    return {
        cpu: f"package-{package}-die-{_topology(sys, cpu, 'die_id')}" for cpu, package in packages.items()
    }


def _topology(sys: Path, cpu: int, what: str) -> int:
    return int((sys / f"devices/system/cpu/cpu{cpu}/topology/{what}").read_text())


def _is_amd(sys: Path) -> bool:
    cpuinfo = sys.parent / "proc/cpuinfo"
    return cpuinfo.exists() and bool(
        re.search(r"vendor_id\s*: (AuthenticAMD|HygonGenuine)", cpuinfo.read_text())
    )


def _config(path: Path) -> int:
    """Read what selects the event: "event=0x02", which the file `format` places in the lowest bits."""
    text = path.read_text().strip()
    if not (match := re.fullmatch(r"event=(0x[0-9a-fA-F]+|\d+)", text)):
        raise MeterUnavailable(f"{path} says {text!r} and not event=NUMBER.", "Use the meter rapl.")
    return int(match[1], 0)


def _scale(path: Path) -> float:
    """Read how many joules one count is."""
    unit = path.with_name(f"{path.name}.unit").read_text().strip()
    if unit != "Joules":
        raise MeterUnavailable(f"{path}.unit says {unit!r} and not Joules.", "Use the meter rapl.")
    return float(path.with_name(f"{path.name}.scale").read_text())


def open_event(kind: int, config: int, cpu: int) -> int:
    """Open one event for all processes on one CPU and return its descriptor.

    Raises:
        MeterUnavailable: nobody has told us the number of the system call on this kind of machine.
        OSError: the kernel refused.
    """
    machine = platform.machine()
    if machine not in SYSCALLS:
        raise MeterUnavailable(
            f"perf events are not known to this meter on {machine}.",
            "Use the meter rapl or the meter outside.",
        )
    attributes = struct.pack(ATTRIBUTES, kind, struct.calcsize(ATTRIBUTES), config, *[0] * 7)
    library = ctypes.CDLL(None, use_errno=True)
    words = [ctypes.c_long(n) for n in (ALL_PROCESSES, cpu, NO_GROUP, CLOSE_ON_EXEC)]
    descriptor = library.syscall(ctypes.c_long(SYSCALLS[machine]), attributes, *words)
    if descriptor < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), f"perf_event_open(cpu={cpu})")
    return int(descriptor)
