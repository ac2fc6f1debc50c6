"""How far are the figures of the NVML meter from the truth, for which boards, loads and windows?

    python -m tests.audit.accuracy            # print the table
    python -m tests.audit.accuracy --write    # and write it to tests/audit/accuracy.md

Boards are simulated after published findings (tests/simulated/sensors.py), so the true energy of each window
is a closed form. Each board is drawn several times: its gain within 5 % of 1, its sensor's phase, and when it
is looked at. Everything is seeded: the table is the same every time.
"""

import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from energy.meters import nvml
from energy.reading import Reading
from tests.audit._loads import LOADS, LOCKED, load, starts
from tests.audit._table import table
from tests.simulated.machine import Machine, take
from tests.simulated.nvml import Library, preset_gpu
from tests.simulated.sensors import PRESETS, START_SECONDS, drawn

PAGE = Path(__file__).with_suffix(".md")
DRAWS = 16
POLL_JITTER_SECONDS = 0.004  # a thread wakes a little late


@dataclass(frozen=True)
class Cell:
    """One window on one board under one load, measured in one way."""

    way: str  # "counter" or "power"
    preset: str
    load: str
    seconds: float
    joules: float | None
    truth: float
    band: tuple[float, float] | None
    sampled: float  # share of the figure that may have slipped between the samples, as stated
    flags: tuple[str, ...]

    @property
    def error(self) -> float | None:
        """Share of the truth by which the figure is wrong; None if it is unknown."""
        return None if self.joules is None else abs(self.joules - self.truth) / self.truth

    @property
    def missed(self) -> bool:
        """Whether the truth lies outside the stated band."""
        return self.band is None or not self.band[0] <= self.truth <= self.band[1]


def cells(loads=LOADS) -> Iterator[Cell]:
    """Measure every window on every board under every load."""
    for preset in PRESETS:
        for name in loads:
            for draw in range(DRAWS):
                yield from _measured(preset, name, draw)


def _measured(preset: str, name: str, draw: int) -> Iterator[Cell]:
    seed = random.Random(f"{preset} {name} {draw}").randrange(2**32)
    machine = Machine(load(name, PRESETS[preset], seed))
    gpu = preset_gpu(PRESETS[preset], drawn(PRESETS[preset].sensor, seed))
    meter = nvml.open(library=Library(machine, [gpu]), clock=machine.now, sleep=machine.advance)
    polls = _Polls(machine, meter, seed)
    for seconds, start in starts(seed):
        before = polls.read(START_SECONDS + start)
        after = polls.read(START_SECONDS + start + seconds)
        truth = machine.energy(before.seconds, after.seconds)
        for way in ("counter", "power"):
            spent = _seen_by(after, way) - _seen_by(before, way)
            (part,) = spent.headline()
            sampled = part.sampling_joules / part.joules if part.joules else 0.0
            yield Cell(way, preset, name, seconds, part.joules, truth, part.band, sampled, spent.flags())


def _seen_by(reading: Reading, way: str) -> Reading:
    """Return what a board without an energy counter would have told, or all."""
    if way == "counter":
        return reading
    counts = tuple(count for count in reading.counts if count.source == "nvml_power")
    return Reading(reading.seconds, counts, reading.faults)


class _Polls:
    """A sampler that polls ten times a second, whoever reads in between."""

    def __init__(self, machine, meter, seed):
        self._machine, self._meter, self._draw = machine, meter, random.Random(seed)
        self._due = machine.now() + self._draw.uniform(0.0, meter.period_seconds)

    def read(self, seconds):
        """Poll until then, and read."""
        while self._due < seconds:
            self._machine.seconds = self._due + self._draw.uniform(0.0, POLL_JITTER_SECONDS)
            if self._machine.seconds >= seconds:
                break
            self._meter.poll()
            self._due += self._meter.period_seconds
        self._machine.seconds = seconds
        return take(self._machine, self._meter)


def page() -> str:
    """Return the table in Markdown."""
    return table(list(cells()), list(cells(LOCKED)))


if __name__ == "__main__":
    text = page()
    sys.stdout.write(text)
    if "--write" in sys.argv[1:]:
        PAGE.write_text(text)
