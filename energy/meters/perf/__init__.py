"""RAPL through perf events: the way to the counters of packages and DRAM where powercap's files are closed.

It needs CAP_PERFMON, or kernel.perf_event_paranoid of 0 or less (Linux, Documentation/admin-guide/
perf-security and sysctl/kernel). The kernel adds up 64 bits in the background, so nothing wraps and nothing
has to be polled (Linux, arch/x86/events/rapl.c).

Where powercap's files are readable it does not open: it would read the same counters as rapl.py a second
time, which costs something and tells nothing. So there is always one owner, and it is the one with names,
limits and ranges.
"""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from energy.meters import rapl
from energy.meters._counting.follow import Counter
from energy.meters._counting.sensors import Gone, NoValue, Sensor, SensorMeter
from energy.meters._meter import Diagnosis, MeterUnavailable
from energy.meters._surroundings import Surroundings, surroundings
from energy.meters.perf.events import Event, list_events, open_event
from energy.meters.rapl.zones import PLAUSIBLE_WATTS, are_readable
from energy.reading import Count

DOMAINS = ("cpu", "ram")
COUNT_BYTES = 8


class Kernel(Protocol):
    """The two calls into the kernel, so that tests can put another in its place."""

    def open(self, kind: int, config: int, cpu: int) -> int:
        """Open an event and return its descriptor."""

    def read(self, descriptor: int) -> bytes:
        """Read an event's count."""

    def close(self, descriptor: int) -> None:
        """Close an event."""


class Linux:
    """This machine's kernel."""

    def open(self, kind: int, config: int, cpu: int) -> int:
        """Open an event and return its descriptor."""
        return open_event(kind, config, cpu)

    def read(self, descriptor: int) -> bytes:
        """Read an event's count; nothing if the kernel has given it up."""
        return os.read(descriptor, COUNT_BYTES)

    def close(self, descriptor: int) -> None:
        """Close an event."""
        os.close(descriptor)


def open(  # noqa: A001 -- every meter file has one
    gpus: Sequence[str] | None = None,  # noqa: ARG001 -- as every meter
    *,
    system: Path = Path("/"),
    kernel: Kernel | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> SensorMeter:
    """Open the energy events of all packages and their DRAM.

    Raises:
        MeterUnavailable: there are none, they are closed to this user, or rapl.py reads the same counters.
    """
    if are_readable(system / rapl.ROOT.relative_to("/")):
        raise MeterUnavailable(
            "RAPL's files are open: the meter rapl reads the same counters.", "Use the meter rapl."
        )
    if not (system / "sys/bus/event_source/devices/power/events/energy-pkg").exists():
        raise _absent(surroundings(system))
    kernel = kernel or Linux()
    opened: list[tuple[Event, int]] = []
    try:
        for event in list_events(system / "sys"):
            opened.append((event, kernel.open(event.kind, event.config, event.cpu)))
    except (OSError, MeterUnavailable) as problem:
        for _, descriptor in opened:
            kernel.close(descriptor)
        raise _refused(problem, surroundings(system)) from None
    sensors = [Sensor(_counter(event), _asking(kernel, event, descriptor)) for event, descriptor in opened]

    def close() -> None:
        for _, descriptor in opened:
            kernel.close(descriptor)

    meter = SensorMeter("perf", sensors, clock, release=close, period_seconds=None)  # the kernel counts
    sleep(rapl.PACE_SECONDS)
    meter.counts()
    return meter


def diagnose(
    gpus: Sequence[str] | None = None, *, system: Path = Path("/"), kernel: Kernel | None = None
) -> Diagnosis:
    """Say which events can be counted here, or the command that would open them."""
    try:
        meter = open(gpus, system=system, kernel=kernel)
    except MeterUnavailable as problem:
        return Diagnosis("perf", False, problem.reason, problem.remedy, untested=True)
    what = ", ".join(f"{count.domain}: {count.device}" for count in meter.counts())
    meter.close()
    return Diagnosis("perf", True, what, untested=True)


def _asking(kernel: Kernel, event: Event, descriptor: int) -> Callable[[], float]:
    def joules() -> float:
        try:
            text = kernel.read(descriptor)
        except OSError as problem:
            raise NoValue(f"perf event of {event.device}: {problem}") from None
        if len(text) < COUNT_BYTES:  # perf_event_open(2): end of file, an event in error
            raise Gone(f"perf event of {event.device}: the kernel gave it up")
        return int.from_bytes(text, sys.byteorder) * event.joules_per_count

    return joules


def _counter(event: Event) -> Counter:
    low, high = rapl.PACKAGE_GAIN if event.domain == "cpu" else rapl.DRAM_GAIN
    template = Count(
        event.domain, event.device, "rapl_perf", "measured", None, 0.0, low, high, reason="not read yet"
    )
    return Counter(template, PLAUSIBLE_WATTS, step_seconds=rapl.STEP_SECONDS)


def _absent(place: Surroundings) -> MeterUnavailable:
    reason = "The kernel offers no perf events of energy"
    if place.virtual:
        return MeterUnavailable(
            f"{reason}: this is {place}.", "No command on this machine opens them: run on the host."
        )
    if not place.x86:
        return MeterUnavailable(
            f"{reason}: only x86 processors have RAPL.", "Measure this machine by the meter outside."
        )
    on = "On the host: " if place.container else ""
    return MeterUnavailable(f"{reason}.", f"{on}`sudo modprobe rapl` (for AMD from Linux 5.8 on).")


def _refused(problem: OSError | MeterUnavailable, place: Surroundings) -> MeterUnavailable:
    """Say what opens the events: CAP_PERFMON is there from Linux 5.8 on."""
    if isinstance(problem, MeterUnavailable):
        return problem
    if problem.errno not in (errno.EACCES, errno.EPERM):
        return MeterUnavailable(
            f"The perf events of energy cannot be opened: {problem}.", "Use the meter rapl."
        )
    python = Path(sys.executable).resolve()
    remedy = (
        "`sudo sysctl kernel.perf_event_paranoid=0` opens them to all until the next boot, "
        f"`sudo setcap cap_perfmon+ep {python}` to this Python for good."
    )
    if place.container:  # the engine's filter of system calls refuses, whatever the host's setting
        remedy = f"Start the container with `--cap-add=PERFMON`; on the host: {remedy}"
    return MeterUnavailable(f"The perf events of energy are closed to this user ({problem}).", remedy)
