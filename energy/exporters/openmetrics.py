"""OpenMetrics text: for GitLab's metrics reports, or a Prometheus that collects results.

Names, units and figures are those of the records (`joulebench_total_kj`). The labels hold nothing that every
commit changes, or each would be a new series. `kind` and `boundary` are on energies only.
`joulebench_case_ok` is 1 or 0 for every case, with its status (`missing`: only the base has it);
`joulebench_record_valid` is 0 where a flag speaks against a record that is ok. With a base,
`joulebench_change` is the change that the comparison shows (0.05: 5 %, where `relative` is true).

https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from energy.analysis.compare.result import Row
from energy.exporters import Exported, Request
from energy.exporters._cases import hardware, names, records
from energy.exporters._text import printable
from energy.records.metrics import METRICS
from energy.records.provenance import boundary_of, kind_of

OPTIONS = ("base",)

PREFIX = "joulebench_"
# A unit must be the end of the metric's name; where ours has it elsewhere, HELP alone tells the unit.
SUFFIXES = {"kJ": "kj", "s": "seconds", "MiB": "mib", "W": "watts", "°C": "c", "g": "g", "%": "pct"}

Labels = Mapping[str, str]
Sample = tuple[Labels, float]


def export(request: Request) -> Exported:
    """Return one gauge per metric, with one sample per case."""
    found = records(request)
    cases = [
        ({"case": name, "task": printable(record["task"]), "hardware": hardware(request.run)}, record)
        for name, record in zip(names(found), found, strict=True)
    ]
    lines = [line for metric in METRICS for line in _metric(metric, cases)]
    lines += _health(cases, _missing(request))
    lines += _changes(request)
    return Exported({".openmetrics.txt": "\n".join([*lines, "# EOF"]) + "\n"})


def _metric(metric: str, cases: Sequence[tuple[Labels, Mapping[str, Any]]]) -> Iterator[str]:
    samples = []
    for labels, record in cases:
        figure, kind = record["metrics"].get(metric), kind_of(record, metric)
        if figure is not None and figure["mean"] is not None:
            own = {"n": str(len(figure.get("by_volume") or figure["values"]))} | (
                {"kind": kind} if kind else {}
            )
            own |= {"boundary": boundary} if (boundary := boundary_of(record, metric)) else {}
            samples.append(({**labels, **own}, figure["mean"]))
    known = METRICS[metric]
    suffix = SUFFIXES.get(known.unit)
    has_unit = suffix is not None and (metric == suffix or metric.endswith(f"_{suffix}"))
    yield from _family(metric, f"{known.meaning}, in {known.unit}", samples, suffix if has_unit else None)


def _missing(request: Request) -> list[Labels]:
    """Return the cases that the base has and this run does not."""
    rows = () if request.base is None else request.base.rows
    return [{**_identity(request, row), "status": row.problem} for row in rows if row.problem == "missing"]


def _identity(request: Request, row: Row) -> dict[str, str]:
    return {"case": printable(row.case), "task": printable(row.task), "hardware": hardware(request.run)}


def _health(cases: Sequence[tuple[Labels, Mapping[str, Any]]], missing: Sequence[Labels]) -> Iterator[str]:
    ended: list[Sample] = [
        ({**labels, "status": record["status"]}, float(record["status"] == "ok")) for labels, record in cases
    ]
    ended += [(labels, 0.0) for labels in missing]
    valid = [
        (labels, float(record["validity"]["ok"])) for labels, record in cases if record["status"] == "ok"
    ]
    yield from _family("case_ok", "1: the case ended well", ended)
    yield from _family("record_valid", "0: a flag speaks against the record", valid)


def _changes(request: Request) -> Iterator[str]:
    if request.base is None:
        return
    samples = [
        (
            {
                **_identity(request, row),
                "metric": change.metric,
                "relative": str(change.relative).lower(),
                "verdict": change.verdict,
            },
            change.change,
        )
        for row in request.base.rows
        for change in row.changes.values()
        if change.change is not None and math.isfinite(change.change)
    ]
    yield from _family("change", "change from base to head", samples)


def _family(name: str, meaning: str, samples: Sequence[Sample], unit: str | None = None) -> Iterator[str]:
    if not samples:
        return
    whole = PREFIX + name
    yield f"# TYPE {whole} gauge"
    if unit is not None:
        yield f"# UNIT {whole} {unit}"
    yield f"# HELP {whole} {_escaped(meaning)}"
    for labels, value in samples:
        yield f"{whole}{{{_labels(labels.items())}}} {value!r}"


def _labels(labels: Iterable[tuple[str, str]]) -> str:
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in labels)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
