"""RAPL: the energy counters of processor packages and, if there are any, their DRAM.

They are read through Linux powercap or, where that is closed or absent, as perf events (`events.py`), which
fewer machines let a user do; the source in the record says which. What follows is the same.

Zones are told by their `name` files, not by their numbers (Linux: Documentation/power/powercap). Packages and
dram are counted; core and uncore are parts of a package, so neither is added on top. psys contains all of it
and more of the platform, as its maker chose: it is a witness. The MMIO twin of a package and the dies of one
package that show the same counter are left out.

A counter wraps at `max_energy_range_uj`, after minutes under load. It is read every second, which no wrap
escapes. Only a fall is a reset (suspend, reloaded module), and only where no wrap explains it: one that the
package could have drawn. After a pause nearly every wrap could have been drawn, so a fall that nobody watched
is a reset too: a wrap among them is lost and flagged, where a reset taken for a wrap would be energy that
nobody used. After a pause in which the counter may have wrapped unseen, what it shows more is the least that
was drawn. A zone that vanishes is lost until it comes back. Its counter has gone on meanwhile, or has been
reset and has passed where it was: what it shows more is counted, and the rest of what may have been drawn is
at stake.

The files are kept open, so that the edge of a window costs microseconds. Permissions are checked when a file
is opened: losing them in the middle of a run stops nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from energy.meters._counting.follow import Counter
from energy.meters._counting.sensors import SensorMeter
from energy.meters._meter import Diagnosis, MeterUnavailable
from energy.meters.rapl.events import EventCount, Kernel, Linux, open_events
from energy.meters.rapl.help import add_refusal
from energy.meters.rapl.zones import GONE, PLATFORM, Zone, ZoneFile, open_zones
from energy.reading import Count, Fault

DOMAINS = ("cpu", "ram", "platform")
POWERCAP, PERF = "rapl", "rapl_perf"  # sources
ROOT = Path("/sys/class/powercap")
PERIOD_SECONDS = 1.0
WATCHED_PERIODS = 5  # samples further apart than this cannot tell a wrap from a reset
PACE_SECONDS = 0.06  # after it a counter's power is known, without which no edge has an uncertainty
STEP_SECONDS = 0.001  # Intel SDM vol. 3B, 16.10: the energy status is updated about every millisecond
# Assumed: nobody states an error. RAPL is "highly correlated" with the plug (Khan et al., RAPL in Action,
# TOMPECS 2018); for DRAM it follows the trend with a constant offset (Desrochers et al., MEMSYS 2016).
PACKAGE_GAIN = (0.9, 1.1)
DRAM_GAIN = (0.8, 1.2)


def open(  # noqa: A001 -- every meter file has one
    gpus: Sequence[str] | None = None,  # noqa: ARG001 -- as every meter
    *,
    root: Path = ROOT,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    system: Path = Path("/"),
    kernel: Kernel | None = None,
) -> SensorMeter:
    """Open all packages and their DRAM.

    Args:
        gpus: as every meter.
        root: the folder of powercap.
        clock: monotonic seconds.
        sleep: waits for so many seconds.
        system: where the files lie that say what this machine is, and which perf events it has.
        kernel: opens and reads perf events.

    Raises:
        MeterUnavailable: there are no packages, or their counters are closed to this user.
    """
    files = _open(root, sleep, system, kernel or Linux())
    followed = [Followed(file, _counter(file.zone, _source(file))) for file in files]

    def close() -> None:
        for zone in followed:
            zone.file.close()

    # The kernel counts events in the background, and needs nobody to look.
    periods = [zone.period_seconds for zone in followed if isinstance(zone.file, ZoneFile)]
    period_seconds = min(periods, default=None)
    meter = SensorMeter("rapl", followed, clock, release=close, period_seconds=period_seconds)
    sleep(PACE_SECONDS)
    meter.poll()
    return meter


def diagnose(
    gpus: Sequence[str] | None = None,
    *,
    root: Path = ROOT,
    system: Path = Path("/"),
    kernel: Kernel | None = None,
) -> Diagnosis:
    """Say which zones can be read here and how, or the command that would open them."""
    try:
        meter = open(gpus, root=root, system=system, kernel=kernel)
    except MeterUnavailable as problem:
        return Diagnosis("rapl", False, problem.reason, problem.remedy, untested=True)
    counts = meter.counts()
    what = ", ".join(f"{count.domain}: {count.device}" for count in counts)
    what += " (perf events)" if counts[0].source == PERF else ""
    meter.close()
    return Diagnosis("rapl", True, what, untested=True)


def _open(
    root: Path, sleep: Callable[[float], None], system: Path, kernel: Kernel
) -> Sequence[ZoneFile | EventCount]:
    """Open powercap's files, or else the perf events."""
    try:
        return open_zones(root, sleep, system)
    except MeterUnavailable as problem:
        try:
            events = open_events(system / "sys", kernel)
        except (OSError, ValueError) as refusal:
            raise add_refusal(problem, refusal, system) from None
        if not events:
            raise
        return events


