"""Windows: processor packages and their DRAM through the Energy Meter Interface (EMI); needs no driver.

Windows 11 shows the RAPL counters of Intel and AMD processors as channels called RAPL_Package0_PKG and the
like (Microsoft: "Energy Meter Interface"). PKG and DRAM count; PP0, PP1 and CORE are parts of PKG and are
never added on top. The dies of one package that show the same counter count once.

Untested on hardware: the tests answer with bytes laid out by hand as emi.h describes them.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence

from energy.meters._counting.follow import Counter
from energy.meters._counting.sensors import Gone, NoValue, Sensor, SensorMeter
from energy.meters._meter import Diagnosis, MeterUnavailable
from energy.meters.emi.interface import Channel, Device, channels, devices
from energy.reading import Count

DOMAINS = ("cpu", "ram")
PERIOD_SECONDS = 1.0  # 64 bits of picowatt-hours do not wrap: this only sees resets
STEP_SECONDS = 0.1  # assumed: how often Windows reads the counters of the processor is not documented
MAX_WATTS = 1000.0  # per package: twice what the largest are built for
PACKAGE_GAIN, DRAM_GAIN = (0.9, 1.1), (0.8, 1.2)  # assumed, as for RAPL on Linux (`rapl.py`)
COUNTED = re.compile(r"RAPL_Package(\d+)(?:_Die(\d+))?_(PKG|DRAM)", re.IGNORECASE)
SAME_COUNTER_JOULES = 1.0  # two reads of one counter, some milliseconds apart
TELLING_JOULES = 1000.0  # below it, two counters may be equal because both have just begun
NOT_CONNECTED = (2, 3, 433, 1167)  # winerror.h: file or path not found, no such device, device not connected


def open(  # noqa: A001 -- every meter file has one
    gpus: Sequence[str] | None = None,  # noqa: ARG001 -- as every meter
    *,
    find: Callable[[], Sequence[Device]] = devices,
    clock: Callable[[], float] = time.monotonic,
) -> Emi:
    """Open all packages and their DRAM.

    Raises:
        MeterUnavailable: this is no Windows, or it shows no processor package.
    """
    try:
        found = list(find())
    except OSError as problem:
        raise MeterUnavailable(
            f"An energy meter cannot be opened: {problem}.", "Run as a user who may open it."
        ) from None
    if not found:
        raise MeterUnavailable(
            "There is no energy meter device of Windows here.",
            "EMI shows processors under Windows 11 on bare metal; virtual machines and WSL have none.",
        )
    try:
        return Emi(found, _counted(found), clock)
    except MeterUnavailable:
        _close(found)
        raise


def diagnose(
    gpus: Sequence[str] | None = None, *, find: Callable[[], Sequence[Device]] = devices
) -> Diagnosis:
    """Say which packages can be read here, or why there are none."""
    try:
        meter = open(gpus, find=find)
    except MeterUnavailable as problem:
        return Diagnosis("emi", False, problem.reason, problem.remedy, untested=True)
    what = ", ".join(f"{count.domain}: {count.device}" for count in meter.counts())
    meter.close()
    return Diagnosis("emi", True, what, untested=True)


class Emi(SensorMeter):
    """Cumulative joules of every package and its DRAM."""

    def __init__(
        self, found: Sequence[Device], counted: Sequence[Channel], clock: Callable[[], float]
    ) -> None:
        sensors = [Sensor(_counter(channel), _asking(channel)) for channel in counted]
        super().__init__("emi", sensors, clock, release=lambda: _close(found), period_seconds=PERIOD_SECONDS)


def _counted(found: Sequence[Device]) -> list[Channel]:
    try:
        every = [channel for device in found for channel in channels(device)]
        packages = [channel for channel in every if COUNTED.fullmatch(channel.name)]
        counted = [channel for channel in packages if not _mirrors(channel, packages)]
    except (OSError, ValueError) as problem:
        raise MeterUnavailable(
            f"An energy meter does not answer as emi.h says: {problem}.", "Report it with `winver`."
        ) from None
    if not any(_domain(channel) == "cpu" for channel in counted):
        names = ", ".join(channel.name for channel in every) or "none"
        raise MeterUnavailable(
            f"No energy meter shows a processor package (channels: {names}).",
            "Only RAPL packages count: other channels do not say what they contain.",
        )
    if len({channel.name.upper() for channel in counted}) < len(counted):
        names = ", ".join(channel.name for channel in counted)
        raise MeterUnavailable(f"Two energy meters have one name ({names}).", "Report it with `winver`.")
    return counted


def _domain(channel: Channel) -> str:
    return "cpu" if channel.name.upper().endswith("_PKG") else "ram"


def _mirrors(channel: Channel, packages: Sequence[Channel]) -> bool:
    """Say whether an earlier package shows the same counter, as the dies of one AMD package do."""
    if _domain(channel) != "cpu":
        return False
    for other in packages[: packages.index(channel)]:
        if _domain(other) == "cpu":
            first, second = other.joules(), channel.joules()
            if min(first, second) > TELLING_JOULES and abs(first - second) <= SAME_COUNTER_JOULES:
                return True
    return False


def _counter(channel: Channel) -> Counter:
    domain = _domain(channel)
    low, high = PACKAGE_GAIN if domain == "cpu" else DRAM_GAIN
    count = Count(domain, _device(channel), "emi", "measured", None, 0.0, low, high, reason="not read yet")
    return Counter(count, MAX_WATTS, step_seconds=STEP_SECONDS)


def _device(channel: Channel) -> str:
    """Name the package as Linux does: package-0, package-0-die-1, package-0/dram."""
    match = COUNTED.fullmatch(channel.name)
    assert match
    package, die, part = match.groups()
    name = f"package-{package}" + (f"-die-{die}" if die else "")
    return f"{name}/dram" if part.upper() == "DRAM" else name


def _asking(channel: Channel) -> Callable[[], float]:
    def joules() -> float:
        try:
            return channel.joules()
        except OSError as problem:
            reason = f"{channel.name}: {problem}"
            if problem.errno in NOT_CONNECTED:
                raise Gone(f"{reason} (the meter is gone)") from None
            raise NoValue(reason) from None
        except ValueError as problem:
            raise NoValue(f"{channel.name}: {problem}") from None

    return joules


def _close(found: Sequence[Device]) -> None:
    for device in found:
        device.close()
