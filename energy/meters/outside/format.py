"""The formats of power logs: how a line becomes a sample, told from the log's first lines.

Tables (CSV and its kin), JSON lines, MLPerf's `:::MLLOG` lines, SPEC's PTDaemon, ipmitool's DCMI readings. A
command may also print bare watts. METERS.md lists the first lines of some sixty devices.

>>> found, _ = detect(["Zeit;Spannung;Leistung [kW]", "02.01.2026 03:04:05;230,1;0,0713"])
>>> found.name, found.columns.text, found.sample("02.01.2026 03:04:06;230,1;0,0714").values["watts"][0]
('CSV', 'Leistung [kW]', 71.4)
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

from energy.meters.outside.columns import Column, Columns, Row, Sample, choose
from energy.meters.outside.foreign import refuse
from energy.meters.outside.options import Options
from energy.meters.outside.quantity import WATTS, Quantity, meaning, number, unit
from energy.meters.outside.times import is_stamp, is_time
from energy.text import parse_json

T = TypeVar("T")

MOST_TITLE_LINES = 20
MOST_ROWS = 20  # that tell what the columns hold
DELIMITERS = ("\t", ";", ",", "|")
PTD = re.compile(r"Time,(\d\d)-(\d\d)-(\d{4}) ([\d:.]+),Watts,([^,]*)", re.IGNORECASE)
NO_READING = ("-1", "-2")  # of PTDaemon
MLLOG = ":::MLLOG"
DCMI, DCMI_TIME = "instantaneous power reading:", "ipmi timestamp:"
SAID = re.compile(r"([^\d+-]*?)\s*([+-]?\d[\d.,]*(?:[eE][+-]?\d+)?\s*[^\W\d_]*)\.?")
POWER = Column("power", Quantity(WATTS, 1.0, 1, "W"))


@dataclass(frozen=True)
class Format:
    """How to read a line.

    name: of the format, for people.
    columns: which fields matter.
    read: makes fields of a line; None if the line holds no reading.
    header: the names of a table's columns.
    """

    name: str
    columns: Columns
    read: Callable[[str], Row | None]
    header: tuple[str, ...] = ()

    @property
    def timed(self) -> bool:
        """Whether lines say when they were written."""
        return bool(self.columns.times)

    def is_header(self, line: str) -> bool:
        """Say whether the line names columns, as a logger does again when it starts anew."""
        line = line.lstrip("# ")
        return bool(self.header) and _is_header(cells(line, find_delimiter(line)))

    def sample(self, line: str) -> Sample | None:
        """Read one line; None if it holds no reading.

        Raises:
            ValueError: the line is not of this format, or its numbers are none.
        """
        row = None if line.startswith("#") else self.read(line)
        return None if row is None else self.columns.sample(row)


Found = tuple[Format, int]  # and how many lines are no samples


def detect(lines: Sequence[str], options: Options | None = None, *, live: bool = False) -> Found:
    """Tell the format of a log from its first lines; return it, and the number of the first line to read.

    Args:
        lines: as many as there are.
        options: what the user said of the log.
        live: whether lines need no time, since they are of when they come.

    Raises:
        ValueError: it is none of the formats, of a part of the machine, or not clear which column is meant.
    """
    options, lines = options or Options(), lines[: MOST_TITLE_LINES + MOST_ROWS]
    refuse(lines)
    lines = [line.lstrip("# ") for line in lines]  # names of columns may stand in a comment
    problems: list[ValueError] = []
    for kind in (_ptd, _mllog, _dcmi, _said, _json, _table):
        for first in range(min(len(lines), MOST_TITLE_LINES)):
            try:
                if found := kind(lines[first:], options, live):
                    return found[0], first + found[1]
            except ValueError as problem:  # a title may look like names of columns
                problems.append(problem)
    if problems:
        raise problems[0]
    raise ValueError(
        f"{lines[0][:80]!r} is no format of a power log; expected columns with a time and a power or an "
        "energy (time,watts), JSON lines, or PTDaemon's lines (METERS.md lists what is read)"
    )


def find_delimiter(line: str) -> str:
    """Return what separates the cells of a line: what there is most of; spaces if there is nothing else."""
    return max(DELIMITERS, key=line.count) if any(one in line for one in DELIMITERS) else " "


def cells(line: str, delimiter: str) -> list[str]:
    """Cut a line of a table.

    Raises:
        ValueError: quotes or line ends in its middle, as bytes that are no text have.
    """
    if delimiter == " ":
        return re.sub(r"(\d)\s+([kmM]?W)\b", r"\1\2", line).split()
    try:
        (found,) = csv.reader([line], delimiter=delimiter, skipinitialspace=True)
    except (csv.Error, ValueError) as problem:
        raise ValueError(f"{line[:80]!r} is no line of CSV ({problem})") from problem
    return [cell.strip() for cell in found]


def _ptd(lines: Sequence[str], options: Options, live: bool) -> Found | None:  # noqa: ARG001 -- as all
    def read(line: str) -> Row | None:
        found = PTD.match(line)
        if not found:
            raise ValueError(f"{line[:80]!r} does not begin with Time,MM-DD-YYYY HH:MM:SS.mmm,Watts,")
        month, day, year, clock, watts = found.groups()
        if watts.partition(".")[0] in NO_READING:
            return None
        return {"time": f"{year}-{month}-{day} {clock}", "watts": watts}

    columns = Columns(("time",), (Column("watts", POWER.quantity),))
    return (Format("PTDaemon", columns, read), 0) if PTD.match(lines[0]) else None


def _mllog(lines: Sequence[str], options: Options, live: bool) -> Found | None:  # noqa: ARG001 -- as all
    def read(line: str) -> Row | None:
        row = _fields(line)
        return (
            {"time_ms": row["time_ms"], "power": row["value"]} if row.get("key") == "power_reading" else None
        )

    return (
        (Format("MLPerf log", Columns(("time_ms",), (POWER,)), read), 0)
        if lines[0].startswith(MLLOG)
        else None
    )


def _dcmi(lines: Sequence[str], options: Options, live: bool) -> Found | None:  # noqa: ARG001 -- as all
    power: list[str] = []  # until the line with its time comes

    def read(line: str) -> Row | None:
        label, _, rest = line.partition(":")
        if f"{label.lower()}:" == DCMI:
            power[:] = [rest]
            return {"power": rest} if live else None
        if f"{label.lower()}:" == DCMI_TIME and power and not live:
            return {"time": rest, "power": power.pop()}
        return None

    columns = Columns(() if live else ("time",), (POWER,))
    return (Format("ipmitool", columns, read), 0) if lines[0].lower().startswith(DCMI) else None


def _said(lines: Sequence[str], options: Options, live: bool) -> Found | None:  # noqa: ARG001 -- as all
    """Bare watts, or one number with a unit of power and the same words before it, as a command may print."""
    first = SAID.fullmatch(lines[0])
    try:
        if not first or (first[1] and not unit(number(first[2]).unit or "")):
            return None
        number(first[2])
    except ValueError:
        return None
    if not live:
        raise ValueError(
            f"{lines[0]!r} has no time; expected a header with a time and a power, or JSON lines"
        )

    def read(line: str) -> Row | None:
        found = SAID.fullmatch(line)
        if found and found[1] != first[1]:
            return None
        return {"power": found[2] if found else line}

    return Format("bare numbers", Columns((), (POWER,)), read), 0


def _json(lines: Sequence[str], options: Options, live: bool) -> Found | None:
    if "{" not in lines[0]:
        return None
    rows = [row for line in lines[:MOST_ROWS] if "{" in line and (row := _try(_fields, line))]
    if not rows:
        _fields(lines[0])  # says what is wrong with it
    return Format("JSON lines", choose(rows, options, timed=not live), _fields), 0


def _fields(line: str) -> Row:
    """Return the values of a JSON object by their paths, and the time that a log may put before it."""
    start = max(0, line.find("{"))
    try:
        found = parse_json(line[start:], parse_float=Decimal)
        if not isinstance(found, dict):
            raise ValueError("no object")
        row = dict(_flat(found, ""))
    except ValueError as problem:
        raise ValueError(f"{line[:80]!r} is not JSON ({problem})") from problem
    before = line[:start].strip(" =:\t")
    if before and is_stamp(before):
        row.setdefault("time", before)
    return row


def _flat(value: object, path: str) -> Iterator[tuple[str, object]]:
    inner = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    )
    if inner is None:
        yield path, value
        return
    for name, one in inner:
        yield from _flat(one, f"{path}.{name}" if path else str(name))


def _table(lines: Sequence[str], options: Options, live: bool) -> Found | None:
    delimiter = find_delimiter(lines[0])
    header = cells(lines[0], delimiter)
    while header and not header[-1]:
        header.pop()
    if len(header) < 2 or "{" in lines[0] or any("=" in name for name in header):
        return None
    header = [
        name if name not in header[:place] else f"{name} ({place + 1})" for place, name in enumerate(header)
    ]
    used = 1
    if not _is_header(header):
        if not any(_try(number, name) for name in header) and any(meaning(name) for name in header):
            choose([dict.fromkeys(header)], options, timed=not live)  # says that there is no time
        elif not is_stamp(header[0]):
            return None
        else:
            header, used = ["time", *(f"column {place}" for place in range(2, len(header) + 1))], 0
    elif len(lines) > 1 and (units := _units(cells(lines[1], delimiter), len(header))):
        header = [f"{name} [{label}]" if label else name for name, label in zip(header, units, strict=True)]
        used = 2

    def read(line: str) -> Row:
        found = cells(line, delimiter)
        if delimiter == " " and len(found) == len(header) + 1:  # a date and a time of day under one name
            place = next((place for place, name in enumerate(header) if is_time(name)), 0)
            found[place : place + 2] = [" ".join(found[place : place + 2])]
        while len(found) > len(header) and not found[-1]:
            found.pop()
        if len(found) != len(header):
            raise ValueError(f"{len(found)} cells, expected {len(header)} ({', '.join(header)})")
        return dict(zip(header, found, strict=True))

    rows = [row for line in lines[used : used + MOST_ROWS] if (row := _try(read, line))]
    if len(lines) > used and not rows:
        read(lines[used])  # says what is wrong with it
    try:
        columns = choose(rows or [dict.fromkeys(header)], options, timed=not live)
    except ValueError as problem:
        hint = "" if used else "; there is no header, say which column: value='column 2 [W]'"
        raise ValueError(f"{problem}{hint}") from problem
    return Format("CSV", columns, read, tuple(header) if used else ()), used


def _is_header(names: Sequence[str]) -> bool:
    return any(is_time(name) for name in names) and not any(name and _try(number, name) for name in names)


def _units(row: Sequence[str], length: int) -> list[str]:
    """Return the units that a row below the names holds; empty if it is a row of samples."""
    bare = [cell.strip("[]() ") for cell in row]
    return (
        bare if len(bare) == length and any(unit(cell) for cell in bare) and not any(map(_digit, row)) else []
    )


def _digit(cell: str) -> bool:
    return any(letter.isdigit() for letter in cell)


def _try(ask: Callable[[str], T], text: str) -> T | None:
    try:
        return ask(text)
    except ValueError:
        return None
