"""What a comparison needs of a case, of a run, and of one metric of a run: figures, keys and origin, no more.

A record has its epochs, its ledger and the state of the machine, too; a results folder of years holds
gigabytes of them. Everything that looks at more than one run looks at these summaries.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from energy.records import provenance
from energy.records.validity import list_objections
from energy.records.volumes import BY_VOLUME, DICE, list_seeds

Values = tuple[float | None, ...]


@dataclass(frozen=True)
class CaseSummary:
    """One case of one run.

    Args:
        case: ARCHITECTURE-TECHNIQUE, or the test's name in a plain pytest-benchmark file.
        task: training, inference, ...; two cases are the same case if name and task are equal.
        status: ok, diverged, oom, error, interrupted.
        seeds: of the repeats, in the order of the values; empty where nothing is random.
        volumes: of folds, in the order of the values of what is a volume's (`BY_VOLUME`); else empty.
        keys: hardware, software, data, case; empty in a plain file.
        values: by metric, one per repeat, or per volume; None where unknown. A case that failed has none.
        kind: measured, modelled, mixed; None if nothing was metered.
        boundary: what the total is of, process, machine or, of before, both; None if nothing was metered.
        sources: the sources of the domains in the total.
        invalid: flags that make its figures unusable.
        notes: flags that its bands hold already.
        code: digest of the code that made it.
    """

    case: str
    task: str
    status: str
    arch: str | None = None
    technique: str | None = None
    seeds: tuple[int, ...] = ()
    volumes: tuple[str, ...] = ()
    keys: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Values] = field(default_factory=dict)
    kind: str | None = None
    boundary: str | None = None
    sources: tuple[str, ...] = ()
    invalid: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    code: str | None = None

    @property
    def identity(self) -> tuple[str, str]:
        """Name and task, which two runs of the same case share."""
        return self.case, self.task

    def pairs(self, metric: str) -> Sequence[int | str]:
        """Return of what each value of a metric is, which pairs those of two cases: volumes, or seeds."""
        return self.volumes if self.volumes and metric in BY_VOLUME else self.seeds


@dataclass(frozen=True)
class RunSummary:
    """One run file.

    Args:
        path: the file.
        reference: the name that means it on the command line, FINGERPRINT/NNNN_NAME.
        fingerprint: hardware and meters; None in a plain file.
        datetime: when it was stored, ISO 8601.
        commit: the whole hash, or what stands in its place.
        dirty: whether the checkout held more than the commit.
        finished: False for an interrupted run.
        cases: in the file's order.
    """

    path: Path
    reference: str
    fingerprint: str | None
    datetime: str
    commit: str
    dirty: bool
    finished: bool
    cases: tuple[CaseSummary, ...]


def summarise_record(record: Mapping[str, Any]) -> CaseSummary:
    """Return the summary of a case record."""
    made_of = provenance.find_provenance(record)
    return CaseSummary(
        case=record["case"],
        task=record["task"],
        status=record["status"],
        arch=record["arch"],
        technique=record["technique"],
        seeds=list_seeds(record),
        volumes=tuple(_volumes(record)),
        keys=dict(record["keys"]),
        values={name: _values(figure) for name, figure in record["metrics"].items()},
        kind=None if made_of is None else made_of.kind,
        boundary=record["boundary"],
        sources=() if made_of is None else tuple(source for source, _ in made_of.sources),
        invalid=tuple(list_objections(record)),
        notes=tuple(record["validity"]["notes"]),
        code=record.get("code"),
    )


def _volumes(record: Mapping[str, Any]) -> Sequence[str]:
    return list(record["metrics"].get(DICE, {}).get("by_volume", {}))


def _values(figure: Mapping[str, Any]) -> Values:
    """Return what the mean of a figure is over: its volumes, else its repeats."""
    return tuple(figure["by_volume"].values() if "by_volume" in figure else figure["values"])


def summarise_unwritten(
    records: Sequence[Mapping[str, Any]], name: str, fingerprint: str, started: str
) -> RunSummary:
    """Return the summary of a run that is not in a file yet; `name` is what it is called meanwhile."""
    return RunSummary(
        Path(name), name, fingerprint, started, "", False, True, tuple(map(summarise_record, records))
    )


def summarise_plain(benchmark: Mapping[str, Any]) -> CaseSummary:
    """Return the summary of an entry of a plain pytest-benchmark file, which has seconds only."""
    seconds = benchmark["stats"].get("data") or [benchmark["stats"]["mean"]]
    return CaseSummary(
        case=benchmark["fullname"].rpartition("/")[2],
        task="function",
        status="ok",
        values={"seconds": tuple(float(value) for value in seconds)},
    )


def summarise_run(data: Mapping[str, Any], path: Path) -> RunSummary:
    """Return the summary of a parsed run file, ours or a plain one."""
    block = data.get("energy")
    commit = data.get("commit_info", {})
    entries = data["benchmarks"]
    return RunSummary(
        path=path,
        reference=f"{path.parent.name}/{path.stem}",
        fingerprint=None if block is None else block["fingerprint"],
        datetime=str(data.get("datetime", "")),
        commit=str(commit.get("id")),
        dirty=bool(commit.get("dirty")),
        finished=block is None or block["finished"] is not None,
        cases=tuple(
            summarise_plain(entry) if block is None else summarise_record(entry["extra_info"]["energy"])
            for entry in entries
        ),
    )


@dataclass(frozen=True)
class Column:
    """One metric of one run.

    Args:
        run: the run; its cases may be left out.
        cases: one per case, in the file's order; their values may be left out.
        counts: how many values each case has; 0 where its record does not have the metric.
        values: those of all cases, one after the other, NaN where unknown.
    """

    run: RunSummary
    cases: Sequence[CaseSummary]
    counts: array[int]
    values: array[float]

    def per_case(self) -> Iterator[tuple[CaseSummary, Values]]:
        """Yield each case with its values; none where its record does not have the metric."""
        start = 0
        for case, count in zip(self.cases, self.counts, strict=True):
            yield case, unpack_values(self.values[start : start + count])
            start += count


def take_column(run: RunSummary, metric: str) -> Column:
    """Return one metric of a run.

    >>> from pathlib import Path
    >>> run = RunSummary(Path(), "a/0001", "a", "", "c0ffee", False, True, (
    ...     CaseSummary("unet", "training", "ok", values={"total_kj": (1.5, None)}),
    ...     CaseSummary("cgnet", "training", "oom"),
    ... ))
    >>> [(case.case, values) for case, values in take_column(run, "total_kj").per_case()]
    [('unet', (1.5, None)), ('cgnet', ())]
    """
    values = [case.values.get(metric, ()) for case in run.cases]
    return Column(run, run.cases, *pack_values(values))


def pack_values(values: Sequence[Values]) -> tuple[array[int], array[float]]:
    """Return counts and values of all cases; an unknown value is NaN, which no record holds.

    Raises:
        ValueError: a number is too large for a float to hold it exactly.
    """
    numbers = array("d", (_exact_float(value) for of_case in values for value in of_case))
    return array("I", map(len, values)), numbers


def unpack_values(values: Sequence[float]) -> Values:
    """Return values as they were packed."""
    return tuple(None if math.isnan(value) else value for value in values)


def _exact_float(value: float | None) -> float:
    if value is None:
        return math.nan
    if isinstance(value, int) and int(float(value)) != value:
        raise ValueError(f"{value} is no exact float")
    return value
