"""What records of earlier versions call otherwise is translated when they are read, never written back."""

from collections.abc import Mapping
from typing import Any

from energy.records.keys import update_key
from energy.records.provenance import MACHINE, PROCESS, find_boundary
from energy.records.validity import make_validity

Record = dict[str, Any]

# All that counted one process tree before the boundary was named.
OF_THE_PROCESS = ("cpu_seconds_model",)


def update_run(run: Mapping[str, Any]) -> None:
    """Make the records of a run file, not validated yet, what this version would have written."""
    for benchmark in run["benchmarks"]:
        record = _find_record(benchmark)
        if record is not None:
            update_record(record)
    for record in _list_again(run):
        update_record(record)


def update_record(record: Record) -> None:
    """Make one record, not validated yet, what this version would have written."""
    update_key(record)
    _split_flags(record)
    _name_boundaries(record)


def name_boundary(source: str) -> str:
    """Return what a source counted before it said so itself."""
    return PROCESS if source in OF_THE_PROCESS else MACHINE


def _find_record(benchmark: Any) -> Record | None:
    extra = benchmark.get("extra_info") if isinstance(benchmark, dict) else None
    record = extra.get("energy") if isinstance(extra, dict) else None
    return record if isinstance(record, dict) else None


def _list_again(run: Mapping[str, Any]) -> list[Record]:
    """Return what was measured once more because of an alarm."""
    block = run.get("energy")
    confirmation = block.get("confirmation") if isinstance(block, dict) else None
    records = confirmation.get("records") if isinstance(confirmation, dict) else None
    return [one for one in records if isinstance(one, dict)] if isinstance(records, list) else []


def _split_flags(record: Record) -> None:
    """Divide the one list of flags into its two classes; any flag made a record invalid then."""
    validity = record.get("validity")
    if not isinstance(validity, dict) or "flags" not in validity:
        return
    flags, was_ok = validity["flags"], validity.get("ok")
    if not isinstance(flags, list) or not all(isinstance(flag, str) for flag in flags):
        return
    # Without a flag nobody knows what had spoken against it.
    record["validity"] = make_validity(flags) if flags else {"ok": was_ok, "invalid": [], "notes": []}


def _name_boundaries(record: Record) -> None:
    """Say what each domain is of, and the total. Figures stay: one that mixes both is called so."""
    domains = record.get("domains")
    if not isinstance(domains, list) or not all(_has_source(domain) for domain in domains):
        return
    for domain in domains:
        domain.setdefault("boundary", name_boundary(domain["source"]))
    # Else it is damaged, as a check will say.
    if all(isinstance(domain["boundary"], str) for domain in domains):
        record.setdefault("boundary", find_boundary(domains))


def _has_source(domain: Any) -> bool:
    return isinstance(domain, dict) and isinstance(domain.get("source"), str) and "witness" in domain
