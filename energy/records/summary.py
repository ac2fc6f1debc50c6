"""What a comparison needs of a case and of a run: their figures, keys and origin, without the rest.

A record has its epochs, its ledger and the state of the machine, too; a results folder of years holds
gigabytes of them. Everything that looks at more than one run looks at these summaries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from energy.records import provenance

Values = tuple[float | None, ...]


@dataclass(frozen=True)
class CaseSummary:
    """One case of one run.

    Args:
        case: ARCHITECTURE-TECHNIQUE, or the test's name in a plain pytest-benchmark file.
        task: training, inference, ...; two cases are the same case if name and task are equal.
        status: ok, diverged, oom, error, interrupted.
        seeds: in the order of the values; empty where nothing is random.
        keys: hardware, software, data, case; empty in a plain file.
        values: by metric, one per repeat; None where unknown. A case that failed has none.
        kind: measured, modelled, mixed; None if nothing was metered.
        sources: the sources of the domains in the total.
        flags: what speaks against the record.
        code: digest of the code that made it.
    """

    case: str
    task: str
    status: str
    arch: str | None = None
    technique: str | None = None
    seeds: tuple[int, ...] = ()
    keys: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Values] = field(default_factory=dict)
    kind: str | None = None
    sources: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    code: str | None = None

    @property
    def identity(self) -> tuple[str, str]:
        """Name and task, which two runs of the same case share."""
        return self.case, self.task


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


def of_record(record: Mapping[str, Any]) -> CaseSummary:
    """Return the summary of a case record."""
    made_of = provenance.of(record)
    return CaseSummary(
        case=record["case"],
        task=record["task"],
        status=record["status"],
        arch=record["arch"],
        technique=record["technique"],
        seeds=tuple(record["budget"].get("seeds", ())),
        keys=dict(record["keys"]),
        values={name: tuple(figure["values"]) for name, figure in record["metrics"].items()},
        kind=None if made_of is None else made_of.kind,
        sources=() if made_of is None else tuple(source for source, _ in made_of.sources),
        flags=tuple(record["validity"]["flags"]),
        code=record.get("code"),
    )


def summarise_unwritten(
    records: Sequence[Mapping[str, Any]], name: str, fingerprint: str, started: str
) -> RunSummary:
    """Return the summary of a run that is not in a file yet; `name` is what it is called meanwhile."""
    return RunSummary(Path(name), name, fingerprint, started, "", False, True, tuple(map(of_record, records)))


def of_plain(benchmark: Mapping[str, Any]) -> CaseSummary:
    """Return the summary of an entry of a plain pytest-benchmark file, which has seconds only."""
    seconds = benchmark["stats"].get("data") or [benchmark["stats"]["mean"]]
    return CaseSummary(
        case=benchmark["fullname"].rpartition("/")[2],
        task="function",
        status="ok",
        values={"seconds": tuple(float(value) for value in seconds)},
    )


def of_run(data: Mapping[str, Any], path: Path) -> RunSummary:
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
            of_plain(entry) if block is None else of_record(entry["extra_info"]["energy"])
            for entry in entries
        ),
    )
