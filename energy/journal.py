"""The journal of a machine: one fsynced JSON line per event, so that a crash loses the case in progress only.

Events: {"event": "start", "run": id, "time": iso, "energy": {file-level block as known so far}, "planned": [case, ..]},
{"event": "case", "run": id, "record": {..}}, {"event": "end", "run": id, "file": name of the run file}.
A resumed run writes a second "start" with the same id, or just goes on with "case".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Journal:
    """Hold what a journal says: its events in order, and the numbers of the lines that a crash has torn."""

    path: Path
    events: tuple[dict[str, Any], ...]
    torn: tuple[int, ...]


@dataclass(frozen=True)
class Run:
    """Hold one run of a journal: its id, its first start event, its newest record of each case, its end event."""

    id: str
    start: dict[str, Any]
    records: tuple[dict[str, Any], ...]
    end: dict[str, Any] | None


def append(path: Path, event: Mapping[str, Any]) -> None:
    """Validate `event`, append it as one line by one write, and return when it is on the disk."""
    raise NotImplementedError


def read(path: Path) -> Journal:
    """Read a journal (a missing file has no events); a torn line is reported, other damage raises RecordError."""
    raise NotImplementedError


def runs(path: Path) -> tuple[Run, ...]:
    """Return the runs of a journal, oldest first."""
    raise NotImplementedError


def unfinished(path: Path) -> Run | None:
    """Return the last run that has a start and no end, or None."""
    raise NotImplementedError
