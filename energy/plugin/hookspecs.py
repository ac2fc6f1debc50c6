"""Hooks that a suite of measured cases can implement."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from energy.measuring.run import Run
    from energy.plugin.order import Place
    from energy.records.summary import CaseSummary


@dataclass(frozen=True)
class Plan:
    """What a case is expected to take, and how that is known; None is unknown."""

    name: str
    seconds: float | None
    kj: float | None
    basis: str


@dataclass(frozen=True)
class Schedule:
    """When a case is measured, and how often.

    Args:
        repeats: so many times, each time the test is run anew; its `energy.number` tells which it is.
        place: "first" in every block of repeats, "last" of all, or "anywhere".
        cost: what the case takes, in any unit, for `--energy-shard`. It must be the same on every machine, so
            it may depend on nothing that was measured here.
    """

    repeats: int = 1
    place: Place = "anywhere"
    cost: float = 1.0


@pytest.hookspec(firstresult=True)
def pytest_energy_schedule(item: pytest.Item) -> Schedule | None:
    """Say when and how often a case is measured; None: as its marker `energy_repeats` says, or once."""


@pytest.hookspec(firstresult=True)
def pytest_energy_plan(config: pytest.Config, items: Sequence[pytest.Item]) -> Iterable[Plan] | None:
    """Predict the cases that would run, for `--energy-dry-run`; they are printed as they come."""


@pytest.hookspec
def pytest_energy_opened(config: pytest.Config, run: Run) -> None:
    """Do what must be done once the meters are open, before anything is measured."""


@pytest.hookspec
def pytest_energy_sources(config: pytest.Config) -> Sequence[Path] | None:
    """Name the folders of the code that is measured: a new file below them is in no commit."""


@pytest.hookspec(firstresult=True)
def pytest_energy_leaves_out(config: pytest.Config, case: CaseSummary) -> bool | None:
    """Tell whether an option of the suite leaves a case of the baseline out, which is then not missing.

    pytest knows what `-k`, `-m` and paths leave out; this is for a suite's own options, which decide what is
    collected at all. None or False: it is asked for.
    """
