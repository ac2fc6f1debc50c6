"""Apple silicon: CPU, GPU, Neural Engine and DRAM, as the chip's own energy model counts them (IOReport).

Apple calls these figures estimates that should not be compared between devices (`man powermetrics`), so they
are "modelled" here. What the channels are called and how often they move is known from reports of users, one
with a trace of an M1 Ultra (lablup/all-smi, issue 415; names: ml-energy/zeus-apple-silicon, vladkens/macmon):

- The channels in mJ (CPU, DRAM, Neural Engine) move together, twice in 2.1 s at uneven intervals of up to
  1.7 s; "GPU Energy" (nJ) moves with each sample. So only windows of minutes tell the CPU to 1 %.
- A chip of several dies has DIE_0_CPU Energy, DRAM0_0 and so on, one per die, in place of one channel.
- Some versions of macOS 27 freeze the channels in mJ (metaspartan/mactop, pull request 72; macmon): these
  figures are unknown then, and never 0.

The Neural Engine is an accelerator and counts in domain "gpu", beside the GPU. It is switched off when idle,
so its standing still is no fault unless the CPU's channel stands still as well. GPU SRAM, fabric, display and
media channels do not count: nobody states whether others contain them.

Untested on hardware: the tests replay channel names, units and movements from that trace.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from energy.meters._counting.follow import Counter
from energy.meters._counting.sensors import NoValue, Sensor, SensorMeter
from energy.meters._meter import Diagnosis, MeterUnavailable
from energy.meters.apple.ioreport import Channel, Source, load
from energy.reading import Count

DOMAINS = ("cpu", "gpu", "ram")
GAIN = (0.8, 1.25)  # assumed: nobody states an error, and Apple advises against comparing devices
MAX_WATTS = 500.0  # per part, far above a Mac Studio's supply of 370 W
JOULES = {"mJ": 1e-3, "uJ": 1e-6, "nJ": 1e-9}  # per unit of a channel


@dataclass(frozen=True)
class Part:
    """One figure: the channel called `whole`, or else those of the dies; it moves every `step_seconds`."""

    domain: str
    device: str
    whole: str
    dies: str
    step_seconds: float

    def channels(self, names: Sequence[str]) -> list[str]:
        """Return the names of its channels; none if the machine has no such part."""
        if self.whole in names:
            return [self.whole]
        return sorted({name for name in names if re.fullmatch(self.dies, name)})


CPU = Part("cpu", "package-0", "CPU Energy", r"DIE_\d+_CPU Energy", 2.0)
RAM = Part("ram", "package-0/dram", "DRAM", r"DRAM\d+(_\d+)?", 2.0)
GPU = Part("gpu", "apple-gpu", "GPU Energy", r"DIE_\d+_GPU Energy", 0.2)
ANE = Part("gpu", "apple-ane", "ANE", r"ANE\d+(_\d+)?", 2.0)


def open(  # noqa: A001 -- every meter file has one
    gpus: Sequence[str] | None = None,
    *,
    source: Source | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Apple:
    """Open CPU and DRAM, and the GPU with the Neural Engine.

    Args:
        gpus: ("apple-gpu",) or None for the GPU and the Neural Engine, () for neither.
        source: what shows the channels; default: IOReport.
        clock: monotonic seconds.

    Raises:
        MeterUnavailable: this is no Mac with Apple silicon, or it does not show its CPU's energy.
    """
    opened = load() if source is None else source
    try:
        return Apple(opened, gpus is None or GPU.device in gpus, clock)
    except MeterUnavailable:
        opened.close()
        raise


def diagnose(gpus: Sequence[str] | None = None, *, source: Source | None = None) -> Diagnosis:
    """Say which parts can be read here, or why none can."""
    try:
        meter = open(gpus, source=source)
    except MeterUnavailable as problem:
        return Diagnosis("apple", False, problem.reason, problem.remedy, untested=True)
    meter.close()
    return Diagnosis("apple", True, meter.describe(), untested=True)


class Apple(SensorMeter):
    """Cumulative joules of each part of the chip."""

    def __init__(self, source: Source, with_gpu: bool, clock: Callable[[], float]) -> None:
        self._source = source
        self._shown: dict[str, Channel] = {}
        self._parts = self._found((CPU, RAM, GPU, ANE) if with_gpu else (CPU, RAM))
        followers = {part: _counter(part) for part in self._parts}
        sensors = [Sensor(followers[part], self._asking(part, followers[CPU])) for part in self._parts]
        super().__init__("apple", sensors, clock, refresh=self._look, release=source.close, slow=True)

    def describe(self) -> str:
        """Say what is counted, from which channels."""
        parts = [f"{part.domain}: {part.device} ({' + '.join(names)})" for part, names in self._parts.items()]
        return ", ".join(parts)

    def _found(self, wanted: Sequence[Part]) -> dict[Part, list[str]]:
        try:
            self._look()
            found = {part: names for part in wanted if (names := part.channels(list(self._shown)))}
            for name in {name for names in found.values() for name in names}:
                self._joules(name)
        except NoValue as problem:
            raise MeterUnavailable(f"IOReport: {problem}.", "Report it with the version of macOS.") from None
        if CPU not in found:
            raise MeterUnavailable("IOReport shows no energy of the CPU.", "Report it with the Mac's model.")
        return found

    def _look(self) -> None:
        """Take one sample for all parts."""
        try:
            self._shown = {channel.name: channel for channel in self._source.read()}
        except OSError as problem:
            raise NoValue(str(problem)) from None

    def _asking(self, part: Part, cpu: Counter) -> Callable[[], float]:
        def joules() -> float:
            if part is ANE and cpu.problem:
                raise NoValue(f"the CPU's channel does not move either ({cpu.problem})")
            return sum(self._joules(name) for name in self._parts[part])

        return joules

    def _joules(self, name: str) -> float:
        if name not in self._shown:
            raise NoValue(f"the channel {name!r} is not in the sample")
        _, unit, value = self._shown[name]
        if unit not in JOULES or value < 0:  # a channel of states answers with the least of all integers
            raise NoValue(
                f"the channel {name!r} shows {value} {unit!r}, expected a count of {', '.join(JOULES)}"
            )
        return value * JOULES[unit]


class Sleeper(Counter):
    """A counter of something that draws nothing when it is switched off."""

    def _stuck(self, seconds: float) -> bool:  # noqa: ARG002 -- as in Counter
        return False


def _counter(part: Part) -> Counter:
    low, high = GAIN
    template = Count(
        part.domain, part.device, "ioreport", "modelled", None, 0.0, low, high, reason="not read yet"
    )
    kind = Sleeper if part is ANE else Counter
    return kind(template, MAX_WATTS, step_seconds=part.step_seconds)
