"""The folder is the registry: one file, one meter, found by its name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, cast

from energy._registry import list_entries, load_entry
from energy.meters._meter import Diagnosis, Meter


class MeterFile(Protocol):
    """What a file in this folder must define: `DOMAINS` says what it can measure."""

    DOMAINS: tuple[str, ...]

    def open(self, gpus: Sequence[str] | None = None, **told: Any) -> Meter:
        """Return the meter, or raise MeterUnavailable; `told` is what this one may be told."""

    def diagnose(self, gpus: Sequence[str] | None = None) -> Diagnosis:
        """Say whether `open` would work, and what to do if it would not."""


class OutsideFile(MeterFile, Protocol):
    """A meter that must be told where it is."""

    def open(self, gpus: Sequence[str] | None = None, *, source: str | None = None, **told: Any) -> Meter:
        """Return the meter of this source, or raise MeterUnavailable."""


def names() -> tuple[str, ...]:
    """Return the names of all meters, in alphabetical order."""
    return list_entries("energy.meters")


def meter_file(name: str) -> MeterFile:
    """Import one meter's file.

    Raises:
        ValueError: there is no meter of that name; the nearest names are given.
    """
    return cast(MeterFile, load_entry("energy.meters", "meter", name))
