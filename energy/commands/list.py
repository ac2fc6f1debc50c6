"""List the stored runs, and the runs that ended before their file was written."""

import argparse
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from energy import digits, journal, provenance, store
from energy.commands import UsageError
from energy.commands._storage import add_storage
from energy.schema import RecordError
from energy.store import RunFile, Store, StoreError

TITLES = ("run", "date", "commit", "cases", "status", "total kJ", "")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    add_storage(parser)


def run(args: argparse.Namespace) -> int:
    """Print one line per run, damaged files too; 4 if a file cannot be read."""
    results = Store(args.storage)
    rows, problems = [], []
    for stored in results.runs():
        try:
            rows.append(_row(stored))
        except (RecordError, StoreError) as problem:
            problems.append(str(problem))
    for path in results.journals():
        try:
            rows += [_unfinished_row(path, left) for left in journal.runs(path) if left.end is None]
        except RecordError as problem:
            problems.append(str(problem))
    print("\n".join(_aligned([TITLES, *rows])) if rows else f"no results in {args.storage}")
    if problems:
        raise UsageError("; ".join(problems))
    return 0


def _row(stored: RunFile) -> tuple[str, ...]:
    """Describe one run file, read but not validated in full: the list must come at once."""
    data = store.parse(stored.path)
    commit = data.get("commit_info", {})
    label = f"{str(commit.get('id'))[:8]}{' dirty' if commit.get('dirty') else ''}"
    date = str(data.get("datetime", ""))[:16].replace("T", " ")
    if "energy" not in data:
        count = len(data["benchmarks"])
        return stored.reference, date, label, str(count), "", "", "plain pytest-benchmark, no energy"
    return stored.reference, date, label, *_summary(store.records_in(data)), stored.path.name


def _unfinished_row(path: Path, left: journal.Run) -> tuple[str, ...]:
    """Describe a run that has begun and not ended."""
    date = str(left.start.get("time", ""))[:16].replace("T", " ")
    return path.parent.name, date, "", *_summary(left.records), "unfinished: --energy-resume goes on with it"


def _summary(records: Sequence[Mapping[str, Any]]) -> tuple[str, str, str]:
    """Return number of cases, their statuses, and the total energy with its kind."""
    statuses = Counter(record["status"] for record in records)
    told = ", ".join(f"{count} {status}" for status, count in statuses.items())
    return str(len(records)), told, _energy(records)


def _energy(records: Sequence[Mapping[str, Any]]) -> str:
    """Add up what all repeats of all cases took; a part that is unknown makes the sum a lower bound."""
    totals = [record["metrics"].get("total_kj", {"values": [None]})["values"] for record in records]
    known = [value for values in totals for value in values if value is not None]
    sources = [source for record in records if (source := provenance.of(record))]
    kinds = {source.kind for source in sources}
    if not known:
        return "–"
    kind = kinds.pop() if len(kinds) == 1 else "mixed"
    partial = "more than " if len(known) < sum(map(len, totals)) else ""
    return f"{partial}{digits.number(sum(known))} {kind}"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Pad the columns to equal width."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
