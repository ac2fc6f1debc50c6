"""Record what sensors show, as they show it, for those who have no such hardware.

A recording is JSON lines, compressed (gzip). Its first line describes it:

    {"format": "joulebench recording", "version": 1, "joulebench": "0.1.0", "period_seconds": 0.005,
     "machine": {"cpu": .., "cores": .., "ram_gib": .., "kernel": .., "system": ..},
     "sources": {"nvml": {facts}, "powercap": {facts}, ..}, "missing": {"hwmon": "why"},
     "sensors": [{"name": "gpu-0/nvmlDeviceGetTotalEnergyConsumption", "unit": "mJ"}, ..]}

Every further line is one answer: `[sensor, asked, took, value]`: the sensor's place in that list, when it was
asked (microseconds since the recording began, monotonic clock), how long the answer took (microseconds), and
the number in the sensor's own unit; `[sensor, asked, took, null, "what went wrong"]` if there was none. The
last line is `{"answers": N}`: a file without it was cut off.

Nothing personal is in it: no name of a host, a user or a file, no serial number, no UUID. GPUs are gpu-0,
gpu-1 and so on, in the order of NVML.
"""

from __future__ import annotations

import gzip
import json
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FORMAT, VERSION = "joulebench recording", 1
PERIOD_SECONDS = 0.005  # sensors have new values every 20 to 100 ms, RAPL every millisecond
STATE_SECONDS = 0.1  # between two looks at temperatures, clocks and the like
MICROSECONDS = 1e6
MOST_CHARACTERS = 80


@dataclass(frozen=True)
class Raw:
    """One sensor: what is asked, in which unit it answers, and how it is asked; `state` changes slowly."""

    name: str
    unit: str
    ask: Callable[[], int]
    state: bool = False


@dataclass(frozen=True)
class Raws:
    """The sensors of one source, what is known of them, and what gives them back."""

    source: str
    sensors: Sequence[Raw]
    facts: Mapping[str, Any]
    close: Callable[[], None] = lambda: None


@dataclass
class Answers:
    """What the sensors have answered, in the order in which they were asked."""

    sensors: array[int] = field(default_factory=lambda: array("H"))
    asked: array[int] = field(default_factory=lambda: array("q"))
    took: array[int] = field(default_factory=lambda: array("q"))
    values: array[int] = field(default_factory=lambda: array("q"))
    problems: dict[int, str] = field(default_factory=dict)  # by the number of the answer

    def __len__(self) -> int:
        return len(self.sensors)

    def add(self, sensor: int, asked: float, took: float, value: int | None, problem: str = "") -> None:
        """Keep one answer; seconds."""
        if value is None:
            self.problems[len(self)] = problem
        self.sensors.append(sensor)
        self.asked.append(round(asked * MICROSECONDS))
        self.took.append(round(took * MICROSECONDS))
        self.values.append(0 if value is None else value)

    def lines(self) -> Iterator[list[Any]]:
        """Return the answers as the lines of a recording."""
        rows = zip(self.sensors, self.asked, self.took, self.values, strict=True)
        for number, row in enumerate(rows):
            problem = self.problems.get(number)
            yield list(row) if problem is None else [*row[:3], None, problem]


def ask(
    sensors: Sequence[Raw],
    seconds: float,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
    answers: Answers,
) -> None:
    """Ask all sensors every 5 ms for so many seconds, or as often as they answer, and keep what they say.

    `answers` holds what was said also if the asking is interrupted.
    """
    start = state_due = due = clock()
    while clock() - start < seconds:
        with_state = clock() >= state_due
        state_due += STATE_SECONDS if with_state else 0.0
        for number, sensor in enumerate(sensors):
            if with_state or not sensor.state:
                _ask(number, sensor, start, clock, answers)
        due = max(due + PERIOD_SECONDS, clock())
        sleep(due - clock())


def write(path: Path, header: Mapping[str, Any], answers: Answers) -> None:
    """Write a recording; nothing is left of one that could not be written whole.

    Raises:
        OSError: it cannot be written, or there is such a file.
    """
    with path.open("xb") as raw:  # one that is there is somebody's
        try:
            with gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0) as file:
                for line in ({"format": FORMAT, "version": VERSION, **header}, *answers.lines()):
                    file.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")
                file.write(json.dumps({"answers": len(answers)}).encode() + b"\n")
        except BaseException:
            path.unlink()
            raise


def _ask(number: int, sensor: Raw, start: float, clock: Callable[[], float], answers: Answers) -> None:
    asked = clock()
    try:
        value, problem = sensor.ask(), ""
    except Exception as refusal:  # whatever a driver raises is what is recorded
        # Errors of files name paths; their numbers say as much.
        value, problem = None, f"{type(refusal).__name__} {getattr(refusal, 'strerror', None) or refusal}"
    answers.add(number, asked - start, clock() - asked, value, problem[:MOST_CHARACTERS])
