"""The index of a results folder: the summary of every run file, so that none is read twice.

A record takes some 17 kB; a run of 800 cases has 14 MB and takes 0.3 s to read and to validate. Of a thousand
such files a list, a comparison or a history needs a few figures per case. The index keeps those, metric by
metric, in one SQLite table in `RESULTS/.index/`. It is derived: it may be deleted at any time, and is never
committed.

A row says what it is of (file, its size and times, metric, the code that made the summary) and is packed with
a checksum. One that is damaged, or of another state of the file, counts as absent: the file is read again. A
damaged database is thrown away. One that cannot be written is only read; without any, the same answers come
from the run files, more slowly.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import os
import sqlite3
import time
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

from energy import fault
from energy.records import keys, migration, provenance, summary, validity, volumes
from energy.records.schema import RecordError, check_run
from energy.records.storage.runfile import StoreError, read_run
from energy.records.summary import CaseSummary, Column, RunSummary, Values, pack_values, summarise_run

T = TypeVar("T")

FOLDER = ".index"
FILE = "summaries.sqlite"
# A file may change twice within one tick of the file system's clock, and look the same afterwards.
TICK_NS = 20_000_000
LONG_SECONDS = 2.0
# Another process that writes the index holds it for some milliseconds.
WAIT_SECONDS = 5.0

_COLUMNS = "path TEXT, metric TEXT, data BLOB, PRIMARY KEY (path, metric)"
_RUN = ""  # in the place of a metric: the run itself, and what its cases are
_HEAD = tuple(field.name for field in dataclasses.fields(RunSummary) if field.name not in ("path", "cases"))
_FACTS = tuple(field.name for field in dataclasses.fields(CaseSummary) if field.name != "values")


def tell_nobody(text: str) -> None:
    """Say nothing."""


def telling_once(say: Callable[[str], None]) -> Callable[[str], None]:
    """Return what says each text once, however often it is told."""
    told: set[str] = set()

    def tell(text: str) -> None:
        if text not in told:
            told.add(text)
            say(text)

    return tell


class Index:
    """The summaries of the run files below `root`. To be used in a `with`, by one thread.

    Args:
        root: the results folder.
        say: is told, once each, that the index cannot be kept, that reading takes long, and of files that
            cannot be used.
    """

    def __init__(self, root: Path, say: Callable[[str], None] = tell_nobody) -> None:
        self._prefix = os.path.join(os.path.abspath(root), "")  # noqa: PTH100, PTH118 (10 times as fast)
        self._path = Path(self._prefix, FOLDER, FILE)
        self._say = telling_once(say)
        self._connection: sqlite3.Connection | None = None
        self._reads = self._writes = True
        self._reading_seconds = 0.0
        self._cases: dict[str, CaseSummary] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def summary(self, path: Path, metrics: Sequence[str] | None = None) -> RunSummary:
        """Return the summary of a run file; with `metrics`, without the values of all others.

        Raises:
            RecordError: the file is not valid.
            StoreError: it cannot be read.
        """
        run, figures = self._find(path, metrics)
        values: list[dict[str, Values]] = [{} for _ in run.cases]
        for metric, of_cases in figures.items():
            for own, found in zip(values, of_cases, strict=True):
                if found:
                    own[metric] = tuple(found)
        whole = (dataclasses.replace(case, values=own) for case, own in zip(run.cases, values, strict=True))
        return dataclasses.replace(run, cases=tuple(whole)) if figures else run

    def column(self, path: Path, metric: str) -> Column:
        """Return one metric of all cases of a run file; raises as `summary`."""
        run, figures = self._find(path, [metric])
        return Column(run, run.cases, *pack_values(figures.get(metric, [()] * len(run.cases))))

    def try_summary(self, path: Path, metrics: Sequence[str] | None = None) -> RunSummary | None:
        """Return the summary of a file that nobody named; None for one that cannot be used, which is told."""
        return self._try(lambda: self.summary(path, metrics))

    def try_column(self, path: Path, metric: str) -> Column | None:
        """Return one metric of a file that nobody named; None for one that cannot be used, which is told."""
        return self._try(lambda: self.column(path, metric))

    def _try(self, read: Callable[[], T]) -> T | None:
        """Read one of many files: a damaged one, or one of a newer version, must not keep from the others."""
        try:
            return read()
        except (RecordError, StoreError) as problem:
            self._say(f"skipped {problem}")
            return None

    def add(self, path: Path) -> None:
        """Take up a run file that this process has just written, under a name that nobody writes again."""
        key, stamp = self._key(path), _stamp(path)
        self._keep(key, stamp, _write_texts(_read(path)))

    def keep_only(self, paths: Iterable[Path]) -> None:
        """Forget every file but these, if the index is in use."""
        if self._connection is None:
            return
        kept = set(map(self._key, paths))
        known = self._ask("SELECT path FROM summary WHERE metric = ?", [_RUN])
        if gone := [(key,) for (key,) in known if key not in kept]:
            self._change(gone, [])

    def _find(
        self, path: Path, metrics: Sequence[str] | None
    ) -> tuple[RunSummary, dict[str, Sequence[Values]]]:
        """Return a run without figures, and these: from the index, else from the file, which it then has."""
        key, stamp = self._key(path), _stamp(path)
        try:
            return self._compose(path, self._find_texts(key, stamp, metrics), metrics)
        except KeyError:  # the index does not have all of it
            began_ns = time.time_ns()
        texts = _write_texts(self._read_timed(path))
        if began_ns - path.stat().st_mtime_ns > TICK_NS and _stamp(path) == stamp:
            self._keep(key, stamp, texts)
        return self._compose(path, texts, metrics)

    def _compose(
        self, path: Path, texts: Mapping[str, str], metrics: Sequence[str] | None
    ) -> tuple[RunSummary, dict[str, Sequence[Values]]]:
        head, *lines = texts[_RUN].split("\n")
        fields = json.loads(head)
        names = [name for name in fields.pop("metrics") if metrics is None or name in metrics]
        figures = {name: json.loads(texts[name]) for name in names}
        return RunSummary(path=path, cases=tuple(map(self._read_case, lines)), **fields), figures

    def _find_texts(self, key: str | None, stamp: str, metrics: Sequence[str] | None) -> dict[str, str]:
        """Return what the index says of a file in this state: of the run, and of these metrics."""
        names = [] if metrics is None else [_RUN, *metrics]
        chosen = f" AND metric IN ({', '.join('?' * len(names))})" if names else ""
        asked = f"SELECT metric, data FROM summary WHERE path = ?{chosen}"  # noqa: S608 -- question marks only
        rows = self._ask(asked, [key, *names])
        texts = ((metric, _unpack(data, _seal(key, metric, stamp))) for metric, data in rows)
        return {metric: text for metric, text in texts if text is not None}

    def _read_case(self, line: str) -> CaseSummary:
        """Return a case without its values; the same object for the same text, which most runs share."""
        if line not in self._cases:
            fields = zip(_FACTS, map(_freeze, json.loads(line)), strict=True)
            self._cases[line] = CaseSummary(**dict(fields))
        return self._cases[line]

    def _read_timed(self, path: Path) -> RunSummary:
        """Read a file, and say so when files take long, so that nobody thinks it hangs."""
        began, so_far = time.monotonic(), self._reading_seconds
        run = _read(path)
        self._reading_seconds += time.monotonic() - began
        if so_far < LONG_SECONDS <= self._reading_seconds:
            self._say(f"reading the run files below {self._prefix} that the index does not have yet")
        return run

    def _keep(self, key: str | None, stamp: str, texts: Mapping[str, str]) -> None:
        """Store what is known of a file in place of what was; a file elsewhere is not stored."""
        if key is not None:
            rows = [(key, name, _pack(text, _seal(key, name, stamp))) for name, text in texts.items()]
            self._change([(key,)], rows)

    def _ask(self, query: str, values: Sequence[str | None]) -> list[Any]:
        """Return what the index answers; nothing where it cannot be used."""
        try:
            return (
                self._open().execute(query, values).fetchall() if self._reads and self._has_folder() else []
            )
        except (OSError, sqlite3.DatabaseError) as problem:
            self._reads = False
            self._give_up(problem)
            return []

    def _change(self, gone: Sequence[tuple[str]], rows: Sequence[tuple[str, str, bytes]]) -> None:
        """Delete what is known of some files, and store these rows: all of it, or nothing."""
        if not self._reads or not self._writes or not self._has_folder():
            return
        try:
            with self._open() as connection:
                connection.execute("BEGIN IMMEDIATE")
                connection.executemany("DELETE FROM summary WHERE path = ?", gone)
                connection.executemany("INSERT INTO summary VALUES (?, ?, ?)", rows)
        except (OSError, sqlite3.DatabaseError) as problem:
            self._give_up(problem)

    def _give_up(self, problem: Exception) -> None:
        """Throw a damaged index away, to be made anew by the next; else write no more of it."""
        self._close()
        self._writes = False
        # Else it is locked or read-only, or the disk is full: nothing is wrong with what is there.
        if not isinstance(problem, (OSError, sqlite3.OperationalError)):
            try:
                for name in (FILE, f"{FILE}-journal"):
                    self._path.with_name(name).unlink(missing_ok=True)
            except OSError as refused:
                problem = refused
        told = "reading the run files, which takes longer"
        self._say(f"the index {self._path} cannot be used ({problem}); {told}")

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = _connect(self._path)
        return self._connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _has_folder(self) -> bool:
        """Tell whether there is a results folder; without one, nothing is kept of files elsewhere."""
        return os.path.isdir(self._prefix)  # noqa: PTH112 -- 10 times as fast, for thousands of files

    def _key(self, path: Path) -> str | None:
        """Return what the index calls a file; None for one elsewhere."""
        whole = os.path.abspath(path)  # noqa: PTH100 -- 10 times as fast, for thousands of files
        return whole.removeprefix(self._prefix) if whole.startswith(self._prefix) else None


def _connect(path: Path) -> sqlite3.Connection:
    """Open the index, and make it if it is not there; OSError or sqlite3.DatabaseError if that fails."""
    folder = path.parent
    if not folder.is_dir():
        folder.mkdir()
        # The folder ignores itself: what is derived is not committed.
        (folder / ".gitignore").write_text("*\n", encoding="utf-8")
    connection = sqlite3.connect(path, timeout=WAIT_SECONDS, isolation_level=None)
    try:
        # After a power cut the index may be damaged; it is then made anew.
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute(f"CREATE TABLE IF NOT EXISTS summary ({_COLUMNS}) WITHOUT ROWID")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


@functools.cache
def _version() -> str:
    """Name the code that makes a summary: what another one made is not believed."""
    modules = (summary, provenance, keys, migration, validity, volumes, fault)
    made_by = [__file__, str(keys.FIRST_DEFAULTS), *(str(module.__file__) for module in modules)]
    return hashlib.sha256(b"".join(Path(name).read_bytes() for name in made_by)).hexdigest()[:12]


def _seal(key: str | None, metric: str, stamp: str) -> str:
    """Return what a row begins with: which state of which file it is of, and which code made it."""
    return f"{_version()} {key} {metric} {stamp}\n"


def _pack(text: str, seal: str) -> bytes:
    """Pack a row; zlib adds a checksum."""
    return zlib.compress(f"{seal}{text}".encode(), level=1)


def _unpack(data: Any, seal: str) -> str | None:
    """Return the text of a row; None if it is damaged, or of another state of the file."""
    try:
        text = zlib.decompress(data).decode()
    except (zlib.error, TypeError, UnicodeDecodeError):
        return None
    return text.removeprefix(seal) if text.startswith(seal) else None


def _write_texts(run: RunSummary) -> dict[str, str]:
    """Return a summary as the rows have it: the run with a line per case, and the values by metric."""
    metrics = list(dict.fromkeys(name for case in run.cases for name in case.values))
    head = {name: getattr(run, name) for name in _HEAD} | {"metrics": metrics}
    facts = ([getattr(case, name) for name in _FACTS] for case in run.cases)
    texts = {_RUN: "\n".join(json.dumps(part, default=dict) for part in (head, *facts))}
    for name in metrics:
        texts[name] = json.dumps([case.values.get(name, ()) for case in run.cases])
    return texts


def _stamp(path: Path) -> str:
    """Return what changes with a file's contents; StoreError where it cannot be asked."""
    try:
        state = path.stat()
    except OSError as problem:
        raise StoreError(f"{path} cannot be read: {problem.strerror}") from problem
    return f"{state.st_size} {state.st_mtime_ns} {state.st_ctime_ns} {state.st_ino}"


def _read(path: Path) -> RunSummary:
    data = read_run(path)
    check_run(data, path)
    return summarise_run(data, path)


def _freeze(value: Any) -> Any:
    """Turn JSON's lists into the tuples of a summary."""
    return tuple(map(_freeze, value)) if isinstance(value, list) else value
