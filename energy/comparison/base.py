"""What a run is compared with: the run that was named, the pinned baseline, or the newest stored run."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from energy import baselines, store, summary
from energy.baselines import Pin
from energy.comparison.codes import WARNINGS
from energy.store import Store, StoreError
from energy.summary import RunSummary


@dataclass(frozen=True)
class Base:
    """What a run is compared with.

    Args:
        run: the figures.
        told: what it is, in words.
        nodes: pytest's node id of each case, by name and task, as far as known.
        warning: what a reader must know of this choice.
    """

    run: RunSummary
    told: str
    nodes: Mapping[tuple[str, str], str]
    warning: str | None = None


def check(results: Store, reference: str) -> None:
    """Raise StoreError unless `reference` names a baseline of any machine, or a run."""
    if not any(path.stem == reference.rpartition("/")[2] for path in baselines.files(results.root)):
        _find(results, reference)


def named(results: Store, reference: str, fingerprint: str) -> Base | None:
    """Return what `reference` means on this hardware; None if it is a baseline of other hardware only.

    Raises:
        StoreError: there is nothing of that name.
        RecordError: a file is damaged.
    """
    pinned = baselines.find(results.root, reference, fingerprint)
    if pinned is not None:
        return of_pin(pinned)
    if any(path.stem == reference for path in baselines.files(results.root)):
        return None
    return of_file(results, _find(results, reference))


def usual(results: Store, name: str, fingerprint: str) -> Base | None:
    """Return the baseline that this project compares with, or None."""
    pinned = baselines.find(results.root, name, fingerprint)
    return None if pinned is None else of_pin(pinned)


def newest(results: Store, fingerprint: str, cases: Collection[str], name: str) -> Base | None:
    """Return the newest good run of this hardware that has any of the cases, or None.

    A run that was itself found to be worse, or was interrupted, is passed over: it must not become the
    measure of the next one.
    """
    for run in reversed(results.runs(fingerprint)):
        known = results.summary(run.path)
        if not known.finished or not any(case.case in cases and case.status == "ok" for case in known.cases):
            continue
        data = store.parse(run.path)
        code = data.get("energy", {}).get("gated", {}).get("exit_code", 0)
        if code == 0 or code in WARNINGS:
            warning = (
                f"no baseline {name!r} is pinned for this hardware: compared with the newest stored run, "
                f"{run.reference}, which moves with every run; pin one: baseline set {name} {run.reference}"
            )
            return Base(known, run.reference, baselines.nodes_of(data), warning)
    return None


def of_pin(pinned: Pin) -> Base:
    """Return a pinned baseline as a base."""
    return Base(pinned.run, f"baseline {pinned.name} ({pinned.run.reference})", pinned.nodes)


def of_file(results: Store, path: Path) -> Base:
    """Return a run file as a base.

    Raises:
        RecordError: it is not valid.
    """
    data = results.load(path)
    run = summary.of_run(data, path)
    return Base(run, run.reference, baselines.nodes_of(data))


def _find(results: Store, reference: str) -> Path:
    try:
        return results.find(reference)
    except StoreError as problem:
        if Path(reference).is_dir():
            raise StoreError(
                f"{reference} is a folder, not a run: write --energy-compare=REF, or put a bare "
                "--energy-compare last"
            ) from None
        raise StoreError(f"{problem}; {baselines.elsewhere(results.root, reference)}") from None
