"""When each case is measured: shards, blocks in random order, repeats one by one, cool-down before windows.

A plugin of its own, which `energy.plugin` brings along. To pytest a case of several repeats is one test that
is run so many times: clones of it stand in the list of tests to run, and what is reported (dots, counts,
JUnit, --lf, --maxfail) is the last of them, or the one that fails.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from energy.measuring import cooling
from energy.measuring.run import Run
from energy.plugin.hookspecs import Schedule
from energy.plugin.items import REPEAT, RUN, case_name, is_measured
from energy.plugin.live import Live
from energy.plugin.order import (
    Entry,
    Order,
    Shard,
    parse_order,
    parse_shard,
    part_cases,
    plan_sequence,
)

MARKER = "energy_repeats"
ORDER = pytest.StashKey[Order]()
SHARD = pytest.StashKey[Shard | None]()
COLLECTED = pytest.StashKey[tuple[str, ...]]()
ALL_SHARDS = pytest.StashKey[tuple[str, ...]]()
SCHEDULE = pytest.StashKey[Schedule]()
EARLIER_SECONDS = pytest.StashKey[dict[str, float]]()  # by node id
# Of the run itself, and of the cases that it measures once more.
GIVEN_UP = {False: pytest.StashKey[set[str]](), True: pytest.StashKey[set[str]]()}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Define the options."""
    option = parser.getgroup("energy").addoption
    option(
        "--energy-order",
        metavar="ORDER",
        default="random",
        help="of the cases in each block of repeats: random, random:SEED or given (default: random)",
    )
    option("--energy-shard", metavar="I/N", help="measure the I-th of N parts of the cases; see merge")
    option(
        "--energy-cool-to",
        metavar="C",
        type=float,
        help="wait before each window until GPU or CPU have so many °C "
        f"(default: {cooling.TOLERANCE_C:.0f} more than before the first case)",
    )
    option(
        "--energy-cool-max",
        metavar="SECONDS",
        type=float,
        default=cooling.MOST_SECONDS,
        help=f"wait no longer; 0: not at all (default: {cooling.MOST_SECONDS:.0f})",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Read every option now: a mistake costs a second, not an hour of training."""
    config.addinivalue_line("markers", f"{MARKER}(n): measure the test n times, one at a time")
    option = config.getoption
    try:
        cooling.check(option("energy_cool_to"), option("energy_cool_max"))
        config.stash[ORDER] = parse_order(option("energy_order"))
        asked = option("energy_shard")
        config.stash[SHARD] = None if asked is None else parse_shard(asked)
    except ValueError as mistake:
        raise pytest.UsageError(str(mistake)) from None


@pytest.hookimpl(trylast=True)
def pytest_energy_schedule(item: pytest.Item) -> Schedule:
    """Schedule a case about which the suite says nothing: as often as its marker says."""
    marker = item.get_closest_marker(MARKER)
    if marker is None:
        return Schedule()
    match marker.args:
        case (int(repeats),) if repeats >= 1 and not marker.kwargs:
            return Schedule(repeats)
    raise pytest.UsageError(f"{item.nodeid}: {MARKER}{marker.args}: expected one whole number, 1 or more")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Ask how each case is scheduled, and leave those of the other shards out."""
    measured = [item for item in items if is_measured(item)]
    for item in measured:
        item.stash[SCHEDULE] = item.ihook.pytest_energy_schedule(item=item)
    shard = config.stash[SHARD]
    if shard is None:
        return
    costs = {case_name(item): item.stash[SCHEDULE].cost for item in measured}
    config.stash[ALL_SHARDS] = tuple(costs)
    own = part_cases(costs, shard.count)[shard.number - 1]
    left_out = {item for item in measured if case_name(item) not in own}
    if left_out:
        config.hook.pytest_deselected(items=list(left_out))
        items[:] = [item for item in items if item not in left_out]


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """Put the tests in the order in which they run; what pytest has collected and counted stays as it is."""
    config, items = session.config, session.items
    measured = [item for item in items if is_measured(item)]
    names: tuple[str, ...] = tuple(dict.fromkeys(map(case_name, measured)))
    config.stash[COLLECTED] = names
    if config.option.collectonly or config.getoption("energy_dry_run") or not measured:
        return
    schedules = [item.stash[SCHEDULE] for item in measured]
    entries = [Entry(schedule.repeats, schedule.place) for schedule in schedules]
    planned = plan_sequence(entries, config.stash[ORDER])
    _announce(config, len(measured), len(planned))
    runs = iter([_nth(measured[index], number, entries[index].repeats) for index, number in planned])
    items[:] = [*[next(runs) if is_measured(item) else item for item in items], *runs]


def pytest_energy_opened(config: pytest.Config, run: Run) -> None:
    """Tell the run its order and its shard, and take the temperatures that later windows shall begin with."""
    collected: tuple[str, ...] = config.stash[COLLECTED]
    run.recorder.plan(str(config.stash[ORDER]), collected)
    if (shard := config.stash[SHARD]) is not None:
        cases = [*config.stash[ALL_SHARDS]]
        run.recorder.note(shard={"number": shard.number, "count": shard.count, "cases": cases})
    run.cool_before_windows(config.getoption("energy_cool_to"), config.getoption("energy_cool_max"))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Run a repeat that is not the last without reporting it, unless its case ends with it."""
    number, of = item.stash.get(REPEAT, (1, 1))
    if of == 1:
        return None
    if case_name(item) in _given_up(item.config):
        _let_go_of_fixtures(item, nextitem)
        return True
    if number == of:
        return None
    reports = runtestprotocol(item, log=False, nextitem=nextitem)
    if _ends_the_case(item, number, reports):
        _given_up(item.config).add(case_name(item))
        _log(item, reports)
    else:
        _tell(item, number, of)
    return True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Give the report of a case the seconds of all its repeats."""
    report = yield
    number, of = item.stash.get(REPEAT, (1, 1))
    if of > 1 and call.when == "call":
        earlier = item.config.stash.setdefault(EARLIER_SECONDS, {})
        before = earlier.get(item.nodeid, 0.0) if number > 1 else 0.0
        report.duration = earlier[item.nodeid] = before + report.duration
    return report


def _given_up(config: pytest.Config) -> set[str]:
    """Return the cases whose later repeats are left out; measuring cases once more begins with none."""
    run = config.stash.get(RUN, None)
    is_again = run is not None and run.recorder.first is not None
    return config.stash.setdefault(GIVEN_UP[is_again], set())


def _ends_the_case(item: pytest.Item, number: int, reports: Sequence[pytest.TestReport]) -> bool:
    """Tell whether no other repeat shall follow: one failed, or was skipped without having been measured."""
    if any(report.failed for report in reports):
        return True
    return any(report.skipped for report in reports) and _part(item, number) is None


def _part(item: pytest.Item, number: int) -> dict[str, Any] | None:
    """Return the record of a repeat while others of its case are to come."""
    run = item.config.stash.get(RUN, None)
    return None if run is None else run.recorder.parts(case_name(item), item.nodeid).get(number)


def _log(item: pytest.Item, reports: Sequence[pytest.TestReport]) -> None:
    """Report a test that has run."""
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)


