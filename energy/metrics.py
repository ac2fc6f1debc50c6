"""The metrics of a record: unit, direction and meaning of each, in one table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Better = Literal["higher", "lower"] | None


@dataclass(frozen=True)
class Metric:
    """Name a figure, its unit, the direction that is better (None: neither) and what it means."""

    name: str
    unit: str
    better: Better
    meaning: str


METRICS: Mapping[str, Metric] = {}


def summarise(name: str, values: Sequence[float | None], reason: str | None = None) -> dict[str, Any]:
    """Return {"unit", "better", "values", "mean", "ci95"} (+ "reason" when a value is None) for one metric."""
    raise NotImplementedError
