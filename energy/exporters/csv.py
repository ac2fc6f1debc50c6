"""CSV for spreadsheets and statistics: one row per case, metric and repeat."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from energy.exporters import Exported, Request
from energy.exporters._cases import records, sources
from energy.exporters._sheet import Cell, table
from energy.records import provenance
from energy.records.volumes import list_folds, list_seeds

OPTIONS = ()

# `kind` says whether an energy is measured, modelled or mixed, `boundary` whether it is of the process tree
# or of the machine; both are empty for what is no energy. `reason` says why a value is not there, or why the
# case failed.
COLUMNS = (
    "case", "task", "arch", "technique", "status", "metric", "unit", "better", "repeat", "seed", "fold",
    "value", "reason", "kind", "boundary", "sources", "invalid", "notes", "hardware", "run", "commit",
    "dirty", "date",
)  # fmt: skip


def export(request: Request) -> Exported:
    """Return one row per value; a case that failed has one without any."""
    found = records(request)
    made = _of_run(request)
    rows = ({**row, **made} for record in found for row in _rows(record))
    return Exported({".csv": table(COLUMNS, rows)})


def _of_run(request: Request) -> dict[str, Cell]:
    commit = request.run["commit_info"]
    return {
        "hardware": request.run["energy"]["fingerprint"],
        "run": request.reference,
        "commit": str(commit["id"]),
        "dirty": _yes(commit["dirty"]),
        "date": request.run["datetime"],
    }


def _rows(record: Mapping[str, Any]) -> Iterator[dict[str, Cell]]:
    case = {name: record[name] for name in ("case", "task", "arch", "technique", "status")}
    case |= {"sources": sources(record)}
    case |= {name: ", ".join(record["validity"][name]) for name in ("invalid", "notes")}
    if not record["metrics"]:
        error = record["error"] or {"type": "no metric", "message": "the record has none"}
        yield {**case, "reason": f"{error['type']}: {error['message']}"}
    for name, figure in record["metrics"].items():
        about = {"metric": name, "unit": figure["unit"], "better": figure["better"]}
        kind = provenance.kind_of(record, name)
        made = {"kind": kind, "boundary": provenance.boundary_of(record, name)}
        for number, value in enumerate(figure["values"]):
            yield {**case, **about, **_value(record, figure, number, value), **made}


def _value(record: Mapping[str, Any], figure: Mapping[str, Any], number: int, value: Any) -> dict[str, Cell]:
    seeds, folds = list_seeds(record), list_folds(record)
    return {
        "repeat": number,
        "seed": seeds[number] if number < len(seeds) else None,
        "fold": folds[number] if number < len(folds) else None,
        "value": value,
        "reason": figure.get("reason") if value is None else None,
    }


def _yes(dirty: bool) -> str:
    return "yes" if dirty else "no"
