"""`--energy-max-kj`: begin no further case once a run has spent so much. Brought along by `energy.plugin`.

What counts is all that the meters have seen since they were opened, also what pytest and the suite took
between the cases: it is the machine's bill. A run that ends so is an interrupted one: exit code 2, the cases
that are left are skipped with the reason, and `--energy-resume` goes on with them.
"""

from __future__ import annotations

import math
from collections.abc import Generator

import pytest

from energy.measuring.figures import total_joules
from energy.measuring.run import Run
from energy.meters import read
from energy.plugin import ending
from energy.plugin.items import RUN, USAGE_ERROR, is_measured
from energy.reading import Reading
from energy.records.metrics import JOULES_PER_KJ

OPENED = pytest.StashKey[Reading]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Define the option."""
    parser.getgroup("energy").addoption(
        "--energy-max-kj",
        metavar="X",
        type=float,
        help="begin no case once X kJ have been spent; exit code 2",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Refuse what is no energy."""
    most = config.getoption("energy_max_kj")
    if most is not None and not (math.isfinite(most) and most > 0):
        raise pytest.UsageError(f"--energy-max-kj {most:g}: expected kJ, more than 0")


def pytest_energy_opened(config: pytest.Config, run: Run) -> None:
    """Begin to count, if the total can be known here."""
    if config.getoption("energy_max_kj") is None:
        return
    config.stash[OPENED] = read(run.meters)
    _, unknown = _spent_kj(config, run)
    if unknown is not None:
        pytest.exit(f"joulebench: --energy-max-kj: {unknown}", returncode=USAGE_ERROR)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a case that would begin after the limit; nobody knows beforehand what it takes."""
    run, most = item.config.stash.get(RUN, None), item.config.getoption("energy_max_kj")
    if most is None or run is None or not is_measured(item):
        return
    spent, unknown = _spent_kj(item.config, run)
    if spent is not None and spent < most:
        return
    ending.stop(item.config)
    reason = f"{spent:.3g} kJ spent" if spent is not None else f"what is spent is not known: {unknown}"
    pytest.skip(f"--energy-max-kj {most:g}: {reason}; --energy-resume goes on")


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, None, None]:
    """Give a run that was stopped the exit code of an interruption, before its file is written."""
    ending.set_exit_code(session)
    yield


def _spent_kj(config: pytest.Config, run: Run) -> tuple[float | None, str | None]:
    """Return what the meters have counted since they were opened, or None and the reason."""
    joules, unknown = total_joules(read(run.meters) - config.stash[OPENED])
    return (None, unknown) if joules is None else (joules / JOULES_PER_KJ, None)
