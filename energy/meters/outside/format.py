"""The formats of power logs: what a line says, told from the log's first line and never guessed.

A log is CSV with a header, JSON lines, or the lines of SPEC's PTDaemon that MLPerf keeps as `spl.txt`
(`Time,06-21-2022 16:44:55.123,Watts,20.5,Volts,...`). A command may also print bare numbers: watts, now.

>>> log = detect("timestamp,volts,kwh")
>>> log.name, log.value, log.sample("2026-01-02T03:04:05Z,230.1,0.250").value
('CSV', 'kwh', 900000.0)
"""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation

TIMES = ("time", "timestamp")
SI = {"watts": 1.0, "power_w": 1.0, "joules": 1.0, "wh": 3600.0, "kwh": 3.6e6}
COUNTERS = ("joules", "wh", "kwh")
EXPECTED = f"one time column ({' or '.join(TIMES)}) and exactly one of {', '.join(SI)}"
UNIX_SECONDS = (1e9, 1e11)  # from 2001 on; milliseconds, and seconds since some start, lie outside
MAX_WATTS = 200_000.0  # more than a rack draws: a sample above it is no sample, a counter's jump no energy
PTD = re.compile(r"Time,\d\d-\d\d-\d{4} [\d:.]+,Watts,", re.IGNORECASE)


@dataclass(frozen=True)
class Sample:
    """What one line says.

    walls: its time stamp (Unix seconds); two if local time is ambiguous there, none if it is now.
    value: watts, or joules that a counter has reached.
    resolution: the last digit that was printed, in the same unit.
    clock: what the stamp was written in.
    """

    walls: tuple[float, ...]
    value: float
    resolution: float
    clock: str


@dataclass(frozen=True)
class Format:
    """How to read a line: `time` and `value` are the names of the two fields that matter."""

    name: str
    time: str
    value: str
    columns: tuple[str, ...] = ()

    @property
    def counts(self) -> bool:
        """Whether the log holds a cumulative count rather than power."""
        return self.value in COUNTERS

    def is_header(self, line: str) -> bool:
        """Say whether the line names columns, as a logger does again when it starts anew."""
        return bool(self.columns) and any(cell.lower() in TIMES for cell in _cells(line))

    def sample(self, line: str) -> Sample:
        """Read one line.

        Raises:
            ValueError: the line is not of this format, or its numbers are none.
        """
        fields = self._fields(line)
        walls, clock = _walls(fields[self.time]) if self.time else ((), "arrival")
        number = _number(fields[self.value], self.value)
        value, resolution = float(number) * SI[self.value], 10.0 ** _exponent(number) * SI[self.value]
        if value < 0 or (not self.counts and value > MAX_WATTS):
            limit = "" if self.counts else f" and at most {MAX_WATTS:.0f}"
            raise ValueError(f"{self.value} is {fields[self.value]}, expected at least 0{limit}")
        return Sample(walls, value, resolution, clock)

    def _fields(self, line: str) -> Mapping[str, object]:
        if self.name == "bare numbers":
            return {self.value: line}
        if self.name == "PTDaemon":
            return _ptd_fields(line)
        if self.name == "JSON lines":
            fields = _json_fields(line)
            if _names(fields) != (self.time, self.value):
                raise ValueError(f"expected {self.time} and {self.value} as before, got {', '.join(fields)}")
            return fields
        cells = _cells(line)
        if len(cells) != len(self.columns):
            raise ValueError(f"{len(cells)} cells, expected {len(self.columns)} ({', '.join(self.columns)})")
        return dict(zip(self.columns, cells, strict=True))


def detect(line: str, bare_numbers: bool = False) -> Format:
    """Tell the format of a log from its first line; `bare_numbers` lets lines without a time be watts.

    Raises:
        ValueError: it is none of the formats, or not clear which column is meant.
    """
    if line.startswith("{"):
        return Format("JSON lines", *_names(_json_fields(line)))
    if PTD.match(line):
        return Format("PTDaemon", "time", "watts")
    if _is_number(line):
        if not bare_numbers:
            raise ValueError(f"{line!r} has no time; expected a header with {EXPECTED}, or JSON lines")
        return Format("bare numbers", "", "watts")
    columns = tuple(cell.lower() for cell in _cells(line))
    return Format("CSV", *_names(columns), columns)


def _names(columns: Iterable[str]) -> tuple[str, str]:
    columns = list(columns)
    times = [column for column in columns if column in TIMES]
    values = [column for column in columns if column in SI]
    if len(times) != 1 or len(values) != 1:
        given = ", ".join(columns)[:200]
        raise ValueError(
            f"found {len(times)} time and {len(values)} value columns in {given!r}; expected {EXPECTED}"
        )
    return times[0], values[0]


def _cells(line: str) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader([line]), [])]
    except csv.Error as problem:  # a carriage return in the middle, as bytes that are no text have
        raise ValueError(f"{line[:80]!r} is no line of CSV ({problem})") from problem


def _ptd_fields(line: str) -> Mapping[str, object]:
    if not PTD.match(line):
        raise ValueError(f"{line[:80]!r} does not begin with Time,MM-DD-YYYY HH:MM:SS.mmm,Watts,")
    _, stamp, _, watts = _cells(line)[:4]
    pattern = "%m-%d-%Y %H:%M:%S.%f" if "." in stamp else "%m-%d-%Y %H:%M:%S"
    return {"time": datetime.strptime(stamp, pattern).isoformat(), "watts": watts}  # local, as PTDaemon's are


def _json_fields(line: str) -> Mapping[str, object]:
    try:
        fields = json.loads(line, parse_float=Decimal)
    except (ValueError, RecursionError) as problem:
        raise ValueError(f"{line[:80]!r} is not JSON ({problem})") from problem
    if not isinstance(fields, dict):
        raise ValueError(f"{line[:80]!r} is no JSON object")
    return {name.lower(): value for name, value in fields.items()}


def _number(given: object, what: str) -> Decimal:
    if isinstance(given, bool) or not isinstance(given, str | int | Decimal):
        raise ValueError(f"{what} is {given!r}, expected a number")
    try:
        number = Decimal(given)
    except InvalidOperation as problem:
        raise ValueError(f"{what} is {given!r}, expected a number") from problem
    if not math.isfinite(number):
        raise ValueError(f"{what} is {given}, expected a finite number")
    return number


def _is_number(line: str) -> bool:
    try:
        _number(line, "")
    except ValueError:
        return False
    return True


def _exponent(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int), "the number is finite"
    return exponent


def _walls(given: object) -> tuple[tuple[float, ...], str]:
    if not isinstance(given, str) or _is_number(given):
        seconds = float(_number(given, "time"))
        if not UNIX_SECONDS[0] <= seconds < UNIX_SECONDS[1]:
            raise ValueError(f"time is {given}, expected ISO 8601 or Unix seconds (not ms, not from a start)")
        return (seconds,), "Unix seconds"
    try:
        moment = datetime.fromisoformat(given)
        # In the hour that is repeated when clocks are put back, local time means two instants.
        walls = {moment.replace(fold=fold).timestamp() for fold in (0, 1)}
    except (ValueError, OverflowError, OSError) as problem:
        raise ValueError(f"time is {given!r}, expected ISO 8601 or Unix seconds") from problem
    return tuple(walls), "ISO 8601 with offset" if moment.tzinfo else "local time, no offset given"
