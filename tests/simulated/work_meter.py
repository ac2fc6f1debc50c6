"""A suite whose joules are in closed form: a meter that counts work, and a world that a test writes.

world.json in the working folder:

    {"session": 1,           seeds the noise: another session is another draw
     "noise": 0.01,          standard deviation of ln(joules) of one repeat
     "drift": 1.0,           factor of all joules of the session
     "factors": {"a": 1.1},  joules of a case, 1000 without
     "fails": [], "skips": [], "interrupts": [], "flags": {"a": ["throttled"]}, "dice": {"a": 0.8},
     "again": {..}}          what differs once a case has been measured before in this process

Call `install()` in a conftest.py; `measure(energy, name)` is a test's body.
"""

import json
import math
import os
import random
import time
from collections import Counter
from pathlib import Path

import pytest

from energy.measuring import machine, run
from energy.measuring.window import Window
from energy.meters import Meters
from energy.reading import Count

JOULES = 1000.0
SUITE = """
import pytest
from tests.simulated.work_meter import NAMES, measure

@pytest.mark.parametrize("name", NAMES)
def test_case(energy, name):
    measure(energy, name)
"""
NAMES = tuple("abcdef")
REPEATS = 3


class WorkMeter:
    """A counter of the CPU package that moves by work alone."""

    name = "work"
    period_seconds = None
    slow = False

    def __init__(self):
        self.pid = os.getpid()
        self.closed = False
        self.joules = 0.0

    def poll(self):
        """Nothing is lost between two readings."""

    def counts(self):
        now = time.monotonic()
        return tuple(
            Count(domain, device, "rapl", "measured", joules, covered_seconds=now)
            for domain, device, joules in (("cpu", "package-0", self.joules), ("ram", "dram-0", 0.0))
        )

    def faults(self):
        return ()

    def note(self, fault):
        """A simulated machine has no faults but those of the world."""

    def close(self):
        self.closed = True


METER = WorkMeter()
COUNTED = Counter()
FLAGS = []


def world(name):
    """Return the world as this case sees it now."""
    given = {"session": 1, "noise": 0.01, "drift": 1.0, **json.loads(Path("world.json").read_text())}
    return {**given, **(given.get("again", {}) if COUNTED[name] > REPEATS else {})}


def measure(case, name):
    """Measure three repeats of a case, whose joules are what the world says."""
    case.describe(budget={"seeds": list(range(REPEATS))})
    now = world(name)
    if name in now.get("skips", ()):
        pytest.skip(
            "no such hardware"
        )  # the world says so: how a run treats a skipped case is what is tested
    for seed in range(REPEATS):
        with case.window(seed=seed) as repeat:
            COUNTED[name] += 1
            now = world(name)
            FLAGS[:] = now.get("flags", {}).get(name, ())
            drawn = random.Random(f"{now['session']} {name} {COUNTED[name]}").gauss(0, now["noise"])
            METER.joules += JOULES * now.get("factors", {}).get(name, 1.0) * now["drift"] * math.exp(drawn)
        if name in now.get("dice", {}):
            repeat.observe(dice=now["dice"][name])
    if name in now.get("interrupts", ()):
        raise KeyboardInterrupt
    assert name not in now.get("fails", ())


def install():
    """Put the world in the place of this machine, for good: only in a process that ends with it."""
    run.open_meters = lambda *_, **__: Meters([METER])
    Window.flags = lambda _: tuple(FLAGS)
    machine.physical_cores = lambda: 1  # part of the fingerprint, and some sandboxes change it
