"""Power sensors of Linux's hwmon: the whole machine as a witness, and NVIDIA Grace processors.

A sensor of the whole machine is read once a second by the polling thread and never at the edge of a window:
behind an ACPI power meter there is firmware, which may take its time. Grace has no RAPL; its sensors are the
processor's measured figure. Its memory is what all of Grace draws beyond "CPU" and "SysIO" (regulators
included), so that the parts add up to Grace. "Module" is Grace and its GPU: a witness, added to neither.

Untested on hardware: the tests replay trees of files.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from energy.meters._counting.follow import Integral
from energy.meters._counting.sensors import PERIOD_SECONDS, NoValue, Sensor, SensorMeter
from energy.meters._meter import Diagnosis, MeterUnavailable
from energy.meters.hwmon.sensors import MAX_WATTS, PowerFile, list_sensors
from energy.reading import Count

DOMAINS = ("cpu", "ram", "module", "machine")
ROOT = Path("/sys/class/hwmon")
WHOLE_SECONDS = 1.0  # between two looks at a sensor of the whole machine
GAIN = (0.95, 1.05)  # assumed: ACPI meters state an accuracy, of which nobody says how it was found
AVERAGE_SECONDS = 1.0  # assumed where a sensor does not tell over how long it averages


def open(  # noqa: A001 -- every meter file has one
    gpus: Sequence[str] | None = None,  # noqa: ARG001 -- as every meter
    *,
    root: Path = ROOT,
    clock: Callable[[], float] = time.monotonic,
) -> Hwmon:
    """Open the sensors of the whole machine, and those of Grace's parts.

    Raises:
        MeterUnavailable: there are none, or they cannot be read.
    """
    found = list_sensors(root)
    wholes = [sensor for sensor in found if sensor.is_whole]
    parts = list(_parts(found))
    if not wholes and not parts:
        seen = ", ".join(sorted({sensor.chip for sensor in found})) or "none"
        raise MeterUnavailable(
            f"No power sensor under {root} sees the whole machine or a Grace CPU (there: {seen}).",
            "Servers have one as an ACPI power meter (`modprobe acpi_power_meter`), or behind their BMC.",
        )
    machine = [_sensor("machine", _name(whole, wholes), whole.watts, whole) for whole in wholes]
    meter = Hwmon(parts, machine, clock)
    if all(count.joules is None for count in meter.counts()):
        reason = meter.counts()[0].reason
        raise MeterUnavailable(f"hwmon's sensors cannot be read: {reason}.", "Let this user read the files.")
    return meter


def diagnose(gpus: Sequence[str] | None = None, *, root: Path = ROOT) -> Diagnosis:
    """Say which sensors count here, or what there is instead."""
    try:
        meter = open(gpus, root=root)
    except MeterUnavailable as problem:
        return Diagnosis("hwmon", False, problem.reason, problem.remedy, untested=True)
    what = ", ".join(f"{count.domain}: {count.device}" for count in meter.counts())
    meter.close()
    return Diagnosis("hwmon", True, what, untested=True)


class Hwmon(SensorMeter):
    """Cumulative joules of Grace's parts, and of the whole machine."""

    def __init__(self, parts: Sequence[Sensor], wholes: Sequence[Sensor], clock: Callable[[], float]) -> None:
        self._parts, self._wholes = tuple(parts), tuple(wholes)
        self._whole_due_seconds = clock()
        period_seconds = PERIOD_SECONDS if parts else WHOLE_SECONDS
        super().__init__("hwmon", [*parts, *wholes], clock, slow=bool(parts), period_seconds=period_seconds)

    def counts(self) -> tuple[Count, ...]:
        """Ask Grace's sensors now; what the whole machine has drawn is as of the last poll."""
        with self._lock:
            if not self.closed:
                self._ask_parts()
            return tuple(count for sensor in self._sensors for count in sensor.counts())

    def _sample(self) -> None:
        self._ask_parts()
        if self._clock() >= self._whole_due_seconds:
            self._whole_due_seconds = self._clock() + WHOLE_SECONDS
            for sensor in self._wholes:
                sensor.sample(self._clock)

    def _ask_parts(self) -> None:
        for sensor in self._parts:
            sensor.sample(self._clock)


def _parts(found: Sequence[PowerFile]) -> Iterator[Sensor]:
    """Yield the sensors of Grace's parts, socket by socket, none of which holds another but the module."""
    by_part = {sensor.part: sensor for sensor in found if sensor.part}
    for socket in sorted({part[1] for part in by_part}):
        module, grace = by_part.get(("module", socket)), by_part.get(("grace", socket))
        rails = [rail for name in ("cpu", "sysio") if (rail := by_part.get((name, socket)))]
        if module:
            yield _sensor("module", module.label, module.watts, module)
        if grace and len(rails) == 2:
            yield _sensor("ram", f"memory of {grace.label}", partial(_rest, grace, rails), grace)
        elif grace:  # all that there is, with its memory
            rails = [grace]
        for rail in rails:
            yield _sensor("cpu", rail.label, rail.watts, rail)


def _rest(grace: PowerFile, rails: Sequence[PowerFile]) -> float:
    watts = grace.watts() - sum(rail.watts() for rail in rails)
    if watts < 0:
        raise NoValue(f"{grace.label} shows less than its parts")
    return watts


def _sensor(domain: str, device: str, ask: Callable[[], float], file: PowerFile) -> Sensor:
    low, high = GAIN
    witness = domain in ("module", "machine")
    template = Count(
        domain, device, "hwmon", "measured", None, 0.0, low, high, witness=witness, reason="not read yet"
    )
    period = WHOLE_SECONDS if domain == "machine" else PERIOD_SECONDS
    average = file.average_seconds or (AVERAGE_SECONDS if file.file.name.endswith("average") else 0.0)
    gap = 3 * period
    integral = Integral(template, MAX_WATTS, gap_seconds=gap, lag_seconds=period, average_seconds=average)
    return Sensor(integral, ask)


def _name(whole: PowerFile, wholes: Sequence[PowerFile]) -> str:
    """Name a sensor of the machine by its chip, and by its number if there are several."""
    return whole.chip if len(wholes) == 1 else f"{whole.chip} {wholes.index(whole) + 1}"
