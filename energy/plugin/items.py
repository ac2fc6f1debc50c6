"""What the parts of the plugin know of a test, of its case and of the run that it belongs to."""

from __future__ import annotations

from pathlib import Path

import pytest

from energy.measuring.case import Case
from energy.measuring.run import Run

USAGE_ERROR = 4
RUN = pytest.StashKey[Run]()
CASE = pytest.StashKey[Case]()
REPEAT = pytest.StashKey[tuple[int, int]]()  # which of how many, of a test that is run once for each


def is_measured(item: pytest.Item) -> bool:
    """Tell whether a test asks for the meters."""
    return "energy" in getattr(item, "fixturenames", ())


def case_name(item: pytest.Item) -> str:
    """Name a case by its test; in a suite whose marker `case` says that the parameters are it, by them."""
    callspec = getattr(item, "callspec", None)
    return item.name if callspec is None or not item.get_closest_marker("case") else str(callspec.id)


def open_run(config: pytest.Config) -> Run | None:
    """Return the run that is open or has been closed; None before its first case, and in a forked child."""
    run = config.stash.get(RUN, None)
    return run if run is not None and run.is_ours else None


def storage(config: pytest.Config) -> Path:
    """Return the folder of the results: as asked, or `results/` beside the project's ini file."""
    asked = config.getoption("energy_storage")
    return path_from_here(config, asked) if asked else config.rootpath / "results"


def path_from_here(config: pytest.Config, path: str) -> Path:
    """Return where a path of the command line leads, also once a test has changed the working folder."""
    return config.invocation_params.dir / path
