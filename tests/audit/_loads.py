"""The loads that the meters are judged by, and the windows in which they are."""

import math
import random

from tests.simulated.machine import Constant, Pieces, Ramp, Sine, Square

WINDOWS = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 60.0)
WARM_UP_SECONDS = 3.0
BETWEEN_SECONDS = 1.37
IDLE_SHARE, LOW_SHARE, HIGH_SHARE = 0.13, 0.35, 0.85  # of the board's power limit


def starts(seed):
    """Yield every window with its start (s after the machine was switched on), at phases of its own."""
    draw, start = random.Random(f"starts {seed}"), WARM_UP_SECONDS
    for seconds in WINDOWS:
        start += BETWEEN_SECONDS + draw.uniform(0.0, 0.1)
        yield seconds, start
        start += seconds


def load(name, preset, seed):
    """Return the shape of this name for a board of this preset."""
    idle, low, high = (share * preset.limit_watts for share in (IDLE_SHARE, LOW_SHARE, HIGH_SHARE))
    return {**LOADS, **LOCKED}[name](idle, low, high, random.Random(f"{name} {seed}"), seed, preset)


def _steps(idle, low, high, draw, seed, preset):
    """Jump once in every window, anywhere; up in one, down in the next."""
    times, levels = [0.0], [low]
    for seconds, start in starts(seed):
        times.append(start + draw.random() * seconds)
        levels.append(high if levels[-1] == low else low)
    return Pieces(tuple(times), tuple(levels))


def _work(idle, low, high, draw, seed, preset):
    """Work begins near the start of every window and ends near its end, on this side or on that."""
    times, levels = [0.0], [idle]
    for seconds, start in starts(seed):
        near = min(0.1, seconds / 3)
        times += [start + draw.uniform(-near, near), start + seconds + draw.uniform(-near, near)]
        levels += [high, idle]
    return Pieces(tuple(times), tuple(levels))


def _training(idle, low, high, draw, seed, preset):
    """Epochs of about 7 s: batches with short dips between them, then a validation at less power."""
    times, levels = [0.0], [idle]
    while times[-1] < 150.0:
        for _ in range(draw.randrange(24, 30)):
            times += [times[-1] + 0.018, times[-1] + 0.018 + draw.uniform(0.21, 0.26)]
            levels += [high * draw.uniform(0.97, 1.0), low]
        times += [times[-1] + 0.018, times[-1] + 0.018 + draw.uniform(0.7, 0.9)]
        levels += [0.6 * high, low]
    return Pieces(tuple(times), tuple(levels))


LOADS = {
    "constant": lambda idle, low, high, draw, seed, preset: Constant(high),
    "steps": _steps,
    "ramp": lambda idle, low, high, draw, seed, preset: Ramp(idle, high, 90.0),
    "square 1.3 s": lambda idle, low, high, draw, seed, preset: Square(
        low, high, 1.3 * draw.uniform(0.98, 1.02)
    ),
    "square 37 ms": lambda idle, low, high, draw, seed, preset: Square(low, high, 0.037),
    "sine burst": lambda idle, low, high, draw, seed, preset: Sine(
        (low + high) / 2, (high - low) / 2, 3.1, 4.0 + draw.random(), math.inf
    ),
    "work": _work,
    "training": _training,
}
# A square that keeps step with the sensor is seen high for ever, or low for ever: nobody can tell.
LOCKED = {
    "square in step": lambda idle, low, high, draw, seed, preset: Square(
        low, high, preset.sensor.period_seconds
    ),
}
