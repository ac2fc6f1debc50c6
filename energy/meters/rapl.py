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
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from energy.meters._follow import Counter
from energy.meters._meter import Diagnosis, MeterUnavailable
from energy.meters._powercap import Zone, usable
from energy.reading import Count, Fault

DOMAINS = ("cpu", "ram")
ROOT = Path("/sys/class/powercap")
PERIOD_SECONDS = 1.0
STEP_SECONDS = 0.001  # Intel SDM vol. 3B, 16.10: the energy status is updated about every millisecond
# Assumed: nobody states an error. RAPL is "highly correlated" with the plug (Khan et al., RAPL in Action,
# TOMPECS 2018); for DRAM it follows the trend with a constant offset (Desrochers et al., MEMSYS 2016).
PACKAGE_GAIN = (0.9, 1.1)
DRAM_GAIN = (0.8, 1.2)
GONE = (errno.ENOENT, errno.ENODEV, errno.ENXIO)


def open(  # noqa: A001 -- every meter file has one
    gpus: Sequence[str] | None = None,  # noqa: ARG001 -- as every meter
    *,
    root: Path = ROOT,
    clock: Callable[[], float] = time.monotonic,
) -> Rapl:
    """Open all packages and their DRAM.

    Raises:
        MeterUnavailable: there are no packages, or their counters are closed to this user.
    """
    return Rapl(usable(root), clock)


def diagnose(gpus: Sequence[str] | None = None, *, root: Path = ROOT) -> Diagnosis:
    """Say which zones can be read here, or the command that would open them."""
    try:
        meter = open(gpus, root=root)
    except MeterUnavailable as problem:
        return Diagnosis("rapl", False, problem.reason, problem.remedy)
    what = ", ".join(f"{count.domain}: {count.device}" for count in meter.counts())
    meter.close()
    return Diagnosis("rapl", True, what)


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
        self.period_seconds: float | None = min([PERIOD_SECONDS, *(zone.wrap_seconds / 4 for zone in zones)])
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
                joules = zone.joules()
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
