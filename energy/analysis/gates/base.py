"""What a run is compared with: the run that was named, the pinned baseline, or the newest stored run."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from energy.analysis.gates import baseline as baselines
from energy.analysis.gates import sides
from energy.analysis.gates.baseline import Pin
from energy.analysis.gates.exit_codes import blocks
from energy.analysis.gates.sides import Side
from energy.records import store
from energy.records.index import Index
from energy.records.store import Store, StoreError
from energy.records.summary import RunSummary


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


def check(results: Store, reference: str) -> None:
    """Raise StoreError unless `reference` names a baseline of any machine, or a run."""
    if not is_pinned_somewhere(results, reference):
        with results.index() as index:
            _side(results, index, reference)


def named(results: Store, index: Index, reference: str, fingerprint: str) -> Base | None:
    """Return what `reference` means on this hardware; None if it is a baseline of other hardware only.

    Raises:
        StoreError: there is nothing of that name.
        RecordError: a file is damaged.
    """
    if not Path(reference).is_file():
        pinned = baselines.find(results.root, reference, fingerprint)
        if pinned is not None:
            return of_pin(pinned)
        if is_pinned_somewhere(results, reference):
            return None
    side = _side(results, index, reference, fingerprint)
    nodes: dict[tuple[str, str], str] = {}
    for path in side.paths:
        nodes |= baselines.nodes_of(store.parse(path))
    return Base(side, side.run.reference, nodes, "; ".join(side.notes) or None)


def usual(results: Store, name: str, fingerprint: str) -> Base | None:
    """Return the baseline that this project compares with, or None."""
    pinned = baselines.find(results.root, name, fingerprint)
    return None if pinned is None else of_pin(pinned)


def newest(results: Store, index: Index, fingerprint: str, cases: Collection[str], name: str) -> Base | None:
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
        known = index.summary(run.path)
        if not known.finished or not any(case.case in cases and case.status == "ok" for case in known.cases):
            continue
        data = store.parse(run.path)
        if not blocks(data.get("energy", {}).get("gated", {}).get("exit_code", 0)):
            warning = (
                f"no baseline {name!r} is pinned for this hardware: compared with the newest stored run, "
                f"{run.reference}, which moves with every run; pin one: baseline set {name} {run.reference}"
            )
            return Base(Side(known, (run.path,)), run.reference, baselines.nodes_of(data), warning)
    return None


def of_pin(pinned: Pin) -> Base:
    """Return a pinned baseline as a base."""
    told = f"baseline {pinned.name}, {pinned.run.reference}, pinned {pinned.pinned[:10]}"
    return Base(Side(pinned.run, (pinned.run.path,)), told, pinned.nodes)


def is_pinned_somewhere(results: Store, reference: str) -> bool:
    """Tell whether any hardware has a baseline of this name."""
    return any(path.stem == reference.rpartition("/")[2] for path in baselines.files(results.root))


def _side(results: Store, index: Index, reference: str, fingerprint: str | None = None) -> Side:
    try:
        return sides.find(results, index, reference, fingerprint)
    except StoreError as problem:
        if Path(reference).is_dir():
            raise StoreError(
                f"{reference} is a folder, not a run: write --energy-compare=REF, or put a bare "
                "--energy-compare last"
            ) from None
        raise StoreError(f"{problem}; {baselines.elsewhere(results.root, reference)}") from None
