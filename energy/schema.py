"""Check records and run files against `schema.json`, and say in words what is wrong where."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

SCHEMA = 1


class RecordError(ValueError):
    """A record, journal or run file is not what it must be; names file, place, expectation and remedy."""


def check_record(record: Mapping[str, Any], where: str) -> None:
    """Raise RecordError unless `record` is a valid case record (`extra_info.energy`); `where` names its origin."""
    raise NotImplementedError


def check_run(data: Any, path: Path | str) -> None:
    """Raise RecordError unless `data` is a valid run file; a plain pytest-benchmark file (no "energy") is accepted."""
    raise NotImplementedError
