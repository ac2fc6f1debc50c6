"""RAPL through Linux powercap: the energy counters of processor packages and, if there are any, their DRAM.

Zones are told by their `name` files, not by their numbers (Linux: Documentation/power/powercap). Packages and
dram are counted; core and uncore are parts of a package, and psys contains all of it, so none of them is
added on top. The MMIO twin of a package and the dies of one package that show the same counter are left out.

A counter wraps at `max_energy_range_uj`, after minutes under load. It is read every second, which no wrap
escapes, and a jump that the package could not have drawn is a reset (suspend, reloaded module), not a wrap.
"""

from __future__ import annotations

import errno
import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from energy.meters._follow import Counter
from energy.meters._meter import Diagnosis, MeterUnavailable
from energy.reading import Count, Fault

DOMAINS = ("cpu", "ram")
ROOT = Path("/sys/class/powercap")
PERIOD_SECONDS = 1.0
STEP_SECONDS = 0.001  # Intel SDM vol. 3B, 16.10: the energy status is updated about every millisecond
PLAUSIBLE_WATTS = 1000.0  # per package, where no constraint says what it may draw
BURST_FACTOR = 2.0  # short-term limits exceed a constraint's stated maximum
# Assumed: nobody states an error. RAPL is "highly correlated" with the plug (Khan et al., RAPL in Action,
# TOMPECS 2018); for DRAM it follows the trend with a constant offset (Desrochers et al., MEMSYS 2016).
PACKAGE_GAIN = (0.9, 1.1)
DRAM_GAIN = (0.8, 1.2)
SAME_COUNTER_JOULES = 1.0  # two reads of one counter, some milliseconds apart
TELLING_JOULES = 1000.0  # below it, two different counters may still be equal because both were just reset
GONE = (errno.ENOENT, errno.ENODEV, errno.ENXIO)


def open(  # noqa: A001
    gpus: Sequence[str] | None = None,  # noqa: ARG001
    *,
    root: Path = ROOT,
    clock: Callable[[], float] = time.monotonic,
) -> Rapl:
    """Open all packages and their DRAM.

    Raises:
        MeterUnavailable: there are no packages, or their counters are closed to this user.
    """
    zones = _zones(root)
    packages = [zone for zone in zones if zone.domain == "cpu"]
    if not packages:
        raise MeterUnavailable(
            f"There are no RAPL packages under {root}.",
            "Virtual machines and containers hide them; on bare metal, `sudo modprobe intel_rapl_msr`.",
        )
    for zone in packages:
        _check_readable(zone, root)
    return Rapl([zone for zone in zones if _counts(zone) and not _mirrors(zone, zones)], clock)


def diagnose(gpus: Sequence[str] | None = None, *, root: Path = ROOT) -> Diagnosis:
    """Say which zones can be read here, or the command that would open them."""
    try:
        meter = open(gpus, root=root)
    except MeterUnavailable as problem:
        return Diagnosis("rapl", False, problem.reason, problem.remedy)
    what = ", ".join(f"{count.domain}: {count.device}" for count in meter.counts())
    meter.close()
    return Diagnosis("rapl", True, what)


@dataclass(frozen=True)
class Zone:
    """One powercap zone that counts, with what it can draw and where it wraps."""

    path: Path
    domain: str
    device: str
    range_joules: float | None
    max_watts: float


class Rapl:
    """Cumulative joules of every package and its DRAM."""

    name = "rapl"
    slow = False

    def __init__(self, zones: Sequence[Zone], clock: Callable[[], float]) -> None:
        self.pid = os.getpid()
        self.closed = False
        self._clock = clock
        self._lock = threading.RLock()
        self._noted: list[Fault] = []
        self._counters = [(zone, _counter(zone)) for zone in zones]
        self.period_seconds: float | None = min(
            [PERIOD_SECONDS, *(_wrap_seconds(zone) / 4 for zone in zones)]
        )
        self.poll()

    def poll(self) -> None:
        """Read every counter, often enough to see each wrap."""
        with self._lock:
            if not self.closed:
                self._sample()

    def counts(self) -> tuple[Count, ...]:
        """Read every counter now and return the joules since the meter was opened."""
        with self._lock:
            if not self.closed:
                self._sample()
            return tuple(counter.count(counter.edge_joules(), STEP_SECONDS) for _, counter in self._counters)

    def faults(self) -> tuple[Fault, ...]:
        """Return all faults since the meter was opened."""
        with self._lock:
            faults = [fault for _, counter in self._counters for fault in counter.faults]
            return tuple(sorted(faults + self._noted, key=lambda fault: fault.at_seconds))

    def note(self, fault: Fault) -> None:
        """Keep a fault that somebody else observed."""
        self._noted.append(fault)

    def close(self) -> None:
        """Read no more; nothing is held open."""
        with self._lock:
            self.closed = True
            for _, counter in self._counters:
                counter.miss("the meter is closed")

    def _sample(self) -> None:
        for zone, counter in self._counters:
            asked = self._clock()
            try:
                joules = _joules(zone.path / "energy_uj")
            except (OSError, ValueError) as problem:
                _failed(counter, zone, self._clock(), problem)
            else:
                counter.see(asked, self._clock(), joules)


