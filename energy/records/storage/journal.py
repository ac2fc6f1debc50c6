"""The journal of a machine: one fsynced JSON line per event, so that a crash loses the case in progress only.

Events: {"event": "start", "run": id, "time": iso, "energy": {file-level block so far}},
{"event": "repeat", "run": id, "number": 2, "of": 3, "record": {..}} for one repeat of a case of several,
{"event": "case", "run": id, "record": {..}} once a case has ended,
{"event": "end", "run": id, "file": name of the run file}.
A resumed run goes on with events of the same id; a second "start" of that id does no harm.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from energy.records.migration import update_record
from energy.records.schema import RecordError, check_event, check_event_head, check_record, to_json
from energy.records.storage.files import sync_folder
from energy.text import parse_json

# Ends a line that a crash has torn, so that later lines can be told from damage that nobody knows of.
_MARK = b'{"event":"torn"}\n'


@dataclass(frozen=True)
class Journal:
    """Hold what a journal says: its events in order, and the numbers of the lines that a crash has torn."""

    path: Path
    events: tuple[dict[str, Any], ...]
    torn: tuple[int, ...]


@dataclass(frozen=True)
class JournalRun:
    """Hold one run of a journal: id, first start event, newest record of each case, end event.

    repeats: the newest "repeat" event of each repeat that was measured.
    events: all of them, in order.
    """

    id: str
    start: dict[str, Any]
    records: tuple[dict[str, Any], ...]
    end: dict[str, Any] | None
    repeats: tuple[dict[str, Any], ...] = ()
    events: tuple[dict[str, Any], ...] = ()


def append_event(path: Path, event: Mapping[str, Any]) -> None:
    """Validate `event`, append it as one line by one write, and return when it is on the disk.

    Two processes may append at once: POSIX makes positioning and writing one step under O_APPEND (write(2)),
    on local disks. A line that a crash has torn is closed first.

    Raises:
        RecordError: the event is not valid; nothing was written.
        OSError: the file cannot be written, or the disk is full.
    """
    check_event(event, f"{path}: new line")
    line = to_json(event, f"{path}: new line", separators=(",", ":")).encode() + b"\n"
    if not path.exists():
        _create(path)
    _write_at_once(path, (b"\n" + _MARK if _is_torn(path) else b"") + line)


def read_journal(path: Path) -> Journal:
    """Read a journal; a missing file has no events, and a line torn by a crash is reported and left out.

    Raises:
        RecordError: a line is damaged in another way, or written by a newer joulebench; names file and line.
    """
    lines = path.read_bytes().split(b"\n") if path.exists() else []
    while lines and not lines[-1].strip(b"\0 "):  # a power cut may leave a tail of zeros
        lines.pop()
    torn = tuple(number for number in range(1, len(lines) + 1) if _torn(lines, number))
    events = tuple(_read_events(path, lines, torn))
    return Journal(path, events, torn)


def list_runs(path: Path) -> tuple[JournalRun, ...]:
    """Return the runs of a journal, in the order of their first start; records are not validated."""
    by_run: dict[str, list[dict[str, Any]]] = {}
    for event in read_journal(path).events:
        by_run.setdefault(event["run"], []).append(event)
    return tuple(_gather_run(path, name, events) for name, events in by_run.items())


def find_unfinished(path: Path) -> JournalRun | None:
    """Return the last run that has a start, records or repeats, and no end, validated, or None.

    Raises:
        RecordError: the journal or a record of that run is damaged.
    """
    left = [run for run in list_runs(path) if run.end is None and (run.records or run.repeats)]
    if not left:
        return None
    for record in (*left[-1].records, *(event["record"] for event in left[-1].repeats)):
        check_record(record, f"{path}: run {left[-1].id}, case {record.get('case')}")
    return left[-1]


def check_journal(path: Path) -> None:
    """Validate every event of a journal in full; RecordError names file and run."""
    for event in read_journal(path).events:
        check_event(event, f"{path}: run {event['run']}")


def _create(path: Path) -> None:
    """Create an empty file, and its entry in the folder on the disk."""
    path.touch()
    sync_folder(path.parent)


def _write_at_once(path: Path, data: bytes) -> None:
    """Append by a single write, and wait for the disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0))
    try:
        written = os.write(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if written != len(data):
        raise OSError(f"{path}: only {written} of {len(data)} bytes written; is the disk full?")


def _is_torn(path: Path) -> bool:
    """Tell whether the last line lacks its end."""
    with path.open("rb") as file:
        if not file.seek(0, os.SEEK_END):
            return False
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"


def _torn(lines: list[bytes], number: int) -> bool:
    """Tell whether line `number` is unreadable and was the last one when its writer died.

    An empty line before a mark is none: a process that saw another's write half done marked in vain.
    """
    line, last = lines[number - 1], number == len(lines)
    return line != b"" and _parse(line) is None and (last or lines[number] + b"\n" == _MARK)


def _parse(line: bytes) -> dict[str, Any] | None:
    """Return the JSON object in `line`; None if there is none."""
    try:
        event = parse_json(line)
    except ValueError:  # includes UnicodeDecodeError
        return None
    return event if isinstance(event, dict) else None


def _read_events(path: Path, lines: list[bytes], torn: tuple[int, ...]) -> Iterator[dict[str, Any]]:
    """Yield the validated events of the whole lines."""
    for number, line in enumerate(lines, start=1):
        if number in torn or not line or line + b"\n" == _MARK:
            continue
        where = f"{path}: line {number}"
        event = _parse(line)
        if event is None:
            raise RecordError(f"{where}: damaged, not a JSON object; repair or delete this line, or the file")
        check_event_head(event, where)
        if isinstance(event.get("record"), dict):
            update_record(event["record"])
        yield event


def _identify(record: Mapping[str, Any]) -> tuple[Any, ...]:
    """Tell a case from others as `identify_case` does, of a record that is not validated yet."""
    return record.get("node"), record.get("task"), record.get("case")


def _gather_run(path: Path, name: str, events: list[dict[str, Any]]) -> JournalRun:
    """Gather the events of one run."""
    start = next((event for event in events if event["event"] == "start"), None)
    if start is None:
        raise RecordError(f"{path}: run {name} has no start; the file is not whole")
    cases = (event["record"] for event in events if event["event"] == "case")
    records = {_identify(record): record for record in cases}
    repeats = {
        (*_identify(event["record"]), event.get("number")): event
        for event in events
        if event["event"] == "repeat"
    }
    end = next((event for event in events if event["event"] == "end"), None)
    return JournalRun(name, start, tuple(records.values()), end, tuple(repeats.values()), tuple(events))
