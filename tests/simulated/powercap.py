"""A powercap tree of real files, whose counters follow a simulated machine."""

import math
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.simulated.machine import Constant, Shape

RANGE_UJ = 262_143_328_850  # a Xeon's max_energy_range_uj


@dataclass
class Zone:
    """One zone: `directory` is intel-rapl:0, `name` is what its name file says."""

    directory: str
    name: str
    shape: Shape | None = None  # None: the machine's
    start_uj: int = 50_000_000_000
    range_uj: int = RANGE_UJ
    limit_watts: float | None = None
    reset_at: float = math.inf


@dataclass
class Powercap:
    """Write `zones` under `root` now; `update` writes the counters as of the machine's time."""

    root: Path
    machine: object
    zones: list[Zone] = field(default_factory=lambda: [Zone("intel-rapl:0", "package-0")])

    def __post_init__(self):
        (self.root / "intel-rapl").mkdir()  # the control type, which is no zone
        for zone in self.zones:
            self._make(zone)
        self.update()

    def _make(self, zone):
        path = self.root / zone.directory
        path.mkdir()
        (path / "name").write_text(f"{zone.name}\n")
        (path / "max_energy_range_uj").write_text(f"{zone.range_uj}\n")
        if zone.limit_watts is not None:
            (path / "constraint_0_max_power_uw").write_text(f"{zone.limit_watts * 1e6:.0f}\n")

    def update(self):
        for zone in self.zones:
            path = self.root / zone.directory
            if path.exists() and not (path / "energy_uj").is_dir():
                (path / "energy_uj").write_text(f"{self.counter_uj(zone)}\n")

    def counter_uj(self, zone):
        """The counter moves every millisecond."""
        seconds = math.floor(self.machine.now() * 1000) / 1000
        if seconds >= zone.reset_at:
            return round(1e6 * self.machine.energy(zone.reset_at, seconds, zone.shape))
        return (zone.start_uj + round(1e6 * self.machine.energy(1000.0, seconds, zone.shape))) % zone.range_uj

    def now(self):
        """Return the machine's time, with the files brought up to it: the clock to hand to the meter."""
        self.update()
        return self.machine.now()

    def sleep(self, seconds):
        """Let time pass: the sleep to hand to the meter."""
        self.machine.advance(seconds)
        self.update()

    def make_unreadable(self, directory="intel-rapl:0"):
        """Put a folder in the counter's place: that fails for root too, whom permissions do not stop."""
        (self.root / directory / "energy_uj").unlink()
        (self.root / directory / "energy_uj").mkdir()

    def make_readable(self, directory="intel-rapl:0"):
        (self.root / directory / "energy_uj").rmdir()
        self.update()

    def remove(self, directory="intel-rapl:0"):
        """Take the zone away, as unloading the module does."""
        for file in (self.root / directory).iterdir():
            file.unlink()
        (self.root / directory).rmdir()

    def restore(self, directory="intel-rapl:0", **changes):
        """Bring the zone back, as loading the module again does."""
        index = next(n for n, zone in enumerate(self.zones) if zone.directory == directory)
        self.zones[index] = replace(self.zones[index], **changes)
        self._make(self.zones[index])
        self.update()

    def reset(self, directory="intel-rapl:0"):
        """Let the counter begin at 0 now, in the same file."""
        index = next(n for n, zone in enumerate(self.zones) if zone.directory == directory)
        self.zones[index] = replace(self.zones[index], reset_at=self.machine.now())
        self.update()

    def replace_file(self, directory="intel-rapl:0"):
        """Put a new file in the old one's place, which leaves open descriptors with the old."""
        path = self.root / directory / "energy_uj"
        path.rename(path.with_name("old"))
        self.update()
        path.with_name("old").unlink()


SERVER = [
    Zone("intel-rapl:0", "package-1"),
    Zone("intel-rapl:0:0", "core", Constant(40.0)),
    Zone("intel-rapl:0:1", "dram", Constant(12.0), start_uj=7_000_000_000),
    Zone("intel-rapl:1", "package-0", Constant(60.0), start_uj=91_000_000_000),
    Zone("intel-rapl:1:0", "uncore", Constant(9.0)),
    Zone("intel-rapl:1:1", "dram", Constant(8.0), start_uj=8_000_000_000),
    Zone("intel-rapl:2", "psys", Constant(400.0)),
    Zone("intel-rapl-mmio:0", "package-0", Constant(60.0), start_uj=93_000_000_000),  # began elsewhere
]
