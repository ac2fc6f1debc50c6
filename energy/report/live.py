"""The report of results that still come: made anew when a file changes, in a folder that someone serves."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from energy import gather
from energy.gather import NothingFoundError
from energy.report import build
from energy.schema import RecordError
from energy.store import StoreError


@dataclass
class Page:
    """Keep `index.html` and `version.txt` in a folder as new as the results.

    Args:
        sources: what `gather.files` takes.
        folder: where the page lies.
        version: digest of the results' names, sizes and times when the page was last made.
    """

    sources: tuple[str, ...]
    folder: Path
    version: str = field(default="", init=False)

    def refresh(self) -> str | None:
        """Make the page anew if results have changed; return why it could not be made anew, else None.

        Raises:
            StoreError: there is no page yet, and there cannot be one.
        """
        version = self._version()
        if version == self.version:
            return None
        first, self.version = not self.version, version
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
        try:
            return build.report(self.sources, choices).html
        except NothingFoundError:
            if not all(Path(source).is_dir() for source in self.sources):
                raise
            return build.waiting(self.sources, version)

    def _version(self) -> str:
        """Digest names, sizes and times of all files."""
        try:
            files = gather.files(self.sources)
        except StoreError:
            files = []
        state = [(str(path), *_stamp(path)) for path in files]
        return hashlib.sha256(repr(state).encode()).hexdigest()[:16]


def _stamp(path: Path) -> tuple[int, int]:
    try:
        known = path.stat()
    except FileNotFoundError:  # gone since it was listed; the next look will not list it
        return 0, 0
    return known.st_mtime_ns, known.st_size


def _command(sources: tuple[str, ...]) -> str:
    return " ".join(["joulebench serve", *sources])
