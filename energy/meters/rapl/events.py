"""The same counters as perf events: the way in where powercap's files are closed or absent.

It needs CAP_PERFMON, or kernel.perf_event_paranoid of 0 or less. The kernel adds up 64 bits in the
background, so nothing wraps (Linux, arch/x86/events/rapl.c).

Sources: perf_event_open(2); Linux, Documentation/ABI/testing/sysfs-bus-event_source-devices-events (names,
scales and units of events), Documentation/admin-guide/perf-security (who may open them).
"""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from energy.meters._counting.perf_event import open_perf_event
from energy.meters.rapl.zones import Zone

# The other events overlap: energy-cores and energy-gpu are parts of energy-pkg, energy-psys contains it.
EVENTS = {"energy-pkg": "cpu", "energy-ram": "ram"}
ALL_PROCESSES = -1
COUNT_BYTES = 8
Parsed = TypeVar("Parsed")
UNIT = "bus/event_source/devices/power"


class Kernel(Protocol):
    """The calls into the kernel, so that tests can put others in their place."""

    def open(self, kind: int, config: int, cpu: int) -> int:
        """Open an event and return its descriptor."""

    def read(self, descriptor: int) -> bytes:
        """Read an event's count; nothing if the kernel has given it up."""

    def close(self, descriptor: int) -> None:
        """Close an event."""


class Linux:
    """This machine's kernel."""

    def open(self, kind: int, config: int, cpu: int) -> int:
        """Open an event and return its descriptor."""
        return open_perf_event(kind, config, thread=ALL_PROCESSES, cpu=cpu)

    def read(self, descriptor: int) -> bytes:
        """Read an event's count; nothing if the kernel has given it up."""
        return os.read(descriptor, COUNT_BYTES)

    def close(self, descriptor: int) -> None:
        """Close an event."""
        os.close(descriptor)


@dataclass(frozen=True)
class Event:
    """One event on one CPU, which counts for that CPU's whole package."""

    zone: Zone
    cpu: int
    kind: int
    config: int
    joules_per_count: float


@dataclass(eq=False)
class EventCount:
    """An open event, read as a zone's file is."""

    event: Event
    kernel: Kernel
    descriptor: int
    renewed: bool = False

    @property
    def zone(self) -> Zone:
        """What it counts."""
        return self.event.zone

    def joules(self) -> float:
        """Read the count.

        Raises:
            OSError: the kernel has given it up (`errno` is ENODEV), or does not tell.
        """
        text = self.kernel.read(self.descriptor)
        if len(text) < COUNT_BYTES:  # perf_event_open(2): end of file, an event in error
            raise OSError(errno.ENODEV, "the kernel gave the event up", str(self.zone.file))
        return int.from_bytes(text, sys.byteorder) * self.event.joules_per_count

    def close(self) -> None:
        """Close the event; closing twice does nothing."""
        if self.descriptor >= 0:
            self.kernel.close(self.descriptor)
        self.descriptor = -1


def open_events(sys: Path, kernel: Kernel) -> list[EventCount]:
    """Open the energy events of every package; there are none where the kernel offers none.

    Raises:
        OSError: the kernel refused.
        ValueError: an event is described in a way that we do not know.
    """
    opened: list[EventCount] = []
    try:
        for event in list_events(sys) if (sys / UNIT / "events/energy-pkg").exists() else ():
            opened.append(EventCount(event, kernel, kernel.open(event.kind, event.config, event.cpu)))
    except BaseException:
        for each in opened:
            each.close()
        raise
    return opened


def list_events(sys: Path) -> list[Event]:
    """Return the energy events of every package.

    Raises:
        OSError: a file that describes them cannot be read.
        ValueError: an event is described in a way that we do not know.
    """
    unit = sys / UNIT
    kind = _parsed(unit / "type", int)
    places = _places(sys, _parsed(unit / "cpumask", cpus))
    found = []
    for name, domain in EVENTS.items():
        path = unit / "events" / name
        if path.exists():
            config, scale = _config(path), _scale(path)
            for cpu, package in places.items():
                device = package + "/dram" * (domain == "ram")
                found.append(Event(Zone(path, name, domain, device, None), cpu, kind, config, scale))
    return found


def _parsed(path: Path, parse: Callable[[str], Parsed]) -> Parsed:
    text = path.read_text(errors="replace")
    try:
        return parse(text)
    except ValueError:
        raise ValueError(f"{path} says {text.strip()!r}") from None


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
    return _parsed(sys / f"devices/system/cpu/cpu{cpu}/topology/{what}", int)


def _is_amd(sys: Path) -> bool:
    cpuinfo = sys.parent / "proc/cpuinfo"
    return cpuinfo.exists() and bool(
        re.search(r"vendor_id\s*: (AuthenticAMD|HygonGenuine)", cpuinfo.read_text())
    )


def _config(path: Path) -> int:
    """Read what selects the event: "event=0x02", which the file `format` places in the lowest bits."""
    text = path.read_text().strip()
    if not (match := re.fullmatch(r"event=(0x[0-9a-fA-F]+|\d+)", text)):
        raise ValueError(f"{path} says {text!r} and not event=NUMBER")
    return int(match[1], 0)


def _scale(path: Path) -> float:
    """Read how many joules one count is."""
    unit = path.with_name(f"{path.name}.unit").read_text().strip()
    if unit != "Joules":
        raise ValueError(f"{path}.unit says {unit!r} and not Joules")
    return _parsed(path.with_name(f"{path.name}.scale"), float)
