"""What is to be said against a record: flags that make it unusable, and flags that its bands hold already."""

from collections.abc import Iterable, Mapping
from typing import Any

from energy.fault import COLLAPSED, NOTES


def make_validity(flags: Iterable[str]) -> dict[str, Any]:
    """Return a record's `validity` from the flags of its repeats.

    >>> make_validity(["throttled", "undersampled", "throttled"])
    {'ok': False, 'invalid': ['throttled'], 'notes': ['undersampled']}
    """
    found = sorted(set(flags))
    invalid = [flag for flag in found if flag not in NOTES]
    return {"ok": not invalid, "invalid": invalid, "notes": [flag for flag in found if flag in NOTES]}


def list_flags(record: Mapping[str, Any]) -> list[str]:
    """Return the flags of a record, of both classes."""
    return [*record["validity"]["invalid"], *record["validity"]["notes"]]


def list_objections(record: Mapping[str, Any]) -> list[str]:
    """Return why the figures of a record cannot be used; empty if they can."""
    validity = record["validity"]
    return [] if validity["ok"] else list(validity["invalid"]) or ["not valid, no reason recorded"]


def describe_notes(record: Mapping[str, Any]) -> list[str]:
    """Return the notes; how many repeats of a case collapsed, where it says so of each."""
    told = describe_collapse(record)
    return [told if told and note == COLLAPSED else note for note in record["validity"]["notes"]]


def describe_collapse(record: Mapping[str, Any]) -> str:
    """Say how many repeats learnt nothing, `1 of 3 collapsed`; "" if none did."""
    if COLLAPSED not in record["validity"]["notes"]:
        return ""
    facts = record.get("setup")
    each = [one for one in facts if isinstance(one, Mapping)] if isinstance(facts, list) else []
    count = sum(one.get(COLLAPSED) is True for one in each)
    return f"{count} of {len(each)} collapsed" if count else COLLAPSED


def describe_validity(record: Mapping[str, Any]) -> str:
    """Write both classes: `ok`, `ok; noted: undersampled`, `invalid: throttled; noted: 1 of 3 collapsed`."""
    invalid = ", ".join(list_objections(record))
    notes = ", ".join(describe_notes(record))
    return (f"invalid: {invalid}" if invalid else "ok") + (f"; noted: {notes}" if notes else "")