def _source(file: ZoneFile | EventCount) -> str:
    return POWERCAP if isinstance(file, ZoneFile) else PERF


@dataclass(eq=False)
class Followed:
    """One zone: its file, the joules counted from it, and since when it has been gone."""

    file: ZoneFile | EventCount
    counter: Counter
    gone: Fault | None = None
    last_seconds: float = 0.0
    last_joules: float = 0.0

    @property
    def period_seconds(self) -> float:
        """How often it must be read so that no wrap goes unseen."""
        return min(PERIOD_SECONDS, self.file.zone.wrap_seconds / 4)

    def sample(self, clock: Callable[[], float], asked: float | None = None) -> None:
        """Read the counter once and account for what it says."""
        asked = clock() if asked is None else asked
        try:
            joules = self.file.joules()
        except (OSError, ValueError) as problem:
            self._failed(clock(), problem)
        else:
            self._saw(asked, clock(), joules)

    def counts(self) -> tuple[Count, ...]:
        """Return the count as of the last sample."""
        return (self.counter.count(self.counter.edge_joules(), STEP_SECONDS),)

    def faults(self) -> list[Fault]:
        """Return what went wrong with it so far."""
        return [*self.counter.faults, *([self.gone] if self.gone else [])]

    def miss(self, reason: str) -> None:
        """Make the count unknown."""
        self.counter.miss(reason)

    def _saw(self, asked: float, arrived: float, joules: float) -> None:
        wraps_at = self.file.zone.range_joules
        fell = joules < self.last_joules
        self.counter.range_joules = None if fell and self._reset(arrived - self.last_seconds) else wraps_at
        before = self.counter.joules
        self.counter.see(asked, arrived, joules)
        if self.gone is not None and self.counter.joules > before:
            self.counter.doubt(self.last_seconds, arrived, self.counter.joules - before, self.gone.reason)
        self.gone, self.last_seconds, self.last_joules = None, arrived, joules

    def _reset(self, seconds: float) -> bool:
        """Say whether a lower count, `seconds` after the last, means that the counter began anew."""
        if seconds >= self.file.zone.wrap_seconds:
            return False  # it may have wrapped, once or more: a gap
        return self.file.renewed or seconds > WATCHED_PERIODS * self.period_seconds

    def _failed(self, seconds: float, problem: OSError | ValueError) -> None:
        zone = self.file.zone
        reason = f"{zone.file}: {problem}"
        if isinstance(problem, OSError) and problem.errno in GONE:
            reason += " (the zone is gone)"
            if self.gone is None:
                source = self.counter.template.source
                self.gone = Fault("lost", source, zone.device, seconds, 0.0, None, reason)
        self.counter.miss(reason)


def _counter(zone: Zone, source: str) -> Counter:
    low, high = PACKAGE_GAIN if zone.domain == "cpu" else DRAM_GAIN
    witness, reason = zone.domain == PLATFORM, "not read yet"
    template = Count(
        zone.domain, zone.device, source, "measured", None, 0.0, low, high, witness=witness, reason=reason
    )
    return Counter(template, zone.most_watts, step_seconds=STEP_SECONDS, range_joules=zone.range_joules)
