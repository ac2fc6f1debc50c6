"""What may stand in one table: one task, one machine with its meters, one budget, one set of data."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from energy.records import provenance
from energy.records.storage.gather import FoundRun
from energy.records.storage.runfile import list_records, shorten_commit
from energy.records.volumes import list_seeds
from energy.report.seeds import Labelled
from energy.report.words import LONGEST_NAME, LONGEST_OF_MANY, clipped, slim

Record = Mapping[str, Any]

# Cases beyond which their names are clipped more.
MANY = 1000

# What a budget has in which two records may differ and still be compared.
_MAY_DIFFER = ("seeds",)


@dataclass(frozen=True)
class Entry:
    """The newest record of a case, and the run that it is of.

    Args:
        record: its parts that tables show, their texts clipped.
        run: where it stands.
        datetime: when that run was stored, ISO 8601.
        commit: what it was made from, in short.
        budget: what the case was allowed, without the seeds.
        data: key of the data; empty where a task has none.
        whole: the record as it stands in the file, texts of any length and all.
    """

    record: Record
    run: FoundRun
    datetime: str
    commit: str
    budget: Mapping[str, Any]
    data: str
    whole: Record = field(default_factory=dict)

    @property
    def case(self) -> str:
        """The case's name."""
        return str(self.record["case"])

    @property
    def usable(self) -> bool:
        """Whether the case went well and nothing speaks against its figures."""
        return self.record["status"] == "ok" and bool(self.record["validity"]["ok"])

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of its repeats; empty where a task has none."""
        return list_seeds(self.whole) if "budget" in self.whole else ()

    def values(self, metric: str) -> list[float]:
        """Return a metric that is known, one per repeat."""
        values = self.record["metrics"][metric]["values"]
        return [float(value) for value in values if value is not None]

    def labelled(self, metric: str) -> Labelled:
        """Return what the mean of a known metric is over: the volumes of folds, else repeats and seeds."""
        by_volume = self.record["metrics"][metric].get("by_volume")
        if by_volume:
            return [float(value) for value in by_volume.values()], list(by_volume)
        return self.values(metric), self.seeds

    def mean(self, metric: str) -> float | None:
        """Return the mean of a metric; None if it is unknown."""
        value = self.record["metrics"].get(metric, {}).get("mean")
        return None if value is None else float(value)


@dataclass(frozen=True)
class Group:
    """Cases whose figures may be compared.

    Args:
        fingerprint: of machine and meters.
        machine: label for people, with the enforced power limit of a GPU.
        kind: how the joules were got: measured, modelled or mixed; None if no case has any.
        boundary: what they are of: process, machine or, of before, process+machine; None likewise.
        sources: the meters behind them, each with its kind where they differ.
        task: training, inference, ...
        budget: what all cases were allowed, without the seeds.
        data: key of the data; empty where a task has none.
        entries: newest record of each case, in the order of the files.
        idle: what the machine drew before the first case of the newest run.
    """

    fingerprint: str
    machine: str
    kind: str | None
    boundary: str | None
    sources: tuple[str, ...]
    task: str
    budget: Mapping[str, Any]
    data: str
    entries: tuple[Entry, ...]
    idle: Mapping[str, Any] | None

    @property
    def told(self) -> str:
        """How the joules were got and of what, in words: "modelled from CPU time, process"."""
        if self.kind is None or self.boundary is None:
            return "not metered"
        return f"{provenance.describe_kind(self.kind, self.sources)}, {self.boundary}"

    @property
    def setting(self) -> str:
        """Budget and data in words: "12 epochs of 96 slices at 64 px, batch 8, data 1148f069"."""
        return ", ".join(_setting(self.budget, self.data)) or "no budget recorded"


def of_runs(runs: Sequence[FoundRun]) -> tuple[Group, ...]:
    """Sort the newest record of each case into groups; the largest group first.

    A case that someone interrupted takes the place of none that ended. Plain files of pytest-benchmark have
    no energy and are left out.
    """
    newest: dict[tuple[str, str], Entry] = {}
    many = sum(len(run.data["benchmarks"]) for run in runs) > MANY
    longest = LONGEST_OF_MANY if many else LONGEST_NAME
    oldest_first = sorted(runs, key=lambda run: str(run.data.get("datetime", "")))
    for run in oldest_first:
        for record in list_records(run.data):
            key = _family(run, record), record["case"]
            if record["status"] != "interrupted" or key not in newest:
                newest[key] = _entry(run, record, longest)
    families: dict[str, list[Entry]] = {}
    for (family, _), entry in newest.items():
        families.setdefault(family, []).append(entry)
    groups = [group for entries in families.values() for group in _groups(entries)]
    return tuple(sorted(groups, key=lambda group: -len(group.entries)))


def _entry(run: FoundRun, record: Record, longest_name: int) -> Entry:
    commit = run.data.get("commit_info", {})
    dirty = " with changes" if commit.get("dirty") else ""
    return Entry(
        record=slim(record, longest_name),
        run=run,
        datetime=clipped(str(run.data.get("datetime", ""))),
        commit=clipped(shorten_commit(commit)) + dirty,
        budget=_budget(record),
        data=clipped(record["keys"].get("data", "")),
        whole=record,
    )


def _family(run: FoundRun, record: Record) -> str:
    """Return what the records of a group share, apart from how their joules were got."""
    keys = (
        run.data["energy"]["fingerprint"],
        record["task"],
        _budget(record),
        record["keys"].get("data", ""),
    )
    return json.dumps(keys, sort_keys=True)


def _budget(record: Record) -> dict[str, Any]:
    return {name: value for name, value in record["budget"].items() if name not in _MAY_DIFFER}


def _groups(entries: Sequence[Entry]) -> Iterator[Group]:
    """Part a family by how its joules were got, and of what.

    A case that was not metered goes with the most of them.
    """
    made_of = [provenance.find_provenance(entry.record) for entry in entries]
    kinds = [None if source is None else (source.kind, source.boundary) for source in made_of]
    known = [kind for kind in kinds if kind is not None]
    most = max(dict.fromkeys(known), key=known.count, default=None)
    for kind in dict.fromkeys(kind or most for kind in kinds):
        chosen = [entry for entry, own in zip(entries, kinds, strict=True) if (own or most) == kind]
        yield _group(chosen, *(kind or (None, None)))


def _group(entries: Sequence[Entry], kind: str | None, boundary: str | None) -> Group:
    newest = max(entries, key=lambda entry: entry.datetime)
    block = newest.run.data["energy"]
    made_of = (provenance.find_provenance(entry.record) for entry in entries)
    sources = {source for made in made_of if made for source in made.sources}
    return Group(
        fingerprint=clipped(block["fingerprint"]),
        machine=clipped(machine(block)),
        kind=kind,
        boundary=boundary,
        sources=tuple(name if own == kind else f"{name} ({own})" for name, own in sorted(sources)),
        task=newest.record["task"],
        budget=newest.budget,
        data=newest.data,
        entries=tuple(entries),
        idle=block["idle"],
    )


def machine(block: Mapping[str, Any]) -> str:
    """Name a machine for people: GPUs with their enforced power limit, else the CPU.

    >>> machine({"hardware": {"gpus": [{"name": "NVIDIA H200", "power_limit_watts": 700.0}]}})
    'NVIDIA H200 at 700 W'
    >>> machine({"hardware": {"gpus": [], "cpu": "AMD EPYC 7763", "cores": 2}})
    'AMD EPYC 7763, 2 cores'
    """
    hardware = block["hardware"]
    gpus = hardware.get("gpus")
    boards = [_board(gpu) for gpu in gpus if isinstance(gpu, Mapping)] if isinstance(gpus, list) else []
    if boards:
        counts = {name: boards.count(name) for name in boards}
        return " + ".join(f"{count} × {name}" if count > 1 else name for name, count in counts.items())
    cores = hardware.get("cores")
    return f"{hardware.get('cpu') or 'unknown CPU'}{f', {cores} cores' if cores else ''}"


def _board(gpu: Mapping[str, Any]) -> str:
    limit = gpu.get("power_limit_watts")
    at = f" at {limit:.0f} W" if isinstance(limit, (int, float)) else ", power limit unknown"
    return f"{gpu.get('name')}{', MIG' if gpu.get('mig') else ''}{at}"


def _setting(budget: Mapping[str, Any], data: str) -> Iterator[str]:
    if "epochs" in budget:
        slices = f" of {budget['train_slices']} slices" if "train_slices" in budget else ""
        slices = (
            f", {budget['folds']} folds of {budget['slices']} slices"
            if {"folds", "slices"} <= budget.keys()
            else slices
        )
        size = f" at {budget['image_size']} px" if "image_size" in budget else ""
        yield f"{budget['epochs']} epochs{slices}{size}"
    if "batch_size" in budget:
        yield f"batch {budget['batch_size']}"
    if data:
        yield f"data {data[:8]}"
