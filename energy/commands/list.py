"""List the stored runs, and the runs that ended before their file was written."""

import argparse
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from energy.commands._options import add_storage, tell
from energy.records.schema import RecordError
from energy.records.storage import journal
from energy.records.storage.index import Index
from energy.records.storage.runfile import StoreError, shorten_commit
from energy.records.storage.store import RunFile, Store
from energy.records.summary import CaseSummary, pack_values, summarise_record
from energy.text import align_columns, format_number

Row = tuple[str, ...]

TITLES: Row = ("run", "date", "commit", "cases", "status", "total kJ", "name")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    add_storage(parser)


def run(args: argparse.Namespace) -> int:
    """Print one line per run that can be read, and name the files that cannot."""
    results = Store(args.storage, tell)
    rows: list[Row] = []
    with results.index() as index:
        for describe in _sources(results, index):
            try:
                rows += describe()
            except (RecordError, StoreError) as problem:
                tell(f"skipped {problem}")
        index.keep_only([run.path for run in results.runs()])
    print("\n".join(align_columns([TITLES, *rows])) if rows else f"no results in {args.storage}")
    return 0


def _sources(results: Store, index: Index) -> Iterator[Callable[[], list[Row]]]:
    """Yield, for each run file and each journal, what describes it."""
    for stored in results.runs():
        yield partial(_stored, stored, index)
    for path in results.journals():
        yield partial(_validated_if_odd, partial(_unfinished, path), partial(journal.check_journal, path))


def _validated_if_odd(describe: Callable[[], list[Row]], validate: Callable[[], object]) -> list[Row]:
    """Describe a journal without validating it first, so that the list comes at once.

    Raises:
        RecordError: something is missing in the file; validation says what.
    """
    try:
        return describe()
    except (AttributeError, KeyError, TypeError, ValueError):
        validate()
        raise


def _stored(stored: RunFile, index: Index) -> list[Row]:
    """Describe one run file."""
    energy = index.column(stored.path, "total_kj")
    run = energy.run
    label = f"{shorten_commit({'id': run.commit})}{' dirty' if run.dirty else ''}"
    date = _minute(run.datetime)
    if run.fingerprint is None:
        count = len(energy.cases)
        return [(stored.reference, date, label, str(count), "", "", "plain pytest-benchmark, no energy")]
    saved_as = stored.path.stem.split("_", 1)[1]
    return [(stored.reference, date, label, *_summary(energy.cases, energy.counts, energy.values), saved_as)]


def _unfinished(path: Path) -> list[Row]:
    """Describe the runs of a journal that have begun and not ended."""
    left = [run for run in journal.list_runs(path) if run.end is None]
    return [_cut_off(path, run) for run in left]


def _cut_off(path: Path, run: journal.JournalRun) -> Row:
    cases = [summarise_record(record) for record in run.records]
    energy = pack_values([case.values.get("total_kj", ()) for case in cases])
    told = "unfinished: --energy-resume goes on with it"
    return (path.parent.name, _minute(run.start.get("time")), "", *_summary(cases, *energy), told)


def _minute(time: object) -> str:
    """Cut an ISO time to its minutes."""
    return str(time or "")[:16].replace("T", " ")


def _summary(
    cases: Sequence[CaseSummary], counts: Sequence[int], kj: Sequence[float]
) -> tuple[str, str, str]:
    """Return number of cases, their statuses, and the total energy with its kind."""
    statuses = Counter(case.status for case in cases)
    told = ", ".join(f"{count} {status}" for status, count in statuses.items())
    return str(len(cases)), told, _total(cases, counts, kj)


def _total(cases: Sequence[CaseSummary], counts: Sequence[int], kj: Sequence[float]) -> str:
    """Add up what all repeats of all cases took; a part that is unknown makes the sum a lower bound."""
    known = [value for value in kj if not math.isnan(value)]
    if not known:
        return "–"
    kinds = {case.kind for case in cases if case.kind is not None}
    kind = kinds.pop() if len(kinds) == 1 else "mixed"
    partly = "more than " if len(known) < len(kj) or 0 in counts else ""
    return f"{partly}{format_number(sum(known))} {kind}"
