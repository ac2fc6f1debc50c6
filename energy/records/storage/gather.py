"""Find and read the runs that someone names by folders, files and globs, unfinished ones included."""

from __future__ import annotations

import glob
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from energy.records import schema
from energy.records.schema import RecordError
from energy.records.storage import journal, store
from energy.records.storage.runfile import StoreError, list_records, read_run
from energy.records.storage.store import Store


class NothingFoundError(StoreError):
    """There is no result where someone looked for one; says where, and what to do."""


@dataclass(frozen=True)
class FoundRun:
    """One run, read and validated.

    Args:
        path: the run file, or the journal of a run that has not ended.
        reference: what `show` finds it by, FINGERPRINT/NNNN_NAME;
            of one that has not ended "FINGERPRINT, unfinished".
        data: the run file; of an unfinished run what the journal has of it, in the same form.
        finished: False for a run that has not ended, or was interrupted.
    """

    path: Path
    reference: str
    data: dict[str, Any]
    finished: bool


@dataclass(frozen=True)
class Unusable:
    """A file that cannot be used, and why, in one sentence that names it."""

    path: Path
    reason: str


def list_files(sources: Sequence[str | Path]) -> list[Path]:
    """Return the run files and journals that `sources` mean, each once, in their order.

    Args:
        sources: results folders, folders of one machine, files, globs.

    Raises:
        NothingFoundError: one of them means nothing.
    """
    found = (path for source in sources for path in _list_source(source))
    return list(dict.fromkeys(found))


def read_runs(sources: Sequence[str | Path]) -> tuple[list[FoundRun], list[Unusable]]:
    """Read all runs that `sources` mean; a file that is damaged or too new costs no other one.

    Raises:
        NothingFoundError: one of the sources means nothing.
    """
    runs: list[FoundRun] = []
    unusable: list[Unusable] = []
    for path in list_files(sources):
        try:
            runs += _read_unfinished(path) if path.name == store.JOURNAL else [_read_stored(path)]
        except (RecordError, StoreError) as problem:
            unusable.append(Unusable(path, str(problem)))
    return runs, unusable


def _list_source(source: str | Path) -> Iterator[Path]:
    path = Path(source)
    if path.is_dir():
        yield from _list_folder(path)
    elif path.is_file():
        yield path
    else:
        yield from _list_glob(str(source))


def _list_folder(folder: Path) -> list[Path]:
    """List the runs of a results folder, or of one machine's folder in it."""
    machine = Store(folder.absolute().parent)
    inside = [run.path for run in Store(folder).runs()] or [run.path for run in machine.runs(folder.name)]
    own = folder / store.JOURNAL
    journals = [*Store(folder).journals(), *([own] if own.is_file() else [])]
    if not inside and not journals:
        raise NothingFoundError(
            f"no results in {folder}; run a benchmark first (pytest benchmarks), or name another folder"
        )
    return [*inside, *journals]


def _list_glob(pattern: str) -> Iterator[Path]:
    matches = sorted(glob.glob(pattern))  # noqa: PTH207 (Path.glob takes no absolute pattern)
    if not matches:
        raise NothingFoundError(
            f"no results at {pattern}: no such folder or file, and no file fits it as a glob"
        )
    for match in matches:
        path = Path(match)
        yield from _list_folder(path) if path.is_dir() else [path]


def _read_stored(path: Path) -> FoundRun:
    data = read_run(path)
    schema.check_run(data, path)
    for record in list_records(data):
        _check_size(record, str(path))
    finished = "energy" not in data or data["energy"]["finished"] is not None
    return FoundRun(path, f"{path.absolute().parent.name}/{path.stem}", data, finished)


def _read_unfinished(path: Path) -> list[FoundRun]:
    """Return the runs of a journal that have begun, have a case, and have not ended."""
    left = [run for run in journal.list_runs(path) if run.end is None and run.records]
    return [_as_run(path, run) for run in left]


def _as_run(path: Path, run: journal.JournalRun) -> FoundRun:
    """Give what a journal has of a run the form of a run file."""
    for record in run.records:
        if not schema.is_valid(record):
            schema.check_record(record, f"{path}: run {run.id}, case {record.get('case')}")
        _check_size(record, str(path))
    data = {
        "machine_info": {},
        "commit_info": run.start.get("commit_info", {"id": None, "dirty": False}),
        "benchmarks": [{"extra_info": {"energy": record}} for record in run.records],
        "datetime": str(run.start.get("time", "")),
        "energy": {**run.start["energy"], "finished": None},
    }
    return FoundRun(path, f"{path.absolute().parent.name}, unfinished", data, finished=False)


def _check_size(record: Mapping[str, Any], where: str) -> None:
    """Refuse a whole number of hundreds of digits: JSON and its schema allow it, no float holds it."""
    for name, figure in record["metrics"].items():
        ends = (*(figure["ci95"] or ()), *(figure.get("band") or ()))
        for value in (figure["mean"], *figure["values"], *ends):
            if isinstance(value, int) and abs(value) > sys.float_info.max:
                raise RecordError(f"{where}: {name[:80]}: a number beyond 1e308; repair or delete the file")
