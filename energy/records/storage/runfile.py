"""One run as a file: a superset of pytest-benchmark's format, so that its own command line reads it."""

import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from energy.records.migration import update_run
from energy.records.schema import RecordError, check_record, check_run, is_plain, to_json
from energy.records.storage.files import write_whole
from energy.text import parse_json


class StoreError(Exception):
    """The results folder cannot be used, or holds no such run; says what was asked and what to do."""


def as_pytest_benchmark(
    records: Sequence[Mapping[str, Any]],
    energy: Mapping[str, Any],
    *,
    machine: Mapping[str, Any] | None = None,
    commit: Mapping[str, Any] | None = None,
    time: str | None = None,
) -> dict[str, Any]:
    """Return the run file of `records`; `energy` is its file-level block.

    The seconds of each round come from the record: metrics.seconds.values, or error.seconds of a case that
    failed before its first round ended. `machine`, `commit` and `time` (ISO 8601) default to this machine,
    this checkout and now.

    Raises:
        RecordError: a record is not valid.
    """
    # Not needed to read results, so not imported for that.
    import pytest_benchmark
    from pytest_benchmark.utils import get_commit_info

    return {
        "machine_info": dict(machine if machine is not None else describe_machine(energy)),
        "commit_info": dict(commit if commit is not None else get_commit_info()),  # type: ignore[no-untyped-call]  # theirs
        "benchmarks": [_make_entry(record) for record in records],
        "datetime": time or datetime.now(UTC).isoformat(),
        "version": pytest_benchmark.__version__,
        "energy": dict(energy),
    }


def write_run(run: Mapping[str, Any], path: Path) -> None:
    """Write a run file whole or not at all, to any path; an earlier file of that name is replaced.

    Raises:
        RecordError: the run is not valid; nothing was written.
        OSError: the file cannot be written.
    """
    check_run(run, path)
    text = to_json(run, str(path), indent=1) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text)


def describe_machine(energy: Mapping[str, Any]) -> dict[str, Any]:
    """Return pytest-benchmark's machine_info without host name and without what changes from run to run.

    pytest-benchmark warns of any difference between two of them; its own holds the momentary clock rate.
    """
    return {
        "node": energy["fingerprint"],
        "processor": platform.processor(),
        "machine": platform.machine(),
        "python_compiler": platform.python_compiler(),
        "python_implementation": platform.python_implementation(),
        "python_implementation_version": platform.python_version(),
        "python_version": platform.python_version(),
        "python_build": list(platform.python_build()),
        "release": platform.release(),
        "system": platform.system(),
        "cpu": {"brand_raw": energy["hardware"].get("cpu")},
        "hardware": dict(energy["hardware"]),
    }


def _make_entry(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return one entry of the list of benchmarks.

    pytest-benchmark drops failed cases, and its compare breaks on an entry without seconds. A failed case
    stays here with the seconds until it failed, but in a group and under a name nobody mistakes.
    """
    check_record(record, f"case {record.get('case')}")
    case, task, status = record["case"], record["task"], record["status"]
    node = record.get("node") or f"benchmarks/test_{task}.py::test_{task}[{case}]"
    mark = "" if status == "ok" else f" {status}"
    return {
        "group": task if status == "ok" else f"{task}, failed",
        "name": node.rpartition("::")[2] + mark,
        "fullname": node + mark,
        "params": {"arch": record["arch"], "technique": record["technique"]},
        "param": case,
        "extra_info": {"energy": dict(record)},
        "options": {"disable_gc": False, "timer": "monotonic", "min_rounds": 1, "warmup": False},
        "stats": _find_stats(_list_rounds(record)),
    }


def _list_rounds(record: Mapping[str, Any]) -> list[float]:
    """Return the wall seconds of each round that ended; of a case without one, those until it failed."""
    seconds = record["metrics"].get("seconds", {"values": []})["values"]
    ended = [value for value in seconds if value is not None]
    return ended or [record["error"]["seconds"]]


def _find_stats(seconds: Sequence[float]) -> dict[str, Any]:
    """Return pytest-benchmark's statistics, by its own code."""
    from pytest_benchmark.stats import Stats

    stats: Any = Stats()  # type: ignore[no-untyped-call]  # theirs: pytest-benchmark has no types
    for value in seconds:
        stats.update(value)
    return {**stats.as_dict(), "data": list(seconds), "iterations": 1}


def read_run(path: Path) -> dict[str, Any]:
    """Read a results file and check that it is one that this version reads, without validating the rest.

    Raises:
        RecordError: not JSON, not a results file, or of a newer schema.
        StoreError: the file cannot be read.
    """
    try:
        data: dict[str, Any] = parse_json(path.read_bytes(), parse_constant=_refuse)
    except OSError as problem:
        raise StoreError(f"{path} cannot be read: {problem.strerror}") from problem
    except ValueError as problem:
        raise RecordError(f"{path}: damaged, not JSON: {problem}; restore or delete it") from problem
    is_plain(data, path)
    update_run(data)
    return data


def _refuse(constant: str) -> None:
    """Take no NaN or infinity from a file: Python's reader knows them, JSON does not."""
    raise ValueError(f"{constant}; expected null with a reason")


def list_records(run: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the case records of a run file; a plain pytest-benchmark file has none."""
    extras = (benchmark.get("extra_info", {}) for benchmark in run["benchmarks"])
    return [extra["energy"] for extra in extras if "energy" in extra] if "energy" in run else []


def shorten_commit(commit: Mapping[str, Any]) -> str:
    """Return the first 8 digits of a commit's hash, or the word that stands in its place ("unversioned")."""
    name = str(commit.get("id"))
    return name[:8] if re.fullmatch(r"[0-9a-f]{40}", name) else re.sub(r"[^\w.-]", "-", name)


def sort_as_collected(names: Iterable[str], collected: Sequence[str]) -> list[int]:
    """Return the places of `names`, in the order of measuring, once they are in the order of collection.

    What was measured without being collected (a reference that a case asked for) stands before the case that
    asked for it; what was measured before any case had ended stands first.

    >>> sort_as_collected(["u", "b", "rung", "a"], ["a", "b"])
    [0, 2, 3, 1]
    """
    measured = list(names)
    place = {name: number for number, name in enumerate(collected)}
    keys: list[int] = []
    asker = len(collected)
    for name in reversed(measured):
        asker = place.get(name, asker)
        keys.append(asker)
    keys.reverse()
    first = next((number for number, name in enumerate(measured) if name in place), len(measured))
    keys[:first] = [-1] * first
    # A stable sort: what was asked for stays before its asker.
    return sorted(range(len(measured)), key=keys.__getitem__)
