"""What stands in the index: run files by their place, their cases by number, their figures by metric.

A case's facts (name, keys, seeds, ...) are the same from run to run, and stand there once, as a "word".
Whatever fields `energy/summary.py` has are kept; the index of another set of fields is another file.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import secrets
import sqlite3
import sys
from array import array
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from energy.records import provenance, summary
from energy.records.index.file import Damaged, checked, checksum
from energy.records.summary import (
    CaseSummary,
    Column,
    RunSummary,
    Values,
    __file__,
    pack_values,
    unpack_values,
)

_REMARKS = ("code", "flags")  # these change from run to run, the other facts of a case rarely do
_FACTS = tuple(f.name for f in dataclasses.fields(CaseSummary) if f.name not in ("values", *_REMARKS))
_HEAD = tuple(f.name for f in dataclasses.fields(RunSummary) if f.name not in ("path", "cases"))


def version() -> str:
    """Name the form of the index: another one where the code that makes a summary is another."""
    made_by = (__file__, summary.__file__, provenance.__file__)
    sources = b"".join(Path(name).read_bytes() for name in made_by)
    layout = f"{sys.byteorder} {array('I').itemsize}"
    return hashlib.sha256(sources + layout.encode()).hexdigest()[:12]


class Rows:
    """Reads and writes the index through one connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._words: dict[int, Any] = {}
        self._numbers: dict[str, int] = {}
        self._cases: dict[tuple[int, int], CaseSummary] = {}

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def summary(self, path: Path, key: str, stamp: str, metrics: Sequence[str] | None) -> RunSummary | None:
        """Return the summary of a run file, or None if the index has another state of it, or none."""
        with self._transaction("BEGIN"):
            found = self._found(key, stamp)
            if found is None:
                return None
            number, head, cases = found
            wanted = [name for name in head["metrics"] if metrics is None or name in metrics]
            columns = {name: self._figures(number, name) for name in wanted}
        if not columns:
            return _run(path, head, cases)
        values: list[dict[str, Values]] = [{} for _ in cases]
        for metric, (counts, numbers) in columns.items():
            start = 0
            for of_case, count in zip(values, counts, strict=True):
                if count:
                    of_case[metric] = unpack_values(numbers[start : start + count])
                    start += count
        whole = (dataclasses.replace(case, values=own) for case, own in zip(cases, values, strict=True))
        return _run(path, head, tuple(whole))

    def column(self, path: Path, key: str, stamp: str, metric: str) -> Column | None:
        """Return one metric of a run file, or None as `summary`."""
        with self._transaction("BEGIN"):
            found = self._found(key, stamp)
            if found is None:
                return None
            number, head, cases = found
            known = metric in head["metrics"]
            figures = self._figures(number, metric) if known else pack_values([()] * len(cases))
        return Column(_run(path, head, ()), cases, *figures)

    def add(self, key: str, stamp: str, run: RunSummary) -> None:
        """Store the summary of a run file in place of what was known of it.

        Raises:
            ValueError, OverflowError: a number that no float holds exactly; nothing was stored.
        """
        metrics = list(dict.fromkeys(name for case in run.cases for name in case.values))
        packed = {name: pack_values([case.values.get(name, ()) for case in run.cases]) for name in metrics}
        head = json.dumps({name: getattr(run, name) for name in _HEAD} | {"metrics": metrics})
        number = secrets.randbits(62)  # never that of a run that was here before
        with self._transaction("BEGIN IMMEDIATE"):
            self._delete(key)
            words = array("I", (word for case in run.cases for word in self._words_of(case)))
            self._insert("run", [number, key, stamp, head, words.tobytes()])
            for name, (counts, values) in packed.items():
                self._insert("figure", [name, number, counts.tobytes(), values.tobytes()])

    def keep_only(self, keys: Collection[str | None]) -> None:
        """Forget the files that are not among `keys`."""
        known = self._connection.execute("SELECT path FROM run").fetchall()
        gone = [key for (key,) in known if key not in keys]
        if gone:
            with self._transaction("BEGIN IMMEDIATE"):
                for key in gone:
                    self._delete(key)

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[None]:
        """See one state of the index throughout; change all of it, or nothing."""
        self._connection.execute(begin)
        try:
            yield
        except BaseException:
            self._connection.rollback()
            self._numbers.clear()  # words of this transaction are gone with it
            raise
        self._connection.commit()

    def _found(self, key: str, stamp: str) -> tuple[int, dict[str, Any], tuple[CaseSummary, ...]] | None:
        row = self._connection.execute("SELECT * FROM run WHERE path = ?", (key,)).fetchone()
        if row is None:
            return None
        number, _, told, head, words = checked(row)
        if told != stamp:
            return None
        pairs = _array("I", words)
        return number, json.loads(head), tuple(map(self._case, pairs[::2], pairs[1::2]))

    def _figures(self, number: int, metric: str) -> tuple[array[int], array[float]]:
        query = "SELECT * FROM figure WHERE metric = ? AND run = ?"
        row = self._connection.execute(query, (metric, number)).fetchone()
        if row is None:
            raise Damaged(f"{metric} of a run is not in the index")
        _, _, counts, numbers = checked(row)
        return _array("I", counts), _array("d", numbers)

    def _case(self, facts: int, remarks: int) -> CaseSummary:
        """Return a case without its values; the same object for the same words."""
        known = self._cases.get((facts, remarks))
        if known is None:
            fields = dict(zip(_FACTS, self._word(facts), strict=True))
            fields |= dict(zip(_REMARKS, self._word(remarks), strict=True))
            known = self._cases[facts, remarks] = CaseSummary(**fields)
        return known

    def _word(self, number: int) -> Any:
        """Return what a number stands for."""
        if number not in self._words:
            row = self._connection.execute("SELECT * FROM word WHERE id = ?", (number,)).fetchone()
            if row is None:
                raise Damaged("a word is not in the index")
            self._words[number] = _frozen(json.loads(checked(row)[1]))
        return self._words[number]

    def _words_of(self, case: CaseSummary) -> tuple[int, int]:
        """Return the numbers of a case's facts and remarks."""
        facts, remarks = ([getattr(case, name) for name in names] for names in (_FACTS, _REMARKS))
        return self._number(facts), self._number(remarks)

    def _number(self, content: list[Any]) -> int:
        """Return the number that stands for `content`, a new one if there is none."""
        text = json.dumps(content, default=dict)
        if text not in self._numbers:
            row = self._connection.execute("SELECT id FROM word WHERE text = ?", (text,)).fetchone()
            self._numbers[text] = row[0] if row else self._new_word(text)
        return self._numbers[text]

    def _new_word(self, text: str) -> int:
        (most,) = self._connection.execute("SELECT coalesce(max(id), 0) FROM word").fetchone()
        self._insert("word", [most + 1, text])
        return int(most) + 1

    def _insert(self, table: str, row: list[Any]) -> None:
        marks = ", ".join("?" * (len(row) + 1))
        self._connection.execute(f"INSERT INTO {table} VALUES ({marks})", [*row, checksum(row)])  # noqa: S608

    def _delete(self, key: str) -> None:
        self._connection.execute(
            "DELETE FROM figure WHERE run IN (SELECT id FROM run WHERE path = ?)", (key,)
        )
        self._connection.execute("DELETE FROM run WHERE path = ?", (key,))


def _run(path: Path, head: Mapping[str, Any], cases: tuple[CaseSummary, ...]) -> RunSummary:
    return RunSummary(path=path, cases=cases, **{name: head[name] for name in _HEAD})


def _array(kind: Any, data: bytes) -> array[Any]:
    numbers = array(kind)
    numbers.frombytes(data)
    return numbers


def _frozen(value: Any) -> Any:
    """Turn JSON's lists into the tuples of a summary."""
    if isinstance(value, list):
        return tuple(map(_frozen, value))
    return {key: _frozen(entry) for key, entry in value.items()} if isinstance(value, dict) else value