def _counter(zone: Zone) -> Counter:
    low, high = PACKAGE_GAIN if zone.domain == "cpu" else DRAM_GAIN
    template = Count(
        zone.domain, zone.device, "rapl", "measured", None, 0.0, low, high, reason="not read yet"
    )
    return Counter(template, zone.max_watts, step_seconds=STEP_SECONDS, range_joules=zone.range_joules)


def _failed(counter: Counter, zone: Zone, seconds: float, problem: OSError | ValueError) -> None:
    reason = f"{zone.path / 'energy_uj'}: {problem}"
    if isinstance(problem, OSError) and problem.errno in GONE:
        counter.lose(seconds, f"{reason} (the zone is gone)")
    else:
        counter.miss(reason)


def _wrap_seconds(zone: Zone) -> float:
    return zone.range_joules / zone.max_watts if zone.range_joules else float("inf")


def _zones(root: Path) -> list[Zone]:
    """Return the zones of packages and DRAM, without MMIO twins, in the order of their names."""
    paths = sorted(root.glob("intel-rapl*:*")) if root.is_dir() else []
    packages = {path: _name(path) for path in paths if path.name.count(":") == 1}
    zones = []
    for path, name in packages.items():
        if not name.startswith("package") or _is_twin(path, name, packages):
            continue
        zones.append(_zone(path, "cpu", name))
        drams = [
            child for child in paths if child.name.startswith(f"{path.name}:") and _name(child) == "dram"
        ]
        zones += [_zone(child, "ram", f"{name}/dram") for child in drams]
    return zones


def _is_twin(path: Path, name: str, packages: dict[Path, str]) -> bool:
    """Say whether an MMIO zone shows a package that another zone shows as well."""
    if "mmio" not in path.name:
        return False
    return any(other != path and packages[other] == name and "mmio" not in other.name for other in packages)


def _zone(path: Path, domain: str, device: str) -> Zone:
    limits = [_number(limit) / 1e6 for limit in path.glob("constraint_*_power*_uw")]  # maxima and set limits
    max_watts = max(limits, default=0.0) * BURST_FACTOR or PLAUSIBLE_WATTS
    return Zone(path, domain, device, _number(path / "max_energy_range_uj") / 1e6 or None, max_watts)


def _counts(zone: Zone) -> bool:
    """Say whether the zone's counter works: some machines have a DRAM zone that always shows 0."""
    return zone.domain == "cpu" or _number(zone.path / "energy_uj") > 0


def _mirrors(zone: Zone, zones: Iterable[Zone]) -> bool:
    """Say whether an earlier package shows the same counter, as the dies of one AMD package do.

    Counters of independent packages come within 1 J of each other once in 100 000 times (machines with
    mirrors: codecarbon issue 1274).
    """
    for other in zones:
        if other == zone or other.domain != zone.domain:
            return False
        first, second = _number(other.path / "energy_uj") / 1e6, _number(zone.path / "energy_uj") / 1e6
        if min(first, second) > TELLING_JOULES and abs(first - second) <= SAME_COUNTER_JOULES:
            return True
    return False


def _check_readable(zone: Zone, root: Path) -> None:
    try:
        _joules(zone.path / "energy_uj")
    except PermissionError:
        raise MeterUnavailable(
            f"The RAPL counters are closed to this user ({zone.path / 'energy_uj'}).",
            f"`sudo chmod a+r {root}/intel-rapl*:*/energy_uj` opens them until the next boot; for good: "
            """`echo 'SUBSYSTEM=="powercap", ACTION=="add", RUN+="/bin/chmod a+r /sys%p/energy_uj"' """
            "| sudo tee /etc/udev/rules.d/70-rapl.rules`.",
        ) from None
    except (OSError, ValueError) as problem:
        raise MeterUnavailable(
            f"A RAPL counter cannot be read: {problem}.", "Containers mask them; measure outside."
        ) from None


def _joules(path: Path) -> float:
    """Read a counter; os.read, since opening a file object takes longer than reading the counter."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return int(os.read(descriptor, 32)) / 1e6
    finally:
        os.close(descriptor)


def _name(path: Path) -> str:
    try:
        return (path / "name").read_text().strip()
    except OSError:
        return ""


def _number(path: Path) -> float:
    """Read a number, 0 if there is none: limits and ranges are optional."""
    try:
        return float(re.sub(r"\s", "", path.read_text()))
    except (OSError, ValueError):
        return 0.0
