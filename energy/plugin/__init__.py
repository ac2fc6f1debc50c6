"""The pytest plugin: options, the `energy` fixture, one record per case, the table at the end."""

from __future__ import annotations

import contextlib
import math
import os
import re
import shlex
import signal
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from energy.measuring.case import Case
from energy.measuring.run import Device, Session, Settings
from energy.meters import MeterUnavailable
from energy.plugin import dry_run as dryrun
from energy.plugin import hookspecs
from energy.plugin.live import Live
from energy.records.runfile import StoreError
from energy.records.schema import RecordError
from energy.records.store import check_name
from energy.report.terminal import table

# Gates, the order of measuring and its limit have their own hooks, after those here.
pytest_plugins = ("energy.plugin.gating", "energy.plugin.scheduling", "energy.plugin.energy_limit")

USAGE_ERROR = 4
FOLDERS = re.compile(r"(?<![\w.])(?:/[^/\s]+)*/(?=[^/\s])")
SESSION = pytest.StashKey[Session]()
CASE = pytest.StashKey[Case]()
TERMINATED = pytest.StashKey[bool]()
REPEAT = pytest.StashKey[tuple[int, int]]()  # which of how many, of a test that is run once for each


def pytest_addoption(parser: pytest.Parser) -> None:
    """Define the options, in pytest-benchmark's words."""
    group = parser.getgroup("energy", "joules, and what they buy")
    option = group.addoption
    option(
        "--energy-meters",
        metavar="LIST",
        default="auto",
        help="for example nvml,rapl (default: all that work)",
    )
    option(
        "--energy-outside",
        metavar="SOURCE",
        help="a meter of the whole machine: the file that its logger writes, or '!COMMAND' that prints watts",
    )
    option("--energy-storage", metavar="DIR", help="folder of the results (default: results/ of the project)")
    option("--energy-save", metavar="NAME", help="save the run as NNNN_NAME.json")
    option("--energy-autosave", action="store_true", help="save the run as NNNN_COMMIT.json")
    option("--energy-json", metavar="PATH", help="write the run to this file, too")
    option("--energy-resume", action="store_true", help="go on with the last unfinished run")
    option(
        "--energy-dry-run", action="store_true", help="list the cases with predicted minutes and kJ; run none"
    )
    option(
        "--energy-idle",
        metavar="SECONDS",
        type=float,
        default=5.0,
        help="idle power is measured so long first",
    )
    option("--energy-columns", metavar="LIST", help="columns of the table, by metric name")
    option("--energy-sort", metavar="COLUMN", help="column by which the table is sorted")
    parser.addini(
        "energy_grid_g_per_kwh", "grams of CO2 per kWh of the grid that feeds this machine, for co2_g"
    )


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Let a suite predict its cases."""
    pluginmanager.add_hookspecs(hookspecs)


def pytest_configure(config: pytest.Config) -> None:
    """Check every option now: a mistake costs a second, not an hour of training."""
    try:
        _table_choices(config)
        _settings(config)
    except ValueError as mistake:
        raise pytest.UsageError(str(mistake)) from None


@pytest.fixture(scope="session")
def energy_device() -> Device:
    """Override this where GPUs are measured: which ones, and how to wait for the work queued on them."""
    return Device()


@pytest.fixture(scope="session")
def energy_session(request: pytest.FixtureRequest, energy_device: Device) -> Session:
    """Open the run when the first measured case asks for it: meters, results folder, idle power.

    A case that is measured again after pytest has torn down its fixtures gets the run that is open.
    """
    config = request.config
    if SESSION in config.stash:
        return config.stash[SESSION]
    if hasattr(config, "workerinput"):
        pytest.fail(
            "cases that run side by side share their joules: leave out pytest-xdist's -n", pytrace=False
        )
    live = Live(config)
    session = Session(_settings(config), energy_device, live.say)
    try:
        session.open()
    except (MeterUnavailable, StoreError, RecordError, ValueError) as mistake:
        pytest.exit(f"joulebench: {mistake}", returncode=USAGE_ERROR)
    config.stash[SESSION] = session
    config.hook.pytest_energy_opened(config=config, session=session)
    return session


@pytest.fixture(name="energy")
def energy_fixture(request: pytest.FixtureRequest, energy_session: Session) -> Case:
    """Measure with `energy(function, ...)`, or in windows; see `energy.measuring.case.Case`."""
    case = energy_session.case(case_name(request.node), *request.node.stash.get(REPEAT, (1, 1)))
    case.node = request.node.nodeid
    request.node.stash[CASE] = case
    return case


@pytest.fixture
def energy_live(request: pytest.FixtureRequest) -> Iterator[Live]:
    """Tell the user how far the case is."""
    live = Live(request.config)
    yield live
    live.clear()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Record a case however it ends: well, badly, or by Ctrl-C."""
    case = item.stash.get(CASE, None)
    try:
        yield
    except pytest.skip.Exception:
        raise
    except BaseException as problem:
        end = _interruption(item.config) or problem
        if case is not None:
            case.failed(end)
            _finish(item, case)
        if end is not problem:
            raise end from problem
        raise
    if case is not None and case.repeats:
        _finish(item, case)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """Print the plan instead of running it (`--energy-dry-run`)."""
    if session.config.getoption("energy_dry_run") and not session.config.option.collectonly:
        dryrun.show(session.config, [item for item in session.items if is_measured(item)])
        return True
    return None


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, None, None]:
    """Write the run's file, also when the session was interrupted."""
    try:
        yield
    finally:
        run = session.config.stash.get(SESSION, None)
        if run is not None and run.is_ours:
            run.close(interrupted=session.exitstatus == pytest.ExitCode.INTERRUPTED)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Show the table, and where the numbers are."""
    run = config.stash.get(SESSION, None)
    if run is None or not run.is_ours or not run.records:
        return
    columns, sort = _table_choices(config)
    terminalreporter.section("energy")
    terminalreporter.write_line(table.format_table(run.records, columns=columns, sort=sort, idle=run.idle))
    for path in (run.written, run.settings.json_path):
        if path is not None:
            terminalreporter.write_line(f"written: {path}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Give SIGTERM the end that Ctrl-C has: this case is lost, the run's file is written."""
    with _sigterm_as_interrupt(item.config) if is_measured(item) else contextlib.nullcontext():
        return (yield)


