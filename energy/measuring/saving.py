"""The files that a run leaves: proven to be writable before it measures anything, written once it is over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from energy.measuring.recorder import Recorder
from energy.records.storage import runfile
from energy.records.storage.commit import read_commit
from energy.records.storage.files import prove_output
from energy.records.storage.runfile import StoreError
from energy.records.storage.store import Store


def prepare(store: Store | None, fingerprint: str, json_path: Path | None) -> None:
    """Make the folders of a run, and prove that files can be written there.

    Args:
        store: the results folder; None: the run is not saved.
        fingerprint: of the machine, whose folder it is.
        json_path: one more file that the user asked for, or None.

    Raises:
        StoreError: they cannot be.
    """
    if store is not None:
        store.prepare(fingerprint)
    if json_path is None:
        return
    try:
        prove_output(json_path)
    except OSError as problem:
        raise StoreError(f"{json_path} cannot be written ({problem.strerror or problem})") from problem


def write(
    records: Sequence[Mapping[str, Any]],
    block: Mapping[str, Any],
    recorder: Recorder,
    *,
    store: Store | None,
    name: str | None,
    json_path: Path | None,
    sources: Sequence[Path] = (),
) -> Path | None:
    """Write the files of a run; return the one in the results folder, None if the run is not saved.

    An unfinished run gets its files, too, but no end in the journal: `--energy-resume` goes on with it. Code
    below `sources`, the folders of what was measured, that the named commit does not hold makes it dirty.
    """
    run = runfile.as_pytest_benchmark(records, block, commit=read_commit(sources))
    written = None if store is None else store.write(run, name)
    if written is not None and block["finished"] is not None:
        recorder.end(written)
    if json_path is not None:
        runfile.write_run(run, json_path)
    return written