def _let_go_of_fixtures(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Tear down, in place of a test that is left out, what the test after it does not share."""
    call = pytest.CallInfo.from_call(
        lambda: item.session._setupstate.teardown_exact(nextitem),
        when="teardown",
    )
    report = item.ihook.pytest_runtest_makereport(item=item, call=call)
    if report.failed:
        item.ihook.pytest_runtest_logreport(report=report)


def _announce(config: pytest.Config, cases: int, measurements: int) -> None:
    """Say in which order is measured, where there is more than one."""
    reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or measurements < 2:
        return
    repeats = f", {measurements} repeats one by one" if measurements > cases else ""
    reporter.write_line(f"energy: {cases} cases{repeats}, --energy-order={config.stash[ORDER]}")


def _tell(item: pytest.Item, number: int, of: int) -> None:
    """Say what a repeat came to; its case is reported with the last."""
    part = _part(item, number)
    if part is None:  # a test that measured nothing
        return
    figures = part["metrics"]
    kj = figures["total_kj"]["mean"] if "total_kj" in figures else None
    spent = "– kJ" if kj is None else f"{kj:.3g} kJ"
    seconds = f"{figures['seconds']['mean']:.3g} s"
    Live(item.config).say(f"{case_name(item)}: repeat {number} of {of}, {seconds}, {spent}")


def _nth(item: pytest.Item, number: int, of: int) -> pytest.Item:
    """Return the test that measures one repeat: the item itself the last, clones the others."""
    if of == 1:
        return item
    run = item if number == of else _clone(item)
    run.stash[REPEAT] = (number, of)
    return run


def _clone(item: pytest.Item) -> pytest.Item:
    """Return the same test once more, of the same name; pytest tells tests apart by the object."""
    if not isinstance(item, pytest.Function):
        raise pytest.UsageError(f"{item.nodeid}: only test functions can have several repeats")
    clone: pytest.Function = type(item).from_parent(
        item.parent,
        name=item.name,
        callspec=getattr(item, "callspec", None),
        fixtureinfo=item._fixtureinfo,
        originalname=item.originalname,
    )
    # With those that a conftest has added to the item.
    clone.own_markers[:] = item.own_markers
    return clone
