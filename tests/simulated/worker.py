"""A pytest plugin for runs inside a test: a meter that counts work, and the fixture `work` that does some.

world = World(); pytester.inline_run(..., plugins=[world]); world.did tells what was done, in order.
"""

import os
import time

import pytest

from energy.meters import Meters
from energy.reading import Count


class World:
    """Counts joules as they are asked for; `factors` makes a case take more or less."""

    name = "work"
    period_seconds = None
    slow = False

    def __init__(self):
        self.pid = os.getpid()
        self.joules = 0.0
        self.factors = {}
        self.did = []

    def patch(self, monkeypatch):
        """Let this be the only meter, on a machine that nobody else uses."""
        monkeypatch.setattr("energy.open_meters", lambda *_, **__: Meters([self]))
        monkeypatch.setattr("energy.window.Window.flags", lambda _: ())
        monkeypatch.setattr("energy.cooldown.temperatures", lambda _: {})
        return self

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
        """A simulated machine has no faults."""

    def close(self):
        """Nothing was opened."""

    @pytest.fixture
    def work(self, energy):
        """Spend so many joules, more or less by the case's factor, and remember which repeat did."""

        def spend(joules=1000.0):
            self.did.append((energy.name, energy.number))
            self.joules += joules * self.factors.get(energy.name, 1.0)

        return spend
