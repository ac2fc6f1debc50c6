"""A logger beside a simulated machine: it writes a real file, by the wall clock, late, in any format."""

import json
import math
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

EPOCH = 1_790_000_000.0  # the wall clock when the monotonic one shows 0; somewhen in 2026
CEST = timezone(timedelta(hours=2))
COUNTED = 5e6  # what a counter had counted when the machine was switched on (J)


def iso(wall, zone=UTC):
    return datetime.fromtimestamp(wall, zone).isoformat(timespec="milliseconds")


def local(wall):
    """Local time without an offset, as most plugs write it."""
    return datetime.fromtimestamp(wall).isoformat(timespec="milliseconds")


def ptd(wall):
    return datetime.fromtimestamp(wall).strftime("%m-%d-%Y %H:%M:%S.%f")[:-3]


FORMATS = {
    "csv in UTC": ("time,watts", lambda wall, watts, joules: f"{iso(wall)},{watts:.3f}"),
    "csv with an offset": (
        "Timestamp, Volts, Power_W",
        lambda wall, watts, joules: f'"{iso(wall, CEST)}", 230.1, {watts:.3f}',
    ),
    "csv in local time": ("time,watts", lambda wall, watts, joules: f"{local(wall)},{watts:.3f}"),
    "csv in Unix seconds": ("watts,time", lambda wall, watts, joules: f"{watts:.3f},{wall:.3f}"),
    "csv of joules": ("time,joules", lambda wall, watts, joules: f"{iso(wall)},{joules:.1f}"),
    "csv of Wh": ("time,wh,relay", lambda wall, watts, joules: f"{iso(wall)},{joules / 3600:.6f},on"),
    "csv of kWh": ("time,kWh", lambda wall, watts, joules: f"{iso(wall)},{joules / 3.6e6:.8f}"),
    "JSON lines of watts": (
        None,
        lambda wall, watts, joules: json.dumps({"time": wall, "watts": round(watts, 3), "volts": 230}),
    ),
    "JSON lines of kWh": (
        None,
        lambda wall, watts, joules: json.dumps({"timestamp": iso(wall), "kwh": round(joules / 3.6e6, 8)}),
    ),
    "PTDaemon": (
        None,
        lambda wall, watts, joules: (
            f"Time,{ptd(wall)},Watts,{watts:.3f},Volts,228.98,Amps,0.33,PF,0.77,Mark,unet_testing"
        ),
    ),
}


@dataclass
class Logger:
    """Log the machine's power every `period_seconds`; a line is in the file `late_seconds` after its stamp.

    Give `now` and `wall` to the meter as its clocks: the file is brought up to date whenever it looks.
    """

    path: Path
    machine: object
    form: str = "csv in UTC"
    period_seconds: float = 1.0
    late_seconds: float = 0.0
    ahead_seconds: float = 0.0  # how far the logger's clock runs before ours
    wall_steps: list = field(default_factory=list)  # (when, by how much) the wall clock of both is set
    averages: bool = False  # whether it shows the mean of its last period, as PTDaemon does
    silent: tuple = (math.inf, math.inf)  # when it logs nothing

    def __post_init__(self):
        self.header, self.line = FORMATS[self.form]
        self.next = self.machine.now() - self.late_seconds - 5 * self.period_seconds  # it was there before us
        self.begin()
        self.update()

    def begin(self):
        self.path.write_text("" if self.header is None else f"{self.header}\n")

    def now(self):
        self.update()
        return self.machine.now()

    def wall(self, seconds=None):
        seconds = self.machine.now() if seconds is None else seconds
        return EPOCH + seconds + sum(step for when, step in self.wall_steps if when <= seconds)

    def update(self):
        due = []
        while self.next + self.late_seconds <= self.machine.now() + 1e-9:
            if not self.silent[0] <= self.next < self.silent[1]:
                due.append(self.text(self.next))
            self.next += self.period_seconds
        if due:
            self.append(*due)

    def text(self, seconds, watts=None):
        watts = self.watts(seconds) if watts is None else watts
        joules = COUNTED + self.machine.energy(1000.0, seconds)
        return self.line(self.wall(seconds) + self.ahead_seconds, watts, joules)

    def watts(self, seconds):
        if not self.averages:
            return self.machine.watts(seconds)
        return self.machine.energy(seconds - self.period_seconds, seconds) / self.period_seconds

    def append(self, *lines):
        with self.path.open("a") as file:
            file.writelines(f"{line}\n" for line in lines)


def between(meter, start, end):
    """Return the meter's energy between two instants that its log has passed."""
    from energy.reading import Reading

    before, after = meter.counts_at(start), meter.counts_at(end)
    assert before is not None, f"the log has not reached {start}"
    assert after is not None, f"the log has not reached {end}"
    (part,) = (Reading(end, after, meter.faults()) - Reading(start, before)).domains
    return part
