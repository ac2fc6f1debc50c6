"""What a run is compared with: the run that somebody names, the pinned baseline, or the newest stored run.

A name is a file, NNNN, FINGERPRINT/NNNN, a saved name or a fingerprint (its newest run), a baseline's name,
or a glob. A glob that fits several runs of one machine means all of them: their repeats are pooled as more
repeats of the same cases, where the keys are equal. (What the sessions of those runs do not have in common
then counts as noise of the cases: too much noise, never too little.)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from energy.analysis.gates import baseline as baselines
from energy.analysis.gates.baseline import Pin
from energy.analysis.gates.exit_codes import blocks
from energy.records.schema import RecordError
from energy.records.storage.index import Index
from energy.records.storage.runfile import StoreError, read_run
from energy.records.storage.store import Store
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


@dataclass(frozen=True)
class Base:
    """What a run is compared with.

    Args:
        side: the figures, and the files that they are from.
        told: what it is, in words.
        nodes: pytest's node id of each case, by name and task, as far as known.
        warning: what a reader must know of this choice.
    """

    side: Side
    told: str
    nodes: Mapping[tuple[str, str], str]
    warning: str | None = None

    @property
    def run(self) -> RunSummary:
        """The figures."""
        return self.side.run


def find_side(results: Store, index: Index, name: str | None, fingerprint: str | None = None) -> Side:
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
        return _as_side(index.summary(results.find(name)))
    if GLOB & set(name):
        return _find_by_glob(results, index, name, fingerprint)
    if (pinned := baselines.find_pin(results.root, name, fingerprint)) is not None:
        note = f"{name} is the baseline of that name: {pinned.run.reference}"
        return Side(pinned.run, (pinned.run.path,), (note,))
    preferred = results.matching(name, fingerprint) if fingerprint else []
    return _as_side(index.summary(preferred[-1].path if preferred else results.find(name)))


def find_earlier(
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


def pool_runs(runs: Sequence[RunSummary]) -> Side:
    """Make several runs of one machine one, the newest last; the repeats of equal cases are put together.

    A case that failed or was invalid in some of the runs is taken from the others.

    Raises:
        StoreError: a run has two cases of one name.
    """
    newest = runs[-1]
    every: dict[tuple[str, str], list[CaseSummary]] = {case.identity: [] for case in newest.cases}
    for run in runs:
        for case in run.cases:
            every.setdefault(case.identity, []).append(case)
    if twice := _find_twice(runs):
        raise StoreError(f"{twice}: several cases of one run have this name, so runs cannot be pooled")
    pooled = [_pool_case(cases) for cases in every.values()]
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


def _as_side(run: RunSummary) -> Side:
    return Side(run, (run.path,))


def _find_by_glob(results: Store, index: Index, name: str, fingerprint: str | None) -> Side:
    fitting = results.matching(name)
    machines = {run.fingerprint for run in fitting}
    if len(machines) > 1 and fingerprint in machines:
        fitting = results.matching(name, fingerprint)
    if len(fitting) < 2 or len({run.fingerprint for run in fitting}) > 1:
        return _as_side(index.summary(results.find(name)))  # one run, or the error that says what is wrong
    found = [known for run in fitting if (known := index.try_summary(run.path)) is not None]
    if not found:
        raise StoreError(f"none of the {len(fitting)} runs that fit {name!r} can be read; list says why")
    return pool_runs(found) if len(found) > 1 else _as_side(found[0])


def _find_twice(runs: Sequence[RunSummary]) -> str | None:
    """Return the name of a case that a run has twice, if there is one."""
    counts = (Counter(case.identity for case in run.cases) for run in runs)
    return next((name[0] for count in counts for name, times in count.items() if times > 1), None)


def _pool_case(every: Sequence[CaseSummary]) -> tuple[CaseSummary, str]:
    """Return one case of all runs, the newest last, and what was left out of it."""
    good = [case for case in every if case.status == "ok" and not case.invalid]
    if not good:
        return every[-1], ""
    newest = good[-1]
    alike = [case for case in good if _conditions(case) == _conditions(newest)]
    left_out = len(every) - len(alike)
    why = "failed, invalid, or of other keys, kind or boundary"
    note = f"{newest.case}: {left_out} of {len(every)} runs left out ({why})"
    seeds = tuple(seed for case in alike for seed in case.seeds)
    volumes = tuple(volume for case in alike for volume in case.volumes)
    whole = replace(newest, seeds=seeds, volumes=volumes, values=_join_values(alike))
    return whole, note if left_out else ""


def _conditions(case: CaseSummary) -> tuple[object, ...]:
    """Return what two records must share to be repeats of one case."""
    return case.keys, case.kind, case.boundary


def _join_values(alike: Sequence[CaseSummary]) -> dict[str, Values]:
    """Put the repeats together; a metric that one of the runs does not have is none of the pool's."""
    common = [metric for metric in alike[-1].values if all(metric in case.values for case in alike)]
    return {metric: tuple(value for case in alike for value in case.values[metric]) for metric in common}


