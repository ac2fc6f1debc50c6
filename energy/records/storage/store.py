"""The results folder: run files `ROOT/FINGERPRINT/NNNN_COMMIT.json`, written whole, and found again."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from energy.records.schema import RecordError, check_run, to_json
from energy.records.storage.files import prove_writable, write_whole
from energy.records.storage.index import Index, tell_nobody
from energy.records.storage.runfile import StoreError, list_records, read_run, shorten_commit
from energy.records.summary import RunSummary
from energy.text import explain_unknown

JOURNAL = "journal.jsonl"
MOST_NAMED = 8

# What a run leaves beside its run files, and nobody wants to commit.
_IGNORE = f"# Crash insurance; what it holds is in the run files once a run has ended.\n{JOURNAL}\n.*.tmp\n"

_RUN_FILE = re.compile(r"(\d{4,})_(.+)\.json")


LONGEST_NAME = 200  # bytes, of the 255 that file systems give a name: number and ending come to it


def check_name(name: str) -> None:
    """Refuse a name that cannot be part of a file's; ValueError."""
    if not re.fullmatch(r"[\w.+-]+", name):
        raise ValueError(f"name of a run {name!r}: expected letters, digits and . _ + - only")
    if len(name.encode()) > LONGEST_NAME:
        raise ValueError(
            f"name of a run {name[:20]}...: {len(name)} letters, expected {LONGEST_NAME} or less"
        )


@dataclass(frozen=True)
class RunFile:
    """Name one stored run, unread. `reference` ("FINGERPRINT/0007") finds it again."""

    path: Path
    fingerprint: str
    number: int

    @property
    def reference(self) -> str:
        """Return the short name under which `Store.find` finds this run."""
        return f"{self.fingerprint}/{self.number:04}"


@dataclass(frozen=True)
class StoredCase:
    """Hold one record and the run it came from."""

    record: dict[str, Any]
    run: RunFile


@dataclass(frozen=True)
class Store:
    """Keep the run files of all machines under one root folder.

    Args:
        root: the folder.
        say: is told what is wrong with files that nobody named, and with the index.
    """

    root: Path
    say: Callable[[str], None] = tell_nobody

    def prepare(self, fingerprint: str) -> Path:
        """Create the machine's folder and prove that it can be written. Call before anything is measured.

        A folder that this call creates gets a .gitignore for the journal: results are meant to be committed,
        the journal is not. A folder that exists is left as its owner has it.

        Raises:
            StoreError: it cannot be created or written.
        """
        folder = self.root / fingerprint
        is_new = not folder.exists()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            prove_writable(folder)
            if is_new:
                (folder / ".gitignore").write_text(_IGNORE, encoding="utf-8")
        except OSError as problem:
            raise StoreError(
                f"results folder {folder} cannot be written: {problem.strerror or problem}; "
                "name another folder, or change the rights of this one"
            ) from problem
        return folder

    def journal(self, fingerprint: str) -> Path:
        """Return the path of the machine's journal, which need not exist."""
        return self.root / fingerprint / JOURNAL

    def journals(self) -> list[Path]:
        """List the journals that exist."""
        return sorted(self.root.glob(f"*/{JOURNAL}"))

    def write(self, run: Mapping[str, Any], name: str | None = None) -> Path:
        """Validate a run file and write it whole, named by the next number and `name` (default: the commit).

        Raises:
            RecordError: the run is not valid; nothing was written.
            StoreError: the folder cannot be written.
            ValueError: `name` cannot be part of a file name.
        """
        check_run(run, "new run file")
        if "energy" not in run:
            raise RecordError("new run file: no energy block; only files of ours are written here")
        suffix = name if name is not None else _commit(run)
        check_name(suffix)
        text = to_json(run, "new run file", indent=1) + "\n"
        folder = self.prepare(run["energy"]["fingerprint"])
        try:
            path = _write_numbered(folder, suffix, text)
        except OSError as problem:
            raise StoreError(f"results folder {folder} cannot be written: {problem}") from problem
        with self.index() as index:
            index.add(path)
        return path

    def runs(self, fingerprint: str | None = None) -> list[RunFile]:
        """List the stored runs, oldest first within each machine, without reading them."""
        found = (_run_file(path) for path in self.root.glob("*/*.json"))
        runs = [run for run in found if run and fingerprint in (None, run.fingerprint)]
        return sorted(runs, key=lambda run: (run.fingerprint, run.number, run.path.name))

    def matching(self, name: str, fingerprint: str | None = None) -> list[RunFile]:
        """List the runs, of one machine or of all, that have this name, or one that this glob fits."""
        runs = self.runs(fingerprint)
        return [run for run in runs if any(fnmatch.fnmatchcase(own, name) for own in _list_names(run))]

    def find(self, reference: str | None = None) -> Path:
        """Return the one run file that `reference` means.

        Args:
            reference: a path; a number "0007"; "FINGERPRINT/0007"; a file's name; its saved name, a
                fingerprint or a glob (the newest that fits); None for the newest of all.

        Raises:
            StoreError: nothing matches (with the nearest names), or runs of several machines do.
        """
        if reference is not None and Path(reference).is_file():
            return Path(reference)
        runs = self.runs()
        if not runs:
            raise StoreError(
                f"no results in {self.root}; run a benchmark first, or name another by --storage"
            )
        if reference is None:
            return self._find_newest(runs)
        matches = self.matching(reference)
        if not matches:
            known = sorted({name for run in runs for name in _list_names(run)})
            shown = [run.reference for run in runs[-MOST_NAMED:]]
            raise StoreError(f"{explain_unknown('run', reference, known, shown)}; searched in {self.root}")
        if len({run.fingerprint for run in matches}) > 1:
            choices = ", ".join(run.reference for run in matches)
            raise StoreError(f"run {reference!r} means several runs: {choices}; say which")
        return matches[-1].path

    def _find_newest(self, runs: Sequence[RunFile]) -> Path:
        """Return the file of the newest run of all machines; others that cannot be read are told.

        Raises:
            RecordError, StoreError: none can be read; or the last one of that machine cannot, and it may be
                the one that was meant.
        """
        newest: dict[str, RunSummary] = {}
        problems: dict[str, Exception] = {}  # of the last file of a machine
        with self.index() as index:
            for run in reversed(runs):
                if run.fingerprint in newest:
                    continue
                try:
                    # The file's own time would be that of the checkout.
                    newest[run.fingerprint] = index.summary(run.path, ())
                except (RecordError, StoreError) as problem:
                    problems.setdefault(run.fingerprint, problem)
        if not newest:
            raise problems[runs[-1].fingerprint]
        found = max(newest.values(), key=lambda run: run.datetime).path
        if found.parent.name in problems:
            raise problems[found.parent.name]
        for skipped in problems.values():
            self.say(f"skipped {skipped}")
        return found

    def index(self) -> Index:
        """Return the index of the run files, to be used in a `with`."""
        return Index(self.root, self.say)

    def summary(self, path: Path) -> RunSummary:
        """Return what a comparison needs of a run file, from the index if that has it.

        Raises:
            RecordError: the file is not valid.
            StoreError: it cannot be read.
        """
        with self.index() as index:
            return index.summary(path)

    def load(self, path: Path) -> dict[str, Any]:
        """Read and validate a run file; RecordError names what is wrong with it."""
        data = read_run(path)
        check_run(data, path)
        return data

    def records(self, fingerprint: str | None = None) -> Iterator[StoredCase]:
        """Yield every stored record, newest run of each machine first."""
        for run in reversed(self.runs(fingerprint)):
            for record in list_records(self.load(run.path)):
                yield StoredCase(record, run)

    def latest_case(
        self,
        case: str,
        keys: Mapping[str, str],
        task: str = "training",
        code: str | None = None,
        seeds: Collection[int] = (),
    ) -> StoredCase | None:
        """Return the newest record of `case` with status ok whose keys all equal `keys`, or None.

        A file that cannot be used is passed over: `list` names it.

        Args:
            case: its name.
            keys: all of them.
            task: of the case.
            code: its digest, which must be equal, too; None if any will do.
            seeds: each of which it must have; it may have more.
        """
        wanted = {"case": case, "task": task, "status": "ok", "keys": dict(keys)}
        wanted |= {} if code is None else {"code": code}
        with self.index() as index:
            for run in reversed(self.runs()):
                found = index.try_summary(run.path, metrics=())
                for number, known in enumerate(() if found is None else found.cases):
                    if _fits(vars(known), wanted) and set(seeds) <= set(known.seeds):
                        return StoredCase(list_records(self.load(run.path))[number], run)
        return None


