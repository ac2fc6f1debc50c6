"""What charts are drawn from: the cases of each group as points, their epochs, their history, images.

Records are untrusted: a figure that is no finite number is unknown here, and every text is clipped.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

from energy.analysis.history.series import Series
from energy.records.metrics import METRICS
from energy.records.validity import describe_collapse, list_objections
from energy.report import words
from energy.report.groups import Entry, Group
from energy.report.seeds import Labelled

LONGEST_LABEL = 60


@dataclass(frozen=True)
class Figure:
    """One metric of a case, in the metric's unit.

    Args:
        mean: of the repeats.
        interval: 95 % interval of the mean; None with one repeat.
        values: one per repeat.
        by_volume: of folds the figure of each volume, over which mean and interval are; else empty.
    """

    mean: float
    interval: tuple[float, float] | None
    values: tuple[float, ...]
    by_volume: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Epoch:
    """One epoch of one repeat; None where a figure is unknown."""

    number: int
    joules: float | None
    seconds: float
    val_dice: float | None


@dataclass(frozen=True)
class Part:
    """Joules of one part of the machine, mean over the repeats.

    Args:
        domain: gpu, cpu, ram; of several boards or packages their sum.
        kind: measured or modelled; mixed where the devices differ.
        joules: of the window.
    """

    domain: str
    kind: str
    joules: float


@dataclass(frozen=True)
class Point:
    """One case.

    Args:
        case: its name, clipped.
        arch: architecture; empty where a case has none.
        technique: technique or a+b; empty where a case has none.
        status: ok, diverged, oom, error, interrupted.
        against: what speaks against the record, in words; empty where nothing does.
        collapse: how many of its repeats learnt nothing, in words; empty where all did.
        figures: the metrics that are known, by name. A failed case has none.
        told_epochs: of each repeat, as the record has them.
        parts: what the total is made of; empty where a part is unknown.
        facts: what the case said of itself, by repeat; of any form.
        seeds: of its repeats; empty where a task has none.
    """

    case: str
    arch: str
    technique: str
    status: str = "ok"
    against: str = ""
    collapse: str = ""
    figures: Mapping[str, Figure] = field(default_factory=dict)
    told_epochs: Sequence[Sequence[Mapping[str, Any]]] = ()
    parts: tuple[Part, ...] = ()
    facts: tuple[Mapping[str, Any], ...] = ()
    seeds: tuple[int, ...] = ()

    def epochs(self) -> Iterator[Iterator[Epoch]]:
        """Return the epochs of each repeat, read when asked for: of thousands of cases few are shown."""
        return (map(_epoch, epochs) for epochs in self.told_epochs)

    @property
    def good(self) -> bool:
        """Whether the case went well and nothing speaks against its figures."""
        return self.status == "ok" and not self.against

    @property
    def is_reference(self) -> bool:
        """Whether this is the U-Net that others are compared with."""
        return (self.arch, self.technique) == ("unet", "baseline")

    def mean(self, metric: str) -> float | None:
        """Return the mean of a metric; None if it is unknown."""
        return self.figures[metric].mean if metric in self.figures else None

    def labelled(self, metric: str) -> Labelled:
        """Return what the mean of a known metric is over: the volumes of folds, else repeats and seeds."""
        figure = self.figures[metric]
        if figure.by_volume:
            return tuple(figure.by_volume.values()), tuple(figure.by_volume)
        return figure.values, self.seeds


@dataclass(frozen=True)
class Panel:
    """Cases that may stand in one frame: one machine with its meters, one task, budget and set of data.

    Args:
        fingerprint: of machine and meters.
        machine: label with the enforced power limit; unlike that of any other fingerprint.
        kind: how the joules were got: measured, modelled, mixed; None if no case has any.
        boundary: what they are of: process, machine or, of before, process+machine; None likewise.
        sources: the meters behind them.
        task: training, inference, ...
        setting: budget and data in words.
        points: newest record of each case.
        idle_watts: what the machine drew before the first case; None if unknown.
    """

    fingerprint: str
    machine: str
    kind: str | None
    sources: tuple[str, ...]
    task: str
    setting: str
    points: tuple[Point, ...]
    idle_watts: float | None = None
    boundary: str | None = None

    @property
    def heading(self) -> str:
        """Machine, whether its joules are measured or modelled, and of what they are."""
        told = ", ".join(word for word in (self.kind, self.boundary) if word)
        return f"{self.machine}: {told or 'not metered'}"


@dataclass(frozen=True)
class Model:
    """Everything that charts are drawn from.

    Args:
        panels: the groups of the report.
        history: series of stored runs, to be shown as they changed.
        overlays: folder of predictions that the reader asked to see; None: not asked for.
    """

    panels: tuple[Panel, ...]
    history: tuple[Series, ...] = ()
    overlays: Path | None = None


def of_groups(groups: Sequence[Group], history: Sequence[Series] = (), overlays: Path | None = None) -> Model:
    """Return what charts need of the groups of a report."""
    labels = _labels(groups)
    panels = (_panel(group, labels[group.fingerprint]) for group in groups)
    return Model(tuple(panels), tuple(history), overlays)


def _labels(groups: Sequence[Group]) -> dict[str, str]:
    """Name machines by fingerprint; where two have one name, the fingerprint tells them apart."""
    names = {group.fingerprint: label(group.machine) for group in groups}
    taken = list(names.values())
    return {
        fingerprint: name if taken.count(name) == 1 else f"{name} ({label(fingerprint, 30)})"
        for fingerprint, name in names.items()
    }


def _panel(group: Group, machine: str) -> Panel:
    watts = (group.idle or {}).get("watts", {})
    return Panel(
        fingerprint=group.fingerprint,
        machine=machine,
        kind=group.kind,
        boundary=group.boundary,
        sources=tuple(map(label, group.sources)),
        task=label(group.task),
        setting=label(group.setting, 200),
        points=tuple(_point(entry) for entry in group.entries),
        idle_watts=finite(watts.get("total")),
    )


def _point(entry: Entry) -> Point:
    record = entry.record
    whole = entry.whole or record
    setup = whole.get("setup")
    return Point(
        case=label(record["case"]),
        arch=label(record["arch"] or ""),
        technique=label(record["technique"] or ""),
        status=record["status"],
        against=label(", ".join(list_objections(record)), 200),
        collapse=label(describe_collapse(whole)),
        figures=dict(_figures(record["metrics"])) if record["status"] == "ok" else {},
        told_epochs=whole.get("epochs") or (),
        parts=tuple(_parts(whole["domains"])) if record["status"] == "ok" else (),
        facts=tuple(fact for fact in setup if isinstance(fact, Mapping)) if isinstance(setup, list) else (),
        seeds=entry.seeds,
    )


def _figures(metrics: Mapping[str, Any]) -> Iterator[tuple[str, Figure]]:
    for name, summary in metrics.items():
        mean = finite(summary["mean"])
        if name not in METRICS or mean is None:
            continue
        ends = [finite(end) for end in summary["ci95"] or ()]
        low, high = ends if len(ends) == 2 else (None, None)
        values = tuple(value for value in map(finite, summary["values"]) if value is not None)
        told = summary.get("by_volume") or {}
        by_volume = {name: own for name, value in told.items() if (own := finite(value)) is not None}
        yield name, Figure(mean, None if low is None or high is None else (low, high), values, by_volume)


def _epoch(row: Mapping[str, Any]) -> Epoch:
    return Epoch(
        number=int(row["epoch"]),
        joules=finite(row["joules"]),
        seconds=finite(row["seconds"]) or 0.0,
        val_dice=finite(row.get("val_dice")),
    )


def _parts(domains: Sequence[Mapping[str, Any]]) -> Iterator[Part]:
    """Yield the parts of a total by domain; none where a part is unknown, since the rest is no total."""
    parts = [domain for domain in domains if not domain["witness"]]
    if any(finite(value) is None for part in parts for value in part["joules"]):
        return
    for domain in dict.fromkeys(part["domain"] for part in parts):
        own = [part for part in parts if part["domain"] == domain]
        kinds = {part["kind"] for part in own}
        joules = sum(fmean(part["joules"]) for part in own)
        yield Part(label(domain, 20), kinds.pop() if len(kinds) == 1 else "mixed", joules)


def label(text: str, longest: int = LONGEST_LABEL) -> str:
    """Clip a text, and show what cannot be printed (controls, marks that turn the direction) as a sign.

    XML has no way to say most of them.

    >>> label("unet" + chr(0) + "-baseline") == "unet" + chr(0xFFFD) + "-baseline"
    True
    """
    clipped = words.clipped(text, longest)
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in clipped)


def finite(value: Any) -> float | None:
    """Return a number as float; None if it is no number, or no finite one."""
    if type(value) is float:  # nearly all, and hundreds of thousands of them
        return value if math.isfinite(value) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:  # an integer of 400 digits is a number to JSON
        return None
    return number if math.isfinite(number) else None
