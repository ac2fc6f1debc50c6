"""The file behind the index: SQLite, with a checksum in every row, thrown away as soon as one is wrong."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

# Another process that writes the index holds it for some milliseconds.
WAIT_SECONDS = 5.0
MEMORY = ":memory:"

_TABLES = """
CREATE TABLE IF NOT EXISTS word (id INTEGER PRIMARY KEY, text TEXT UNIQUE, sum INTEGER);
CREATE TABLE IF NOT EXISTS run
    (id INTEGER PRIMARY KEY, path TEXT UNIQUE, stamp TEXT, head TEXT, cases BLOB, sum INTEGER);
CREATE TABLE IF NOT EXISTS figure
    (metric TEXT, run INTEGER, counts BLOB, numbers BLOB, sum INTEGER, PRIMARY KEY (metric, run));
CREATE INDEX IF NOT EXISTS figure_of_run ON figure (run);
"""


class Damaged(sqlite3.DatabaseError):
    """A row is not what was written."""


def connect(path: Path) -> sqlite3.Connection:
    """Open the index to read and write, and create what is missing.

    Raises:
        sqlite3.OperationalError: it cannot be written, or another process holds it for too long.
        sqlite3.DatabaseError: it is damaged.
        OSError: its folder cannot be made.
    """
    folder = path.parent
    if not folder.is_dir():
        folder.mkdir()
        # The folder ignores itself: what is derived is not committed, whoever owns the results.
        (folder / ".gitignore").write_text("*\n", encoding="utf-8")
    if not path.exists():
        for other in folder.glob(f"*{path.suffix}"):  # of another version of this program
            with suppress(OSError):  # in use, on Windows
                other.unlink()
    return _prepared(sqlite3.connect(path, timeout=WAIT_SECONDS, isolation_level=None))


def copied(path: Path) -> sqlite3.Connection:
    """Return an index that ends with the process, with what one can read that cannot be written.

    Raises:
        sqlite3.DatabaseError: it is damaged, held by another process, or not there.
    """
    memory = sqlite3.connect(MEMORY, isolation_level=None)
    uri = f"{path.absolute().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(uri, uri=True, timeout=WAIT_SECONDS, isolation_level=None)) as source:
            source.execute("BEGIN")
            source.execute("SELECT count(*) FROM run")  # or `backup` waits for other processes for ever
            source.backup(memory)
        return _prepared(memory)
    except sqlite3.DatabaseError:
        memory.close()
        raise


def empty(_: Path) -> sqlite3.Connection:
    """Return an index that ends with the process, with nothing in it."""
    return _prepared(sqlite3.connect(MEMORY, isolation_level=None))


def remove(path: Path) -> None:
    """Throw a damaged index away; OSError if that is not allowed."""
    for name in (path, path.with_name(f"{path.name}-journal")):
        name.unlink(missing_ok=True)


def checked(row: Sequence[Any]) -> Sequence[Any]:
    """Return a row without its last column, the checksum of the others; Damaged if they are others."""
    *columns, told = row
    if checksum(columns) != told:
        raise Damaged("a row of the index is not what was written")
    return columns


def checksum(columns: Sequence[Any]) -> int:
    """Return a checksum of the columns of a row."""
    found = 0
    for column in columns:
        data = column if isinstance(column, bytes) else f"|{column}|".encode()
        found = zlib.crc32(data, found)
    return found


def _prepared(connection: sqlite3.Connection) -> sqlite3.Connection:
    try:
        # After a power cut the index may be damaged; it is then made anew.
        connection.execute("PRAGMA synchronous = OFF")
        connection.executescript(_TABLES)
    except sqlite3.Error:
        connection.close()
        raise
    return connection
