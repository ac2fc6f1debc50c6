"""The pytest plugin: the `energy` fixture, one record per case, the table at the end.

A suite in any project imports what it needs from here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator
from typing import Any

import pytest

from energy.fault import COLLAPSED
from energy.measuring.case import Case, Repeat
from energy.measuring.run import Device, Run, open_run_meters
from energy.meters import Meters, MeterUnavailable
from energy.plugin import dry_run, ending, hookspecs, options
from energy.plugin.hookspecs import Plan, Schedule
from energy.plugin.items import CASE, REPEAT, RUN, USAGE_ERROR, case_name, is_measured, open_run, storage
from energy.plugin.live import Live
from energy.plugin.order import Place
from energy.records.schema import RecordError
from energy.records.storage.runfile import StoreError
from energy.report.terminal import table
from energy.text import show_controls

__all__ = [
    "COLLAPSED",
    "Case",
    "Device",
    "Live",
    "Place",
    "Plan",
    "Repeat",
    "Run",
    "Schedule",
    "open_meters_of",
    "open_run",
    "storage",
]

# Gates, the order of measuring and its limit have their own hooks, after those here.
pytest_plugins = ("energy.plugin.gating", "energy.plugin.scheduling", "energy.plugin.energy_limit")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Define the options, in pytest-benchmark's words."""
    options.add_options(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Let a suite predict its cases."""
    pluginmanager.add_hookspecs(hookspecs)


def pytest_configure(config: pytest.Config) -> None:
    """Check every option now: a mistake costs a second, not an hour of training."""
    try:
        options.table_choices(config)
        options.read_settings(config)
    except ValueError as mistake:
        raise pytest.UsageError(str(mistake)) from None


@pytest.fixture(scope="session")
def energy_device() -> Device:
    """Override this where GPUs are measured: which ones, and how to wait for the work queued on them."""
    return Device()


@pytest.fixture(scope="session")
def energy_run(request: pytest.FixtureRequest, energy_device: Device) -> Run:
    """Open the run when the first measured case asks for it: meters, results folder, idle power.

    A case that is measured again after pytest has torn down its fixtures gets the run that is open.
    """
    config = request.config
    if RUN in config.stash:
        return config.stash[RUN]
    if hasattr(config, "workerinput"):
        pytest.fail(
            "cases that run side by side share their joules: leave out pytest-xdist's -n", pytrace=False
        )
    sources = tuple(folder for own in config.hook.pytest_energy_sources(config=config) for folder in own)
    run = Run(options.read_settings(config), energy_device, Live(config).say, sources=sources)
    try:
        run.open()
    except (MeterUnavailable, StoreError, RecordError, ValueError) as mistake:
        pytest.exit(f"joulebench: {mistake}", returncode=USAGE_ERROR)
    config.stash[RUN] = run
    config.hook.pytest_energy_opened(config=config, run=run)
    return run


@pytest.fixture(name="energy")
def energy_fixture(request: pytest.FixtureRequest, energy_run: Run) -> Case:
    """Measure with `energy(function, ...)`, or in windows; see `Case`."""
    case = energy_run.case(case_name(request.node), *request.node.stash.get(REPEAT, (1, 1)))
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
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Give SIGTERM the end that Ctrl-C has, while a case is measured."""
    with ending.sigterm_as_interrupt(item.config) if is_measured(item) else contextlib.nullcontext():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Record a case however it ends: well, badly, or by Ctrl-C."""
    case = item.stash.get(CASE, None)
    try:
        yield
    except pytest.skip.Exception:
        raise
    except BaseException as problem:
        end = ending.interruption(item.config) or problem
        if case is not None:
            case.failed(end)
            _finish(item, case)
        if end is not problem:
            raise end from problem
        raise
    if case is not None and case.repeats:
        _finish(item, case)


def _finish(item: pytest.Item, case: Case) -> None:
    run = open_run(item.config)
    if run is None:  # a forked child that has left the test's body: the case is its parent's
        return
    finished = run.finish(case)
    # Not through `record_property`: that fixture warns once per test under JUnit's default family.
    item.user_properties += [(name, figure["mean"]) for name, figure in finished["metrics"].items()]


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """Print the plan instead of running it (`--energy-dry-run`)."""
    if session.config.getoption("energy_dry_run") and not session.config.option.collectonly:
        dry_run.show(session.config, [item for item in session.items if is_measured(item)])
        return True
    return None


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, None, None]:
    """Write the run's file, also when the session was interrupted."""
    try:
        yield
    finally:
        if (run := open_run(session.config)) is not None:
            run.close(ended=ending.came_to_its_end(session))


def open_meters_of(config: pytest.Config, device: Device) -> Meters:
    """Open the meters that the run would use, to predict what it will cost."""
    return open_run_meters(options.read_settings(config), device, Live(config).say)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Show the table, and where the numbers are."""
    run = open_run(config)
    records = [] if run is None else run.recorder.whole_run()
    if run is None or not records:
        return
    columns, sort = options.table_choices(config)
    terminalreporter.section("energy")
    told = table.format_table(records, columns=columns, sort=sort, idle=run.idle)
    terminalreporter.write_line(show_controls(told))
    for path in (run.written, run.settings.json_path):
        if path is not None:
            terminalreporter.write_line(f"written: {path}")
