"""Join the run files of shards, or of any parts of a suite, into one that could be of a single run.

Only what belongs together is joined: one hardware and set of meters, one software, data set, budget, commit
and code. Figures stay as they are; nothing is averaged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from energy.records.keys import short_hash
from energy.records.storage import runfile
from energy.records.storage.runfile import StoreError, list_records, shorten_commit, sort_as_collected

Run = Mapping[str, Any]
Record = dict[str, Any]

# Of the file-level block: what must be equal, and in which words a user knows it.
OF_THE_RUN = {
    "fingerprint": "hardware or meters",
    "suite_version": "version of joulebench",
    "grid_g_per_kwh": "grid factor",
}
# Of every record: what is the same for all cases of a run, if a run has one of it.
OF_THE_CASES = ("keys, software", "keys, data", "budget")
# What one run says of itself, and the joined file says of each.
OF_EACH = ("run", "started", "finished", "command", "idle", "instrument", "order", "shard")
# What a verdict was about is one of the runs; the whole is for `check` to judge.
NOT_OF_THE_WHOLE = ("instrument", "order", "shard", "gated", "confirmation")


class MergeError(StoreError):
    """The runs do not belong together; says which, and what differs."""


def merge_runs(runs: Mapping[str, Run], *, partial: bool = False) -> dict[str, Any]:
    """Return one run file.

    Args:
        runs: two or more parsed run files, by their paths.
        partial: whether shards may be missing, and runs interrupted.

    Raises:
        MergeError: they do not belong together.
        RecordError: a record is not valid.
    """
    if len(runs) < 2:
        raise MergeError("one run file is whole by itself; name two or more")
    for name, run in runs.items():
        if "energy" not in run:
            raise MergeError(f"{name}: a plain file of pytest-benchmark, which has no records to join")
    _check_origins(runs)
    _check_runs(runs)
    _check_cases(runs)
    _check_code(runs)
    _check_shards(runs, partial=partial)
    first = next(iter(runs.values()))
    kept, left_out = _join(runs)
    block = _make_block(runs, left_out)
    time = max(str(run["datetime"]) for run in runs.values())
    info = {"machine": first["machine_info"], "commit": first["commit_info"], "time": time}
    return runfile.as_pytest_benchmark(_in_order(kept, runs), block, **info)


def _check_runs(runs: Mapping[str, Run]) -> None:
    for field, words in OF_THE_RUN.items():
        _check_same(words, {name: run["energy"].get(field) for name, run in runs.items()})
    _check_same("commit", {name: _commit(run) for name, run in runs.items()})


def _commit(run: Run) -> str:
    commit = run["commit_info"]
    return f"{commit['id']}{' with changes' if commit['dirty'] else ''}"


def _check_cases(runs: Mapping[str, Run]) -> None:
    """Refuse different values of what all cases of a task have in common within each of the runs."""
    tasks = {record["task"] for run in runs.values() for record in list_records(run)}
    for task in sorted(tasks):
        for field in OF_THE_CASES:
            values = {name: list(_find_values(run, task, field)) for name, run in runs.items()}
            if all(len(found) <= 1 for found in values.values()):
                _check_same(f"{field} of {task}", {name: found[0] for name, found in values.items() if found})


def _check_code(runs: Mapping[str, Run]) -> None:
    """Refuse runs of checkouts that no commit describes, unless a case of both tells that their code is one.

    The code of a case is that of its own recipe: of two different cases it says nothing. That of a case that
    two runs have is compared when they are joined.
    """
    codes = {
        name: {(one["case"], one["task"]): one.get("code") for one in list_records(run)}
        for name, run in runs.items()
    }
    first, *others = runs
    commit = runs[first]["commit_info"]
    if not commit["dirty"] and shorten_commit(commit) != str(commit["id"]):
        return
    for other in others:
        known = [{case for case, code in codes[name].items() if code is not None} for name in (first, other)]
        if all(known) and not set.intersection(*known):
            raise MergeError(
                f"{first} and {other} are of a checkout that no commit describes ({_commit(runs[first])}), "
                "and have no case in common, so nothing tells that their code was the same; "
                "commit before measuring, or measure one case (the reference) in each"
            )


def _find_values(run: Run, task: str, field: str) -> Iterator[Any]:
    """Yield the different values of a field ("keys, data") in the records of one task."""
    seen: list[Any] = []
    for record in list_records(run):
        value: Any = record
        for step in field.split(", "):
            value = value.get(step) if value is not None else None
        if record["task"] == task and value not in seen:
            seen.append(value)
            yield value


def _check_same(what: str, values: Mapping[str, Any]) -> None:
    """Refuse values that are not all equal, and name the first run that is not like the first."""
    names = list(values)
    for name in names[1:]:
        if values[name] != values[names[0]]:
            raise MergeError(
                f"mixed {what}: {values[names[0]]} in {names[0]}, {values[name]} in {name}; "
                "only runs under equal conditions make one"
            )


def _check_origins(runs: Mapping[str, Run]) -> None:
    """Refuse a run that is there twice."""
    paths: dict[str, str] = {}
    for path, run in runs.items():
        if other := paths.get(run["energy"]["run"]):
            raise MergeError(f"{other} and {path} are the same run; name each once")
        paths[run["energy"]["run"]] = path


def _check_shards(runs: Mapping[str, Run], *, partial: bool) -> None:
    """Refuse shards that do not make the whole, each once."""
    for name, run in runs.items():
        if run["energy"]["finished"] is None and not partial:
            raise MergeError(f"{name} was interrupted; go on with it (--energy-resume), or give --partial")
    shards = {name: run["energy"].get("shard") for name, run in runs.items()}
    if all(shard is None for shard in shards.values()):
        return
    _check_same(
        "shards", {name: shard and (shard["count"], shard["cases"]) for name, shard in shards.items()}
    )
    numbers: dict[int, str] = {}
    for name, shard in shards.items():
        if other := numbers.get(shard["number"]):
            raise MergeError(f"{other} and {name} are the same shard, {shard['number']}/{shard['count']}")
        numbers[shard["number"]] = name
    missing = [
        f"{number}/{shard['count']}" for number in range(1, shard["count"] + 1) if number not in numbers
    ]
    if missing and not partial:
        raise MergeError(f"shard {', '.join(missing)} is missing; name its file, too, or give --partial")


def _join(runs: Mapping[str, Run]) -> tuple[list[Record], dict[str, list[str]]]:
    """Return every case once, and by run the references that another run has, too."""
    kept: dict[tuple[str, str], tuple[str, Record]] = {}
    left_out: dict[str, list[str]] = {name: [] for name in runs}
    for name, run in runs.items():
        for record in list_records(run):
            key = (record["case"], record["task"])
            if key not in kept:
                kept[key] = (name, record)
                continue
            loser = _loser(kept[key], (name, record))
            left_out[loser].append(record["case"])
            if loser != name:
                kept[key] = (name, record)
    return [record for _, record in kept.values()], left_out


def _loser(first: tuple[str, Record], second: tuple[str, Record]) -> str:
    """Return which of two runs with one case need not have it.

    A test asked for the case; a case that asked for its reference made it be trained, in every shard. The
    first of two references stays, unless only the second went well.
    """
    (name, early), (other, late) = first, second
    if early == late:
        return other
    _check_same(f"code of {early['case']}", {name: early.get("code"), other: late.get("code")})
    # Else the seeds of the one that goes would be lost without a word.
    seeds = {name: early["budget"].get("seeds"), other: late["budget"].get("seeds")}
    _check_same(f"seeds of {early['case']}", seeds)
    asked = early["node"] is not None, late["node"] is not None
    if all(asked):
        raise MergeError(f"{early['case']} was measured in {name} and in {other}; leave one of them out")
    if any(asked):
        return other if asked[0] else name
    return name if early["status"] != "ok" and late["status"] == "ok" else other


def _in_order(records: Sequence[Record], runs: Mapping[str, Run]) -> list[Record]:
    """Return the records as one run of all would have them: as collected, as far as that is known."""
    shards = [run["energy"]["shard"] for run in runs.values() if run["energy"].get("shard")]
    collected = shards[0]["cases"] if shards else []
    places = sort_as_collected([record["case"] for record in records], collected)
    return [records[place] for place in places]


def _make_block(runs: Mapping[str, Run], left_out: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Return the file-level block: what is common, and of each run what it says of itself."""
    blocks = {name: run["energy"] for name, run in runs.items()}
    first = next(iter(blocks.values()))
    common = {field: value for field, value in first.items() if field not in NOT_OF_THE_WHOLE}
    ends = [block["finished"] for block in blocks.values()]
    selections = [block["selection"] for block in blocks.values() if "selection" in block]
    return common | {
        "run": short_hash([block["run"] for block in blocks.values()]),
        "started": min(block["started"] for block in blocks.values()),
        "finished": None if None in ends else max(ends),
        # Records are shared: of a path only its end goes into them.
        "command": f"joulebench merge {' '.join(map(_short, runs))}",
        "idle": None,  # each machine has its own, see `merged`
        **({"selection": _selection(selections)} if len(selections) == len(blocks) else {}),
        "merged": [
            {field: block[field] for field in OF_EACH if field in block}
            | {"cases": _names(runs[name]), "left_out": list(left_out[name])}
            for name, block in blocks.items()
        ],
    }


def _short(path: str) -> str:
    return f"{Path(path).parent.name}/{Path(path).stem}"


def _names(run: Run) -> list[str]:
    return [record["case"] for record in list_records(run)]


def _selection(selections: Sequence[Mapping[str, Sequence[str]]]) -> dict[str, list[str]]:
    """Return what all runs together were asked for: left out is what each of them left out."""
    return {
        "paths": _union(selection["paths"] for selection in selections),
        "ignored": sorted(set.intersection(*(set(selection["ignored"]) for selection in selections))),
        "deselected": sorted(set.intersection(*(set(selection["deselected"]) for selection in selections))),
    }


def _union(lists: Iterable[Sequence[str]]) -> list[str]:
    return list(dict.fromkeys(word for words in lists for word in words))
