"""How far are the figures of the NVML meter from the truth, for which boards, loads and windows?

    python -m tests.audit.accuracy            # print the page
    python -m tests.audit.accuracy --write    # and write it to tests/audit/accuracy.md

Boards are simulated after published findings (tests/simulated/sensors.py), so the true energy of each window
is a closed form. Each board is drawn several times: its gain within 5 % of 1, its sensor's phase, and when it
is looked at. Everything is seeded: the page is the same every time.
"""

import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from energy.fault import NOTES
from energy.meters import nvml
from energy.reading.sampling import Rhythm
from tests.audit._loads import BEATS, OTHERS, TRAININGS, load, starts
from tests.audit._table import page
from tests.simulated.machine import Constant, Machine, take
from tests.simulated.nvml import Library, preset_gpu
from tests.simulated.sensors import PRESETS, START_SECONDS, drawn

PAGE = Path(__file__).with_suffix(".md")
DRAWS = 8
MODULE_WATTS = 200.0  # what a superchip's CPU and memory draw beside its GPU
LOADS = (*TRAININGS, *BEATS, *OTHERS)


@dataclass(frozen=True)
class Conditions:
    """How smoothly things go.

    poll_seconds: the thread that polls wakes up to so much late.
    stall_share, stall_seconds: some polls come later still, by up to so much.
    tick_seconds: the sensor's values come up to so much late.
    scatter: by how much batches differ, from and to, as a share of their mean.
    """

    poll_seconds: float = 0.004
    stall_share: float = 0.0
    stall_seconds: float = 0.0
    tick_seconds: float = 0.0
    scatter: tuple[float, float] = (0.0, 0.0)


CONDITIONS = {
    "calm": Conditions(),
    "rough": Conditions(0.03, 0.05, 0.15, 0.003, (0.05, 0.1)),
}


@dataclass(frozen=True)
class Cell:
    """One window on one board under one load.

    error: share of the truth by which the figure is wrong, but for the board's gain.
    stated: share of the figure that edges and sampling are stated to hide.
    whole_error, half_band: the same with the gain.
    told: whether the time of a batch was told.
    """

    condition: str
    preset: str
    load: str
    seconds: float
    told: bool
    error: float
    stated: float
    whole_error: float
    half_band: float
    missed: bool
    notes: tuple[str, ...]
    invalid: tuple[str, ...]


def cells(condition: str, loads=LOADS, presets=tuple(PRESETS), draws=DRAWS) -> Iterator[Cell]:
    """Measure every window on every board under every load."""
    for preset in presets:
        for name in loads:
            for draw in range(draws):
                yield from _measured(condition, preset, name, draw)


def _measured(condition, preset, name, draw) -> Iterator[Cell]:
    smooth, seed = (
        CONDITIONS[condition],
        random.Random(f"{condition} {preset} {name} {draw}").randrange(2**32),
    )
    given = load(name, PRESETS[preset], seed, random.Random(seed).uniform(*smooth.scatter))
    machine = Machine(given.shape)
    sensor = replace(drawn(PRESETS[preset].sensor, seed), jitter_seconds=smooth.tick_seconds)
    module = Constant(MODULE_WATTS) if preset == "GH200" else None
    library = Library(machine, [preset_gpu(PRESETS[preset], sensor, module=module)])
    meter = nvml.open(library=library, clock=machine.now, sleep=machine.advance)
    polls = _Polls(machine, meter, smooth, seed)
    for seconds, start in starts(seed):
        before = polls.read(START_SECONDS + start)
        after = polls.read(START_SECONDS + start + seconds)
        truth = machine.energy(before.seconds, after.seconds)
        for told in (False, True) if given.batch_seconds else (False,):
            period = [Rhythm(before.seconds, after.seconds, given.batch_seconds)] if told else []
            spent = after.since(before, period)
            (part,) = spent.headline()
            stated = (part.bounds.edges_joules + part.sampling_joules) / part.joules
            flags = spent.flags()
            yield Cell(
                condition,
                preset,
                name,
                seconds,
                told,
                abs(part.joules / sensor.gain - truth) / truth,
                stated,
                abs(part.joules - truth) / truth,
                (part.band[1] - part.band[0]) / 2 / part.joules,
                not part.band[0] <= truth <= part.band[1],
                tuple(flag for flag in flags if flag in NOTES),
                tuple(flag for flag in flags if flag not in NOTES),
            )


class _Polls:
    """A sampler that polls ten times a second, also while others read in between."""

    def __init__(self, machine, meter, smooth, seed):
        self._machine, self._meter, self._smooth = machine, meter, smooth
        self._draw = random.Random(seed)
        self._due = machine.now() + self._draw.uniform(0.0, meter.period_seconds)

    def read(self, seconds):
        """Poll until then, and read."""
        while self._due < seconds:
            late = self._draw.uniform(0.0, self._smooth.poll_seconds)
            if self._draw.random() < self._smooth.stall_share:
                late += self._draw.uniform(0.0, self._smooth.stall_seconds)
            self._machine.seconds = max(self._machine.seconds, self._due + late)
            if self._machine.seconds >= seconds:
                break
            self._meter.poll()
            self._due += self._meter.period_seconds
        self._machine.seconds = seconds
        return take(self._machine, self._meter)


if __name__ == "__main__":
    text = page({condition: list(cells(condition)) for condition in CONDITIONS})
    sys.stdout.write(text)
    if "--write" in sys.argv[1:]:
        PAGE.write_text(text)
