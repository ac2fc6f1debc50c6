"""The index of a results folder: the summary of every run file, so that none is read twice.

A record takes some 17 kB; a run of 800 cases has 14 MB and takes 0.3 s to read and to validate. Of a thousand
such files a list, a comparison or a history needs a few figures per case. The index keeps those, metric by
metric, in `RESULTS/.index/`. It is derived: it may be deleted at any time, and is never committed.

What it says of a file holds for the very bytes that were read and validated: a file of another size, time or
inode is read anew. Rows carry checksums, and a damaged index is thrown away. Where the folder cannot be
written, the same answers come from the files themselves, more slowly.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self, TypeVar

from energy.records.index import file as _index_file
from energy.records.index import rows as _index_rows
from energy.records.index.rows import Rows
from energy.records.runfile import StoreError, read_run
from energy.records.schema import check_run
from energy.records.summary import Column, RunSummary, summarise_run, take_column

T = TypeVar("T")

FOLDER = ".index"
# A file may change twice within one tick of the file system's clock, and look the same afterwards.
TICK_NS = 20_000_000
LONG_SECONDS = 2.0

_CANNOT = sqlite3.OperationalError  # locked, read-only, disk full: nothing is wrong with what is there
# To be written; only to be read; none at all.
_WAYS = (_index_file.connect, _index_file.copied, _index_file.empty)


def _silent(text: str) -> None:
    """Tell nobody."""


class Index:
    """The summaries of the run files below `root`. To be used in a `with`, by one thread.

    Args:
        root: the results folder.
        say: is told, once each, that the index cannot be kept, and that reading takes long.
    """

    def __init__(self, root: Path, say: Callable[[str], None] = _silent) -> None:
        self._root = root.absolute()
        self._path = self._root / FOLDER / f"{_index_rows.version()}.sqlite"
        self._say = say
        self._rows: Rows | None = None
        self._way = 0
        self._is_renewed = False
        self._reading_seconds = 0.0

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
        return self._answer(
            path,
            lambda rows, key, stamp: rows.summary(path, key, stamp, metrics),
            lambda run: _only(run, metrics),
        )

    def column(self, path: Path, metric: str) -> Column:
        """Return one metric of all cases of a run file; raises as `summary`."""
        return self._answer(
            path,
            lambda rows, key, stamp: rows.column(path, key, stamp, metric),
            lambda run: take_column(run, metric),
        )

    def add(self, path: Path) -> None:
        """Take up a run file that this process has just written, under a name that nobody writes again."""
        key = self._key(path)
        if key is not None:
            stamp = _stamp(path)
            self._keep(key, stamp, _read(path))

    def keep_only(self, paths: Sequence[Path]) -> None:
        """Forget every file but these, if the index is in use."""
        keys = {self._key(path) for path in paths}
        if self._rows is not None:
            self._tried(lambda rows: rows.keep_only(keys))

    def _answer(
        self, path: Path, ask: Callable[[Rows, str, str], T | None], of_file: Callable[[RunSummary], T]
    ) -> T:
        """Answer from the index, else from the file, which the index then has."""
        key = self._key(path)
        if key is None:
            return of_file(_read(path))
        stamp = _stamp(path)
        answer = self._tried(lambda rows: ask(rows, key, stamp))
        if answer is not None:
            return answer
        began_ns = time.time_ns()
        run = self._timed(path)
        if began_ns - path.stat().st_mtime_ns > TICK_NS and _stamp(path) == stamp:
            self._keep(key, stamp, run)
        return of_file(run)

    def _timed(self, path: Path) -> RunSummary:
        """Read a file, and say so when files take long, so that nobody thinks it hangs."""
        began, so_far = time.monotonic(), self._reading_seconds
        run = _read(path)
        self._reading_seconds += time.monotonic() - began
        if so_far < LONG_SECONDS <= self._reading_seconds:
            self._say(f"reading the run files below {self._root} that the index does not have yet")
        return run

    def _keep(self, key: str, stamp: str, run: RunSummary) -> None:
        """Store a summary; one that holds a number no float can hold stays out."""
        try:
            self._tried(lambda rows: rows.add(key, stamp, run))
        except (OverflowError, ValueError):
            return

    def _tried(self, use: Callable[[Rows], T]) -> T:
        """Use the index; make a damaged one anew, once, and go on without a file where there can be none."""
        while True:
            try:
                return use(self._opened())
            except (OSError, sqlite3.DatabaseError) as problem:
                self._close()
                self._recover(problem)

    def _opened(self) -> Rows:
        if self._rows is None:
            self._rows = Rows(_WAYS[self._way](self._path))
        return self._rows

    def _recover(self, problem: Exception) -> None:
        """Throw a damaged index away, once; where that does not help, take the next way to have one."""
        is_damaged = isinstance(problem, sqlite3.DatabaseError) and not isinstance(problem, _CANNOT)
        if self._way == 0 and is_damaged and not self._is_renewed:
            self._is_renewed = True
            try:
                _index_file.remove(self._path)
            except OSError as refused:
                problem = refused
            else:
                return
        if self._way == 0:
            told = "reading the run files, which takes longer"
            self._say(f"the index {self._path} cannot be used ({problem}); {told}")
        self._way += 1
        if self._way == len(_WAYS):
            raise problem

    def _close(self) -> None:
        if self._rows is not None:
            self._rows.close()
            self._rows = None

    def _key(self, path: Path) -> str | None:
        """Return what the index calls a file; None for one elsewhere."""
        whole, prefix = str(path.absolute()), f"{self._root}{os.sep}"
        return whole.removeprefix(prefix) if whole.startswith(prefix) else None


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


def _only(run: RunSummary, metrics: Sequence[str] | None) -> RunSummary:
    """Leave out the values of all metrics but these."""
    if metrics is None:
        return run
    cases = (
        replace(case, values={name: values for name, values in case.values.items() if name in metrics})
        for case in run.cases
    )
    return replace(run, cases=tuple(cases))
