"""The energy channels of Apple silicon over a simulated machine, named and moving as users recorded them.

The channels in mJ move together, 0.8 s and 1.3 s apart in turn (an idle M1 Ultra under macOS 27: issue 415 of
lablup/all-smi); "GPU Energy" in nJ moves with every sample. Each draws a share of the machine's power.
"""

import math
from dataclasses import dataclass, field

from energy.meters.apple.ioreport import Channel

PER_JOULE = {"mJ": 1e3, "uJ": 1e6, "nJ": 1e9}

M1 = {
    "EACC_CPU": ("mJ", 0.1),
    "PACC0_CPU": ("mJ", 0.4),
    "CPU Energy": ("mJ", 0.5),
    "GPU SRAM0": ("mJ", 0.01),
    "ANE": ("mJ", 0.05),
    "DRAM": ("mJ", 0.1),
    "PCIe Port 0 Energy": ("uJ", 0.01),
    "GPU Energy": ("nJ", 0.3),
}
M1_ULTRA = {
    "DIE_0_ECPU": ("mJ", 0.1),
    "DIE_0_CPU Energy": ("mJ", 0.3),
    "DIE_1_CPU Energy": ("mJ", 0.2),
    "GPU0_0": ("mJ", 0.3),
    "GPU SRAM0_0": ("mJ", 0.01),
    "ANE0_0": ("mJ", 0.03),
    "ANE0_1": ("mJ", 0.02),
    "DRAM0_0": ("mJ", 0.06),
    "DRAM0_1": ("mJ", 0.04),
    "DCS0_0": ("mJ", 0.05),
    "GPU Energy": ("nJ", 0.3),
}


@dataclass
class Chip:
    """What shows the channels; `frozen` stop at 0, `asleep` draw nothing between two times."""

    machine: object
    channels: dict = field(default_factory=lambda: dict(M1))
    frozen: tuple = ()
    asleep: dict = field(default_factory=dict)
    reset_at: float = math.inf
    broken: bool = False
    closed: bool = False

    def read(self):
        if self.broken:
            raise OSError("IOReport gives no sample")
        return [
            Channel(name, unit, round(PER_JOULE.get(unit, 1.0) * self.joules(name, unit, share)))
            for name, (unit, share) in self.channels.items()
        ]

    def joules(self, name, unit, share):
        if name in self.frozen:
            return 0.0
        seconds = self.machine.now() if unit == "nJ" else self.published()
        was_reset = seconds >= self.reset_at
        began, joules = (self.reset_at, 0.0) if was_reset else (1000.0, 50_000.0)  # drawn before 1000 s
        start, end = self.asleep.get(name, (0.0, 0.0))
        slept = self.machine.energy(min(max(start, began), seconds), min(max(end, began), seconds))
        return share * (joules + self.machine.energy(began, seconds) - slept)

    def published(self):
        """When the channels in mJ have last moved."""
        whole, part = divmod(self.machine.now() - 1000.0, 2.1)
        return 1000.0 + 2.1 * whole + (0.8 if part >= 0.8 else 0.0)

    def close(self):
        self.closed = True
