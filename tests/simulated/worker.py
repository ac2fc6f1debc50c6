"""A pytest plugin for runs inside a test: a meter that counts work, and the fixture `work` that does some.

world = World(); pytester.inline_run(..., plugins=[world]); world.did tells what was done, in order.
"""

import pytest

from energy.meters import Meters
from tests.simulated.work_meter import WorkMeter


class World(WorkMeter):
    """Counts joules as they are asked for; `factors` makes a case take more or less."""

    def __init__(self):
        super().__init__()
        self.factors = {}
        self.did = []

    def patch(self, monkeypatch):
        """Let this be the only meter, on a machine that nobody else uses."""
        monkeypatch.setattr("energy.measuring.run.open_meters", lambda *_, **__: Meters([self]))
        monkeypatch.setattr("energy.measuring.window.Window.flags", lambda _: ())
        monkeypatch.setattr("energy.measuring.cooling.temperatures", lambda _: {})
        return self

    def close(self):
        """Nothing was opened, and the next run inside the test counts on."""

    @pytest.fixture
    def work(self, energy):
        """Spend so many joules, more or less by the case's factor, and remember which repeat did."""

        def spend(joules=1000.0):
            self.did.append((energy.name, energy.number))
            self.joules += joules * self.factors.get(energy.name, 1.0)

        return spend