@contextlib.contextmanager
def _sigterm_as_interrupt(config: pytest.Config) -> Iterator[None]:
    owner = os.getpid()

    def interrupt(number: int, _: FrameType | None) -> None:
        if os.getpid() != owner:  # a forked worker dies of SIGTERM as it would without us
            os._exit(128 + number)
        config.stash[TERMINATED] = True
        raise KeyboardInterrupt("SIGTERM")

    previous = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _interruption(config: pytest.Config) -> KeyboardInterrupt | None:
    """Return the interrupt that SIGTERM meant, whatever exception came of it.

    A scheduler sends SIGTERM to a job's loader workers, too; torch then raises that a worker died.
    """
    return KeyboardInterrupt("SIGTERM") if config.stash.get(TERMINATED, False) else None


def _finish(item: pytest.Item, case: Case) -> None:
    run = item.config.stash[SESSION]
    if not run.is_ours:  # a forked child that has left the test's body: the case is its parent's
        return
    finished = run.finish(case)
    # Not through `record_property`: that fixture warns once per test under JUnit's default family.
    item.user_properties += [(name, figure["mean"]) for name, figure in finished["metrics"].items()]


def is_measured(item: pytest.Item) -> bool:
    """Tell whether a test asks for the meters."""
    return "energy" in getattr(item, "fixturenames", ())


def case_name(item: pytest.Item) -> str:
    """Name a case by its test; in a suite whose marker `case` says that the parameters are it, by them."""
    callspec = getattr(item, "callspec", None)
    return item.name if callspec is None or not item.get_closest_marker("case") else str(callspec.id)


def storage(config: pytest.Config) -> Path:
    """Return the folder of the results: as asked, or `results/` beside the project's ini file."""
    asked = config.getoption("energy_storage")
    return _from_here(config, asked) if asked else config.rootpath / "results"


def _from_here(config: pytest.Config, path: str) -> Path:
    """Return where a path of the command line leads, also once a test has changed the working folder."""
    return config.invocation_params.dir / path


def _settings(config: pytest.Config) -> Settings:
    option = config.getoption
    if option("energy_idle") < 0:
        raise ValueError(f"--energy-idle {option('energy_idle'):g}: expected seconds, 0 (not at all) or more")
    if option("energy_save") is not None:
        check_name(option("energy_save"))
    return Settings(
        meters=option("energy_meters"),
        outside=option("energy_outside"),
        idle_seconds=option("energy_idle"),
        storage=storage(config),
        save=bool(option("energy_save") or option("energy_autosave")),
        name=option("energy_save"),
        json_path=_from_here(config, option("energy_json")) if option("energy_json") else None,
        resume=option("energy_resume"),
        grid_g_per_kwh=_grid_g_per_kwh(config.getini("energy_grid_g_per_kwh")),
        # Records are shared: of a path only its last part goes into them.
        command=shlex.join(["pytest", *(FOLDERS.sub("", word) for word in sys.argv[1:])]),
    )


def _grid_g_per_kwh(text: str) -> float | None:
    if not text:
        return None
    try:
        grams = float(text)
    except ValueError:
        grams = math.nan
    if not (math.isfinite(grams) and grams >= 0):
        raise ValueError(f"energy_grid_g_per_kwh = {text}: expected grams of CO2 per kWh, e.g. 475")
    return grams


def _table_choices(config: pytest.Config) -> tuple[tuple[str, ...] | None, str | None]:
    columns, sort = config.getoption("energy_columns"), config.getoption("energy_sort")
    return table.parse_columns(columns) if columns else None, table.parse_sort(sort) if sort else None
