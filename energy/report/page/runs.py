"""Where the figures come from: the runs, and the commands that made them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from energy.records.storage.gather import FoundRun
from energy.records.storage.runfile import shorten_commit
from energy.report.words import clipped


@dataclass(frozen=True)
class RunLine:
    """One run as a line of the table of provenance."""

    reference: str
    finished: bool
    stored: str
    cases: int
    commit: str
    version: str
    python: str
    meters: str
    command: str


def describe_run(run: FoundRun) -> RunLine:
    """Return the line of a run; a plain file of pytest-benchmark has no meters and no command."""
    block: Mapping[str, Any] = run.data.get("energy", {})
    machine = run.data.get("machine_info") or {}
    return RunLine(
        reference=clipped(run.reference),
        finished=run.finished,
        stored=clipped(str(run.data.get("datetime", "")), 40)[:16].replace("T", " "),
        cases=len(run.data["benchmarks"]),
        commit=_commit(run),
        version=clipped(str(block.get("suite_version", "pytest-benchmark only")), 40),
        python=clipped(str(machine.get("python_version") or "–"), 40),
        meters=clipped(", ".join(block.get("meters", ()))),
        command=clipped(str(block.get("command", "")), 400),
    )


def commands(found: Sequence[FoundRun]) -> list[tuple[str, list[str]]]:
    """Return the commands of all runs by commit, each once."""
    by_commit: dict[str, dict[str, None]] = {}
    for run in found:
        if command := describe_run(run).command:
            by_commit.setdefault(_commit(run), {})[command] = None
    return [(commit, list(made)) for commit, made in by_commit.items()]


def _commit(run: FoundRun) -> str:
    commit = run.data.get("commit_info") or {}
    dirty = " with changes" if commit.get("dirty") else ""
    return clipped(shorten_commit(commit), 60) + dirty if commit.get("id") else "unknown commit"
