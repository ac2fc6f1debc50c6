"""The report of results that still come: made anew when a file changes, in a folder that someone serves.

Making a page takes seconds of CPU time, which disturbs the cases that are measured meanwhile. So pages of a
run that still writes are made seldom, and the next one at once when it has ended.
"""

from __future__ import annotations

import hashlib
import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from energy.records.schema import RecordError
from energy.records.storage import gather
from energy.records.storage.gather import NothingFoundError
from energy.records.storage.runfile import StoreError
from energy.records.storage.store import JOURNAL
from energy.report.page import build
from energy.text import parse_json

# Beside a run that writes, a page is followed by a rest of so many times what it took: making pages takes no
# more than a twenty-first of the time.
REST = 20
# The line that ends a run is shorter than this.
LONGEST_END = 4096

Stamps = Mapping[Path, tuple[int, int]]


@dataclass
class Page:
    """Keep `index.html` and `version.txt` in a folder as new as the results.

    Args:
        sources: what `gather.list_files` takes.
        folder: where the page lies.
        clock: seconds that never run backwards.
        version: digest of the results' names, sizes and times when the page was last made.
    """

    sources: tuple[str, ...]
    folder: Path
    clock: Callable[[], float] = time.monotonic
    version: str = field(default="", init=False)
    _shown: Stamps = field(default_factory=dict, init=False)
    _rested: float = field(default=-math.inf, init=False)

    def refresh(self) -> str | None:
        """Make the page anew if results have changed and the rest is over; say why it could not be made.

        Raises:
            StoreError: there is no page yet, and there cannot be one.
        """
        stamps = self._stamps()
        version = _digest(stamps)
        if version == self.version or (self.clock() < self._rested and self._only_grows(stamps)):
            return None
        first, self.version, self._shown = not self.version, version, stamps
        try:
            html = self._html(version)
        except (RecordError, StoreError) as problem:
            if first:
                raise
            return str(problem)
        build.write(html, self.folder / "index.html")
        build.write(version, self.folder / "version.txt")
        return None

    def _html(self, version: str) -> str:
        """Return the report, or a page that waits where folders are there and no case is in them yet."""
        choices = build.Choices(_command(self.sources), version=version)
        begun = self.clock()
        try:
            html = build.report(self.sources, choices).html
        except NothingFoundError:
            if not all(Path(source).is_dir() for source in self.sources):
                raise
            return build.waiting(self.sources, version)  # takes nothing that one would have to rest from
        ended = self.clock()
        self._rested = ended + REST * (ended - begun)
        return html

    def _stamps(self) -> Stamps:
        """Return sizes and times of all files."""
        try:
            files = gather.list_files(self.sources)
        except StoreError:
            files = []
        return {path: _stamp(path) for path in files}

    def _only_grows(self, stamps: Stamps) -> bool:
        """Tell whether nothing but journals has changed since the page was made, of runs that go on."""
        if not self._shown.keys() <= stamps.keys():
            return False
        changed = [path for path, stamp in stamps.items() if self._shown.get(path) != stamp]
        return all(path.name == JOURNAL and not _has_ended(path) for path in changed)


def _digest(stamps: Stamps) -> str:
    state = [(str(path), *stamp) for path, stamp in stamps.items()]
    return hashlib.sha256(repr(state).encode()).hexdigest()[:16]


def _stamp(path: Path) -> tuple[int, int]:
    try:
        known = path.stat()
    except FileNotFoundError:  # gone since it was listed; the next look will not list it
        return 0, 0
    return known.st_mtime_ns, known.st_size


def _has_ended(journal: Path) -> bool:
    """Tell whether the last line of a journal ends a run; others, which may be long, are not read."""
    try:
        with journal.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - LONGEST_END))
            last = file.read().rstrip().rpartition(b"\n")[2]
        event = parse_json(last)
    except (OSError, ValueError):  # gone, or being written
        return False
    return isinstance(event, dict) and event.get("event") == "end"


def _command(sources: tuple[str, ...]) -> str:
    return " ".join(["joulebench serve", *sources])
