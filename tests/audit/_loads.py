"""The loads that the meter is judged by: a board's power over time, and how often it repeats itself."""

import math
import random
from dataclasses import dataclass

from tests.simulated.machine import Constant, Pieces, Ramp, Shape, Sine, Square

WINDOWS = (1.0, 2.0, 5.0, 10.0, 20.0, 60.0)
WARM_UP_SECONDS = 3.0
BETWEEN_SECONDS = 1.37
LAST_SECONDS = 120.0  # loads end later
IDLE_SHARE, LOW_SHARE, HIGH_SHARE = 0.13, 0.21, 0.93  # of the board's power limit: 90, 150 and 650 of 700 W
DIP_SECONDS = 0.018


@dataclass(frozen=True)
class Load:
    """A shape, and the mean time of one batch; None if there is no such thing."""

    shape: Shape
    batch_seconds: float | None = None


def starts(seed):
    """Yield every window with its start (s after the machine was switched on), at phases of its own."""
    draw, start = random.Random(f"starts {seed}"), WARM_UP_SECONDS
    for seconds in WINDOWS:
        start += BETWEEN_SECONDS + draw.uniform(0.0, 0.1)
        yield seconds, start
        start += seconds


def load(name, preset, seed, scatter):
    """Return the load of this name for a board; its batches differ by a normal `scatter`."""
    watts = tuple(share * preset.limit_watts for share in (IDLE_SHARE, LOW_SHARE, HIGH_SHARE))
    return {**TRAININGS, **BEATS, **OTHERS}[name](
        watts, random.Random(f"{name} {seed}"), preset, scatter, seed
    )


def _training(batch_seconds, batches, validation_seconds=0.8):
    """Batches that take 5 % more or less, with dips of 18 ms between, and a validation after so many."""

    def build(watts, draw, preset, scatter, seed):
        idle, _, high = watts
        times, levels, spent = [0.0], [idle], []
        high *= 0.9
        while times[-1] < LAST_SECONDS:
            for _ in range(batches):
                spent.append(max(2 * DIP_SECONDS, batch_seconds * (1 + draw.gauss(0.0, max(0.05, scatter)))))
                times += [times[-1] + DIP_SECONDS, times[-1] + spent[-1]]
                levels += [high * draw.uniform(0.97, 1.0), 0.4 * high]
            times += [times[-1] + DIP_SECONDS, times[-1] + validation_seconds * draw.uniform(0.9, 1.1)]
            levels += [0.6 * high, 0.4 * high]
        return Load(Pieces(tuple(times), tuple(levels)), sum(spent) / len(spent))

    return build


def _square(steps):
    """Half of each batch at 93 % of the limit and half at 21 %; batches of so many steps of the sensor."""

    def build(watts, draw, preset, scatter, seed):
        _, low, high = watts
        period = steps * preset.sensor.period_seconds
        if not scatter:
            return Load(Square(low, high, period), period)
        times, levels, spent = [0.0], [low], []
        while times[-1] < LAST_SECONDS:
            spent.append(max(0.2, 1 + draw.gauss(0.0, scatter)) * period)
            times += [times[-1] + spent[-1] / 2, times[-1] + spent[-1]]
            levels += [high, low]
        return Load(Pieces(tuple(times), tuple(levels)), sum(spent) / len(spent))

    return build


def _steps(watts, draw, preset, scatter, seed):
    """Jump once in every window, anywhere; up in one, down in the next."""
    _, low, high = watts
    times, levels = [0.0], [low]
    for seconds, start in starts(seed):
        times.append(start + draw.random() * seconds)
        levels.append(high if levels[-1] == low else low)
    return Load(Pieces(tuple(times), tuple(levels)))


def _random(mean_seconds):
    """Levels anywhere between idle and high, each for a time that is exponentially distributed."""

    def build(watts, draw, preset, scatter, seed):
        times, levels = [0.0], [watts[0]]
        while times[-1] < LAST_SECONDS:
            times.append(times[-1] + draw.expovariate(1 / mean_seconds))
            levels.append(draw.uniform(watts[0], watts[2]))
        return Load(Pieces(tuple(times), tuple(levels)))

    return build


TRAININGS = {
    "training": _training(0.25, 27),
    "short batches": _training(0.08, 90),
    "long batches": _training(1.1, 6),
}
BEATS = {
    "1.003 steps": _square(1.003),
    "0.501 steps": _square(0.501),
    "0.334 steps": _square(0.334),
    "1 step": _square(1.0),
    "2.5 steps": _square(2.5),
}
OTHERS = {
    "constant": lambda watts, draw, preset, scatter, seed: Load(Constant(watts[2])),
    "steps": _steps,
    "ramp": lambda watts, draw, preset, scatter, seed: Load(Ramp(watts[0], watts[2], 90.0)),
    "sine": lambda watts, draw, preset, scatter, seed: Load(
        Sine(sum(watts[1:]) / 2, (watts[2] - watts[1]) / 2, 3.1, 4.0 + draw.random(), math.inf)
    ),
    "random, 40 ms": _random(0.04),
    "random, 0.4 s": _random(0.4),
}
