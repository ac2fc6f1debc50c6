"""The results folder: run files `ROOT/FINGERPRINT/NNNN_COMMIT.json`, written whole or not at all, and found again."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class StoreError(Exception):
    """The results folder cannot be used, or holds no such run; says what was asked and what to do."""


@dataclass(frozen=True)
class RunFile:
    """Name one stored run, unread. `reference` ("FINGERPRINT/0007") finds it again."""

    path: Path
    fingerprint: str
    number: int

    @property
    def reference(self) -> str:
        """Return the short name under which `Store.find` finds this run."""
        raise NotImplementedError


@dataclass(frozen=True)
class StoredCase:
    """Hold one record and the run it came from."""

    record: dict[str, Any]
    run: RunFile


@dataclass(frozen=True)
class Store:
    """Keep the run files of all machines under one root folder."""

    root: Path

    def prepare(self, fingerprint: str) -> Path:
        """Create the machine's folder and prove that it can be written; StoreError if not. Call before measuring."""
        raise NotImplementedError

    def journal(self, fingerprint: str) -> Path:
        """Return the path of the machine's journal (which need not exist)."""
        raise NotImplementedError

    def write(self, run: Mapping[str, Any], name: str | None = None) -> Path:
        """Validate and write a run file atomically; its name is the next number and `name` (default: the commit)."""
        raise NotImplementedError

    def runs(self, fingerprint: str | None = None) -> list[RunFile]:
        """List the stored runs, oldest first within each machine, without reading them."""
        raise NotImplementedError

    def find(self, reference: str | None = None) -> Path:
        """Return the one run file meant by a path, "0007", "FINGERPRINT/0007", a glob or a saved name (None: newest)."""
        raise NotImplementedError

    def load(self, path: Path) -> dict[str, Any]:
        """Read and validate a run file; RecordError names what is wrong with it."""
        raise NotImplementedError

    def records(self, fingerprint: str | None = None) -> Iterator[StoredCase]:
        """Yield every stored record, newest run first."""
        raise NotImplementedError

    def latest_case(self, case: str, keys: Mapping[str, str]) -> StoredCase | None:
        """Return the newest record of `case` with status ok whose four keys all equal `keys`, or None."""
        raise NotImplementedError
