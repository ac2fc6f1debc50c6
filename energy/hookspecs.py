"""Hooks that a suite of measured cases can implement."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pytest


@dataclass(frozen=True)
class Plan:
    """What a case is expected to take, and how that is known; None is unknown."""

    name: str
    seconds: float | None
    kj: float | None
    basis: str


@pytest.hookspec(firstresult=True)
def pytest_energy_plan(config: pytest.Config, items: Sequence[pytest.Item]) -> Iterable[Plan] | None:
    """Predict the cases that would run, for `--energy-dry-run`; they are printed as they come."""
