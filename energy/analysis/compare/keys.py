"""What makes two records of one case incomparable, by name: `epochs 12 → 30` and not two hashes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from energy.records import store
from energy.records.schema import RecordError
from energy.records.store import StoreError
from energy.records.summary import CaseSummary, RunSummary

Record = Mapping[str, Any]

# What must be equal, or the two records do not answer the same question. Hardware is a matter of the whole
# run, software only of a warning.
MUST_AGREE = ("data", "case")
MOST_NAMED = 4
LONGEST = 40
ABSENT = "(not there)"


def differing(before: CaseSummary, after: CaseSummary) -> list[str]:
    """Name the keys that must agree, that both have, and that do not agree."""
    both = [name for name in MUST_AGREE if name in before.keys and name in after.keys]
    return [name for name in both if before.keys[name] != after.keys[name]]


def records(run: RunSummary) -> dict[tuple[str, str], Record]:
    """Return a run's records by case and task; none where its file is gone or was never written.

    A summary holds hashes only, so what is behind them must be read again.
    """
    if not run.path.is_file():
        return {}
    try:
        found = store.records_in(store.parse(run.path))
    except (RecordError, StoreError):
        return {}
    return {(record["case"], record["task"]): record for record in found}


def difference(before: Record | None, after: Record | None) -> str:
    """Name the fields of budget and recipe that differ, as the end of a sentence.

    >>> difference({"budget": {"epochs": 12}}, {"budget": {"epochs": 30}})
    ': epochs 12 → 30'
    >>> difference(None, {"budget": {"epochs": 30}})
    ''
    """
    if before is None or after is None:
        return ""
    # What only one side has is a setting that the program has got or lost meanwhile: it comes last.
    found = sorted(_named(before, after), key=lambda text: ABSENT in text)
    rest = f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
    return f": {', '.join(found[:MOST_NAMED])}{rest}" if found else ""


def _named(before: Record, after: Record) -> Iterator[str]:
    """Yield each field that differs; one that only one side has differs, too."""
    for block in ("budget", "recipe"):
        early, late = before.get(block, {}), after.get(block, {})
        for name in dict.fromkeys([*early, *late]):
            if early.get(name) != late.get(name) or (name in early) != (name in late):
                yield f"{name} {_short(early, name)} → {_short(late, name)}"


def _short(block: Mapping[str, Any], name: str) -> str:
    if name not in block:
        return ABSENT
    text = str(block[name])
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
