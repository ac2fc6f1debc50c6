"""Hooks that a suite of measured cases can implement."""

from __future__ import annotations

from dataclasses import dataclass

import pytest


@dataclass(frozen=True)
class Plan:
    """What a case is expected to take, and how that is known."""

    seconds: float | None
    kj: float | None
    basis: str


@pytest.hookspec(firstresult=True)
def pytest_energy_plan(item: pytest.Item) -> Plan | None:
    """Predict one case for `--energy-dry-run`; None leaves it to the next implementation."""
