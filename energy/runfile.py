"""One run as a file: a superset of pytest-benchmark's format, so that its own command line reads our results."""

from collections.abc import Mapping, Sequence
from typing import Any


def as_pytest_benchmark(
    records: Sequence[Mapping[str, Any]],
    energy: Mapping[str, Any],
    *,
    machine: Mapping[str, Any] | None = None,
    commit: Mapping[str, Any] | None = None,
    time: str | None = None,
) -> dict[str, Any]:
    """Return the run file of `records`; `energy` is its file-level block.

    The seconds of each round come from the record: metrics.seconds.values, or error.seconds of a case that failed
    before its first round ended. `machine`, `commit` and `time` (ISO 8601) default to this machine, checkout and now.
    """
    raise NotImplementedError