def check_reference(results: Store, reference: str) -> None:
    """Raise StoreError unless `reference` names a baseline of any machine, or a run."""
    if not is_pinned_somewhere(results, reference):
        with results.index() as index:
            _find_named(results, index, reference)


def find_base(results: Store, index: Index, reference: str, fingerprint: str) -> Base | None:
    """Return what `reference` means on this hardware; None if it is a baseline of other hardware only.

    Raises:
        StoreError: there is nothing of that name.
        RecordError: a file is damaged.
    """
    if not Path(reference).is_file():
        pinned = baselines.find_pin(results.root, reference, fingerprint)
        if pinned is not None:
            return _as_base(pinned)
        if is_pinned_somewhere(results, reference):
            return None
    side = _find_named(results, index, reference, fingerprint)
    nodes: dict[tuple[str, str], str] = {}
    for path in side.paths:
        nodes |= baselines.find_nodes(read_run(path))
    return Base(side, side.run.reference, nodes, "; ".join(side.notes) or None)


def find_usual_base(results: Store, name: str, fingerprint: str) -> Base | None:
    """Return the baseline that this project compares with, or None."""
    pinned = baselines.find_pin(results.root, name, fingerprint)
    return None if pinned is None else _as_base(pinned)


def find_newest_base(
    results: Store, index: Index, fingerprint: str, cases: Collection[str], name: str
) -> Base | None:
    """Return the newest good run of this hardware that has any of the cases, or None.

    A run that was itself found to be worse, or was interrupted, is passed over: it must not become the
    measure of the next one.

    Args:
        results: the results folder.
        index: its summaries.
        fingerprint: the hardware.
        cases: names of the cases that will be measured.
        name: the baseline that was looked for in vain.
    """
    for run in reversed(results.runs(fingerprint)):
        known = index.try_summary(run.path)
        if known is None or not known.finished:
            continue
        if not any(case.case in cases and case.status == "ok" for case in known.cases):
            continue
        data = read_run(run.path)
        if not blocks(data.get("energy", {}).get("gated", {}).get("exit_code", 0)):
            warning = (
                f"no baseline {name!r} is pinned for this hardware: compared with the newest stored run, "
                f"{run.reference}, which moves with every run; pin one: baseline set {name} {run.reference}"
            )
            return Base(Side(known, (run.path,)), run.reference, baselines.find_nodes(data), warning)
    return None


def _as_base(pinned: Pin) -> Base:
    """Return a pinned baseline as a base."""
    told = f"baseline {pinned.name}, {pinned.run.reference}, pinned {pinned.pinned[:10]}"
    return Base(Side(pinned.run, (pinned.run.path,)), told, pinned.nodes)


def is_pinned_somewhere(results: Store, reference: str) -> bool:
    """Tell whether any hardware has a baseline of this name."""
    return any(path.stem == reference.rpartition("/")[2] for path in baselines.list_pins(results.root))


def _find_named(results: Store, index: Index, reference: str, fingerprint: str | None = None) -> Side:
    try:
        return find_side(results, index, reference, fingerprint)
    except StoreError as problem:
        if Path(reference).is_dir():
            raise StoreError(
                f"{reference} is a folder, not a run: write --energy-compare=REF, or put a bare "
                "--energy-compare last"
            ) from None
        raise StoreError(f"{problem}; {baselines.name_elsewhere(results.root, reference)}") from None
