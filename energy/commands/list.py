"""List the stored runs, and the runs that ended before their file was written."""

import argparse
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from energy import digits, journal, provenance, store
from energy.commands import UsageError
from energy.commands._storage import add_storage
from energy.schema import RecordError
from energy.store import RunFile, Store, StoreError

Row = tuple[str, ...]

TITLES: Row = ("run", "date", "commit", "cases", "status", "total kJ", "name")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    add_storage(parser)


def run(args: argparse.Namespace) -> int:
    """Print one line per run that can be read; then 4, naming the files, if some cannot."""
    results = Store(args.storage)
    rows: list[Row] = []
    problems = []
    for describe in _sources(results):
        try:
            rows += describe()
        except (RecordError, StoreError) as problem:
            problems.append(str(problem))
    print("\n".join(_aligned([TITLES, *rows])) if rows else f"no results in {args.storage}")
    if problems:
        raise UsageError("; ".join(problems))
    return 0


def _sources(results: Store) -> Iterator[Callable[[], list[Row]]]:
    """Yield, for each run file and each journal, what describes it."""
    for stored in results.runs():
        yield partial(_validated_if_odd, partial(_stored, stored), partial(results.load, stored.path))
    for path in results.journals():
        yield partial(_validated_if_odd, partial(_unfinished, path), partial(journal.check, path))


def _validated_if_odd(describe: Callable[[], list[Row]], validate: Callable[[], object]) -> list[Row]:
    """Describe a file without validating it first, so that the list comes at once.

    Raises:
        RecordError: something is missing in the file; validation says what.
    """
    try:
        return describe()
    except (AttributeError, KeyError, TypeError, ValueError):
        validate()
        raise


def _stored(stored: RunFile) -> list[Row]:
    """Describe one run file."""
    data = store.parse(stored.path)
    commit = data.get("commit_info", {})
    label = f"{store.short_commit(commit)}{' dirty' if commit.get('dirty') else ''}"
    date = _minute(data.get("datetime"))
    if "energy" not in data:
        count = len(data["benchmarks"])
        return [(stored.reference, date, label, str(count), "", "", "plain pytest-benchmark, no energy")]
    saved_as = stored.path.stem.split("_", 1)[1]
    return [(stored.reference, date, label, *_summary(store.records_in(data)), saved_as)]


def _unfinished(path: Path) -> list[Row]:
    """Describe the runs of a journal that have begun and not ended."""
    left = [run for run in journal.runs(path) if run.end is None]
    told = "unfinished: --energy-resume goes on with it"
    return [
        (path.parent.name, _minute(run.start.get("time")), "", *_summary(run.records), told) for run in left
    ]


def _minute(time: object) -> str:
    """Cut an ISO time to its minutes."""
    return str(time or "")[:16].replace("T", " ")


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