def _write_numbered(folder: Path, suffix: str, text: str) -> Path:
    """Write `text` to the next free number: a claimed temporary file, fsynced, then renamed."""
    claim, number = _claim(folder)
    path = folder / f"{number:04}_{suffix}.json"
    write_whole(path, text, claim)
    return path


def _claim(folder: Path) -> tuple[Path, int]:
    """Create `.NNNN.tmp` for the next free number, so that no other process can take that number.

    The temporary file is the claim. A process that listed the folder before another one renamed its claim
    could still claim the same number; it sees the other's run file when it looks again, and goes on.
    """
    number = max(_numbers(folder), default=0)
    while True:
        number += 1
        claim = folder / f".{number:04}.tmp"
        try:
            claim.touch(exist_ok=False)
        except FileExistsError:
            continue
        if number not in _numbers(folder):
            return claim, number
        claim.unlink()


def _numbers(folder: Path) -> set[int]:
    """Return the numbers of the run files in a folder."""
    return {run.number for run in map(_run_file, folder.glob("*.json")) if run}


def _fits(case: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Tell whether all `wanted` fields of a case are equal."""
    return all(case.get(field) == value for field, value in wanted.items())


def _run_file(path: Path) -> RunFile | None:
    """Return what a path says of its run; None for a file of another name."""
    match = _RUN_FILE.fullmatch(path.name)
    return RunFile(path, path.parent.name, int(match[1])) if match else None


def _list_names(run: RunFile) -> list[str]:
    """Return every name that means this run."""
    stem = run.path.stem
    number, saved_as = stem.split("_", 1)
    short = [number, stem, run.path.name, saved_as]
    return [*short, *(f"{run.fingerprint}/{name}" for name in short), run.fingerprint]


def _commit(run: Mapping[str, Any]) -> str:
    """Return the short commit of a run, marked where the checkout held more than the commit."""
    commit = run["commit_info"]
    return f"{shorten_commit(commit)}{'+dirty' if commit['dirty'] else ''}"
