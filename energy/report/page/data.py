"""The figures of the page as JSON inside of it: for the sliders, and for other programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from energy.records.metrics import METRICS
from energy.report.groups import Entry, Group
from energy.report.page import choosing
from energy.report.page.choosing import texts
from energy.report.words import clipped

# A page of thousands of cases holds the figures that its tables show, and leaves the rest to the run files.
MOST_CASES_WITH_ALL = 1000
SHORT = ("dice", "kj_per_epoch", "total_kj", "dice_loss_vs_unet_pct", "seconds")

# JSON inside of HTML: nothing in it may end the element or begin another one.
_ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


def as_json(groups: Sequence[Group]) -> str:
    """Return groups, cases and figures as JSON that may stand inside of a script element."""
    count = sum(len(group.entries) for group in groups)
    known = tuple(METRICS) if count <= MOST_CASES_WITH_ALL else SHORT
    data = {
        "about": "means and ci95 in the order of metrics, null is unknown; run is a place in runs; options "
        "are the cases that the sliders choose from: place in cases, Dice, total kJ and repeats as text",
        "groups": [_group(group, known) for group in groups],
    }
    return inside_html(json.dumps(data, allow_nan=False, separators=(",", ":")))


def inside_html(text: str) -> str:
    """Return JSON so that nothing in it ends the script element that it stands in, or begins a comment."""
    return text.translate(_ESCAPES)


def _group(group: Group, known: Sequence[str]) -> dict[str, Any]:
    had = {name for entry in group.entries for name in entry.record["metrics"]}
    names = [name for name in known if name in had]
    runs = list(dict.fromkeys(entry.run.reference for entry in group.entries))
    places = {id(entry): place for place, entry in enumerate(group.entries)}
    return {
        "machine": group.machine,
        "fingerprint": group.fingerprint,
        "kind": group.kind,
        "boundary": group.boundary,
        "sources": group.sources,
        "task": group.task,
        "setting": group.setting,
        "metrics": {name: METRICS[name].unit for name in names},
        "runs": [clipped(run) for run in runs],
        "cases": [
            _case(entry, names, runs.index(entry.run.reference), known is not SHORT)
            for entry in group.entries
        ],
        "options": [[places[id(option.entry)], *texts(option)] for option in choosing.candidates(group)],
    }


def _case(entry: Entry, names: Sequence[str], run: int, with_flags: bool) -> dict[str, Any]:
    metrics: Mapping[str, Any] = entry.record["metrics"]
    intervals = [_interval(metrics.get(name, {}).get("ci95")) for name in names]
    validity = entry.record["validity"] if with_flags else {}
    flags = {name: validity[name] for name in ("invalid", "notes") if validity.get(name)}
    return {
        "case": entry.case,
        "run": run,
        "status": entry.record["status"],
        "means": [entry.mean(name) for name in names],
        **flags,
        **({"ci95": intervals} if any(intervals) else {}),
    }


def _interval(ends: Sequence[float] | None) -> list[float] | None:
    """Round an interval to what it can say: a page of thousands of cases is half a megabyte shorter."""
    return None if ends is None else [float(f"{end:.5g}") for end in ends]
