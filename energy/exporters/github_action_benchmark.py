"""JSON of github-action-benchmark: one file where smaller is better, one where bigger is.

Each is an array of {name, unit, value, range, extra} for the tools customSmallerIsBetter and
customBiggerIsBetter, which take one direction per step. The hardware key, which knows the meters, is part of
the name, so that another machine starts a series of its own; the kind of the energy is part of the unit. What
is not to be relied on is in no series; a series of its own counts those cases and names them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from energy.analysis.compare import words
from energy.analysis.compare.result import Change
from energy.exporters import Exported, Request
from energy.exporters._cases import TRACKED, hardware, names, problem, records, row_of, sources
from energy.exporters._text import printable
from energy.records.provenance import kind_of
from energy.records.storage.runfile import shorten_commit
from energy.text import format_number

OPTIONS = ("base",)

Entry = dict[str, Any]


def export(request: Request) -> Exported:
    """Return both files."""
    found = records(request)
    unusable = [
        f"{name}: {why}" for name, record in zip(names(found), found, strict=True) if (why := problem(record))
    ]
    smaller = [_count(request, unusable), *_entries(request, found, "lower")]
    bigger = list(_entries(request, found, "higher"))
    notes = [f"in no series: {line}" for line in unusable]
    notes += [] if bigger else ["no metric of this run is better when bigger: that file holds no entry"]
    return Exported({".smaller.json": _json(smaller), ".bigger.json": _json(bigger)}, tuple(notes))


def _json(entries: Sequence[Entry]) -> str:
    return json.dumps(entries, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _count(request: Request, unusable: Sequence[str]) -> Entry:
    extra = "\n".join(unusable) or "none"
    name = f"failed or invalid cases [{hardware(request.run)}]"
    return {"name": name, "unit": "cases", "value": len(unusable), "extra": extra}


def _entries(request: Request, found: Sequence[Mapping[str, Any]], better: str) -> Iterator[Entry]:
    for name, record in zip(names(found), found, strict=True):
        for metric in TRACKED if problem(record) is None else ():
            figure = record["metrics"].get(metric)
            if figure is not None and figure["better"] == better and figure["mean"] is not None:
                yield _entry(request, name, record, metric)


def _entry(request: Request, name: str, record: Mapping[str, Any], metric: str) -> Entry:
    figure, kind = record["metrics"][metric], kind_of(record, metric)
    entry: Entry = {
        "name": f"{name} / {metric} [{hardware(request.run)}]",
        "unit": f"{figure['unit']} ({kind})" if kind else figure["unit"],
        "value": figure["mean"],
    }
    if figure["ci95"] is not None:
        entry["range"] = f"± {format_number((figure['ci95'][1] - figure['ci95'][0]) / 2)}"
    return entry | {"extra": "\n".join(_extra(request, record, metric, kind))}


def _extra(request: Request, record: Mapping[str, Any], metric: str, kind: str | None) -> Iterator[str]:
    """Yield what the chart's tooltip shows."""
    figure, seeds = record["metrics"][metric], record["budget"].get("seeds", ())
    half = "95 % interval of the mean" if figure["ci95"] is not None else "no interval"
    over = "volumes" if "by_volume" in figure else ""
    yield f"n = {len(figure['by_volume' if over else 'values'])}{over and f' {over}'}: {half}"
    if seeds:
        yield f"seeds {', '.join(map(str, seeds))}"
    yield sources(record) if kind else "no energy"
    yield f"commit {printable(shorten_commit(request.run['commit_info']))}"
    yield from _against_base(request, record, metric)


def _against_base(request: Request, record: Mapping[str, Any], metric: str) -> Iterator[str]:
    row, base = row_of(request.base, record), request.base
    if row is None or base is None or base.base is None:
        return
    change = row.changes.get(metric)
    yield f"base {printable(base.base.reference)}, commit {printable(base.base.commit[:8])}"
    yield row.verdict if change is None else _told(change)


def _told(change: Change) -> str:
    return f"{words.write_change(change.change, change.relative, change.interval)} {change.verdict}"
