"""Find the runs that somebody names for a comparison, and what earlier runs tell of the noise.

A side is a file, NNNN, FINGERPRINT/NNNN, a saved name or a fingerprint (its newest run), a baseline's name,
or a glob. A glob that fits several runs of one machine means all of them: their repeats are pooled as more
repeats of the same cases, where the keys are equal. (What the sessions of those runs do not have in common
then counts as noise of the cases: too much noise, never too little.)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from energy.records.index import Index
from energy.records.schema import RecordError
from energy.records.store import RunFile, Store, StoreError, names_of
from energy.records.summary import CaseSummary, RunSummary, Values

# Enough to tell the noise of a machine to a few per cent of itself; much older runs may be of another room.
MOST_EARLIER = 20
GLOB = frozenset("*?[")


@dataclass(frozen=True)
class Side:
    """One side of a comparison.

    Args:
        run: the run, or several in one.
        paths: the files behind it.
        notes: what was pooled and what was left out.
    """

    run: RunSummary
    paths: tuple[Path, ...]
    notes: tuple[str, ...] = ()


def find(results: Store, index: Index, name: str | None, fingerprint: str | None = None) -> Side:
    """Return the side that `name` means; None is the newest run.

    Args:
        results: the results folder.
        index: its summaries.
        name: what the user wrote.
        fingerprint: hardware to prefer where the name fits runs of several machines.

    Raises:
        StoreError: nothing is of this name, or runs of several machines are.
        RecordError: the run file or the baseline is damaged.
    """
    if name is None or Path(name).is_file():
        return _alone(index.summary(results.find(name)))
    if GLOB & set(name):
        return _of_glob(results, index, name, fingerprint)
    if (pinned := _baseline(results, name, fingerprint)) is not None:
        return Side(pinned, (pinned.path,), (f"{name} is the baseline of that name: {pinned.reference}",))
    preferred = _fitting(results, name, fingerprint) if fingerprint else []
    return _alone(index.summary(preferred[-1].path if preferred else results.find(name)))


def earlier(
    results: Store, index: Index, sides: Sequence[Side], metrics: Sequence[str] | None = None
) -> tuple[list[RunSummary], tuple[str, ...]]:
    """Return the newest runs on the hardware of the last side that are in no side.

    With them come notes on those that cannot be read: a damaged file in the folder is no reason not to
    compare two others.
    """
    fingerprint = sides[-1].run.fingerprint
    if fingerprint is None:
        return [], ()
    own = {path.resolve() for side in sides for path in side.paths}
    others = [run for run in results.runs(fingerprint) if run.path.resolve() not in own]
    found, notes = [], []
    for run in others[-MOST_EARLIER:]:
        try:
            found.append(index.summary(run.path, metrics))
        except (RecordError, StoreError) as problem:
            notes.append(f"left out of the noise: {problem}")
    return found, tuple(notes)


def pool(runs: Sequence[RunSummary]) -> Side:
    """Make several runs of one machine one, the newest last; the repeats of equal cases are put together.

    A case that failed or was flagged in some of the runs is taken from the others.

    Raises:
        StoreError: a run has two cases of one name.
    """
    newest = runs[-1]
    every: dict[tuple[str, str], list[CaseSummary]] = {case.identity: [] for case in newest.cases}
    for run in runs:
        for case in run.cases:
            every.setdefault(case.identity, []).append(case)
    if twice := _twice(runs):
        raise StoreError(f"{twice}: several cases of one run have this name, so runs cannot be pooled")
    pooled = [_pooled(cases) for cases in every.values()]
    reference = f"{len(runs)} runs, {runs[0].reference} to {newest.reference}"
    whole = replace(
        newest,
        reference=reference,
        finished=all(run.finished for run in runs),
        dirty=any(run.dirty for run in runs),
        cases=tuple(case for case, _ in pooled),
    )
    notes = (f"pooled: {', '.join(run.reference for run in runs)}", *(note for _, note in pooled if note))
    return Side(whole, tuple(run.path for run in runs), notes)


def _alone(run: RunSummary) -> Side:
    return Side(run, (run.path,))


def _of_glob(results: Store, index: Index, name: str, fingerprint: str | None) -> Side:
    fitting = _fitting(results, name)
    machines = {run.fingerprint for run in fitting}
    if len(machines) > 1 and fingerprint in machines:
        fitting = _fitting(results, name, fingerprint)
    if len(fitting) < 2 or len({run.fingerprint for run in fitting}) > 1:
        return _alone(index.summary(results.find(name)))  # one run, or the error that says what is wrong
    return pool([index.summary(run.path) for run in fitting])


def _fitting(results: Store, name: str, fingerprint: str | None = None) -> list[RunFile]:
    """Return the runs that have this name, oldest first."""
    return [run for run in results.runs(fingerprint) if any(fnmatchcase(own, name) for own in names_of(run))]


def _baseline(results: Store, name: str, fingerprint: str | None) -> RunSummary | None:
    # Reads only for names that may be a baseline's; most comparisons are of numbers.
    from energy.analysis.gates import baseline as baselines

    return baselines.load(results.root, name, fingerprint)


def _twice(runs: Sequence[RunSummary]) -> str | None:
    """Return the name of a case that a run has twice, if there is one."""
    counts = (Counter(case.identity for case in run.cases) for run in runs)
    return next((name[0] for count in counts for name, times in count.items() if times > 1), None)


def _pooled(every: Sequence[CaseSummary]) -> tuple[CaseSummary, str]:
    """Return one case of all runs, the newest last, and what was left out of it."""
    good = [case for case in every if case.status == "ok" and not case.flags]
    if not good:
        return every[-1], ""
    newest = good[-1]
    alike = [case for case in good if (case.keys, case.kind) == (newest.keys, newest.kind)]
    left_out = len(every) - len(alike)
    note = f"{newest.case}: {left_out} of {len(every)} runs left out (failed, flagged, or other keys)"
    seeds = tuple(seed for case in alike for seed in case.seeds)
    return replace(newest, seeds=seeds, values=_values(alike)), note if left_out else ""


def _values(alike: Sequence[CaseSummary]) -> dict[str, Values]:
    """Put the repeats together; a metric that one of the runs does not have is none of the pool's."""
    common = [metric for metric in alike[-1].values if all(metric in case.values for case in alike)]
    return {metric: tuple(value for case in alike for value in case.values[metric]) for metric in common}
