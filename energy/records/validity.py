"""What is to be said against a record: flags that make it unusable, and flags that its bands hold already."""

from collections.abc import Iterable, Mapping
from typing import Any

from energy.fault import NOTES


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


def describe_validity(record: Mapping[str, Any]) -> str:
    """Write both classes: `ok`, `ok; noted: undersampled`, `invalid: throttled; noted: undersampled`."""
    invalid, notes = ", ".join(list_objections(record)), ", ".join(record["validity"]["notes"])
    return (f"invalid: {invalid}" if invalid else "ok") + (f"; noted: {notes}" if notes else "")
