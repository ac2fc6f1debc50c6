"""Gates in pytest: what a run must keep, said before its first case and held against it after its last.

A plugin of its own, which `energy.plugin` brings along. Comparing and judging is `energy.analysis`'s; here
is when, with what, and with which exit code.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Sequence
from typing import Any

import pytest

from energy.analysis.compare.gate import (
    COMMAND_LINE,
    Gate,
    parse_gate,
    parse_marker,
    resolve_gates,
    tabulate_gates,
)
from energy.analysis.gates import config as project
from energy.analysis.gates import confirm, selection
from energy.analysis.gates import exit_codes as codes
from energy.analysis.gates.judge import BARE, CONFIRMING, THIS_RUN, Answer, Judge
from energy.analysis.gates.reference import check_reference
from energy.analysis.gates.selection import Selection
from energy.measuring.run import Run
from energy.plugin.ending import came_to_its_end
from energy.plugin.items import RUN, USAGE_ERROR, case_name, is_measured, open_run, storage
from energy.records.metrics import METRICS
from energy.records.schema import RecordError
from energy.records.storage.runfile import StoreError
from energy.records.storage.store import Store
from energy.records.summary import summarise_unwritten
from energy.report.terminal.gates import format_gates
from energy.text import show_controls

MARKER = "energy_fail"
JUDGE = pytest.StashKey[Judge]()
DESELECTED = pytest.StashKey[set[str]]()
AGAIN = pytest.StashKey[list[dict[str, Any]]]()  # the records of the alarmed cases, measured once more


def pytest_addoption(parser: pytest.Parser) -> None:
    """Define the options."""
    option = parser.getgroup("energy").addoption
    option(
        "--energy-compare",
        metavar="REF",
        nargs="?",
        const=BARE,
        help="compare with a baseline or run: a name, number, file or glob (default: the pinned baseline)",
    )
    option(
        "--energy-fail",
        metavar="GATE",
        action="append",
        default=[],
        help="limit that fails the run: kj_per_epoch:5%%, dice:0.01, 'total_kj@unet.*<=25', session:4%%",
    )
    option(
        "--energy-strict",
        action="store_true",
        help="fail also where nothing can be told: inconclusive (11), no comparable baseline (12)",
    )
    option(
        "--energy-confirm",
        action="store_true",
        help="measure the cases that gave an alarm once more; a regression needs both",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Read every gate now: a mistake costs a second, not an hour of training."""
    config.addinivalue_line("markers", f"{MARKER}(gate, ...): limits of this case, as in --energy-fail")
    option, results = config.getoption, Store(storage(config))
    try:
        own = project.read_project(config.rootpath)
        asked = tuple(parse_gate(text, COMMAND_LINE) for text in option("energy_fail"))
        if option("energy_compare"):
            check_reference(results, option("energy_compare"))
    except (ValueError, StoreError) as mistake:
        raise pytest.UsageError(str(mistake)) from None
    config.stash[JUDGE] = Judge(
        store=results,
        project=own,
        asked=asked,
        reference=option("energy_compare"),
        strict=own.strict or option("energy_strict"),
        confirms=option("energy_confirm"),
        leaves_out=lambda case: bool(config.hook.pytest_energy_leaves_out(config=config, case=case)),
    )
    config.stash[DESELECTED] = set()


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    """Remember what the user left out."""
    for item in items:
        if is_measured(item):
            item.config.stash[DESELECTED].add(case_name(item))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Check the gates against the cases, and show which apply."""
    config, judge = session.config, session.config.stash[JUDGE]
    measured = [item for item in session.items if is_measured(item)]
    judge.cases = list(dict.fromkeys(map(case_name, measured)))
    judge.selection = _selection(config, judge.cases)
    if not judge.is_asked and not any(item.get_closest_marker(MARKER) for item in measured):
        return
    try:
        judge.marked = [gate for item in measured for gate in _marked(item)]
        if session.items and not config.option.collectonly:
            judge.check()
    except ValueError as mistake:
        raise pytest.UsageError(str(mistake)) from None
    reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
    if judge.cases and reporter is not None:
        for line in _header(judge):
            reporter.write_line(show_controls(line))


def _header(judge: Judge) -> list[str]:
    if not judge.ranked:
        return ["energy: compared only; no gate, so nothing of it fails the run"]
    strict = ", strict: 11 and 12 fail the run" if judge.strict else ""
    return [f"energy: gates{strict}", *tabulate_gates(resolve_gates(judge.ranked, judge.cases), judge.cases)]


def _selection(config: pytest.Config, cases: Sequence[str]) -> Selection:
    """Return what the command line asks for; after --lf nobody knows what it left out, so all of it."""
    here, root = config.invocation_params.dir, config.rootpath
    named = [] if config.getoption("pyargs") else config.args
    left_out = config.stash[DESELECTED] - set(cases)
    ignored = (*(config.getoption("ignore") or ()), *(["."] if config.getoption("lf", False) else []))
    return Selection(
        paths=selection.make_relative(named, here, root),
        ignored=selection.make_relative(ignored, here, root),
        deselected=frozenset(left_out),
    )


def _marked(item: pytest.Item) -> list[Gate]:
    """Return the gates of a test's markers, the nearest last."""
    marks = reversed(list(item.iter_markers(MARKER)))
    origin = f"marker of {item.name}"
    return [parse_marker(str(text), origin, case_name(item)) for mark in marks for text in mark.args]


def pytest_energy_opened(config: pytest.Config, run: Run) -> None:
    """Decide before the first training whether there is anything to compare with."""
    judge = config.stash[JUDGE]
    try:
        why = judge.choose(run.fingerprint, run.former_fingerprint)
    except (StoreError, RecordError, ValueError) as mistake:
        pytest.exit(f"joulebench: {mistake}", returncode=USAGE_ERROR)
    if why is not None and judge.strict:
        pytest.exit(f"joulebench: {why}", returncode=codes.NO_BASELINE)
    if why is None and judge.known.base is not None:
        run.say(f"energy: compared with {judge.known.base.told}")
    for told in [why] if why is not None else judge.known.warnings:
        run.say(f"energy: {told}")


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """Measure alarmed cases once more, while the meters are open (`--energy-confirm`)."""
    result = yield
    run, judge = open_run(session.config), session.config.stash[JUDGE]
    if judge.confirms and run is not None:
        alarmed = confirm.choose_cases(_answer(session.config, run).comparison)
        if alarmed:
            session.config.stash[AGAIN] = _measure_again(session, run, alarmed)
    return result


def _measure_again(session: pytest.Session, run: Run, cases: Collection[str]) -> list[dict[str, Any]]:
    """Measure cases again on the open meters and return their records; pytest reports them as it does tests.

    The records of the run that gave the alarm stay as they are.
    """
    items = [item for item in session.items if is_measured(item) and case_name(item) in cases]
    again = run.again()
    run.say(f"energy: an alarm; {len(cases)} cases are measured once more: {', '.join(sorted(cases))}")
    session.config.stash[RUN] = again
    try:
        for item, following in zip(items, [*items[1:], None], strict=True):
            _forget_figures(item)
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if session.shouldfail:
                raise session.Failed(session.shouldfail)
            if session.shouldstop:
                raise session.Interrupted(session.shouldstop)
    finally:
        session.config.stash[RUN] = run
    return again.recorder.whole_run()


def _forget_figures(item: pytest.Item) -> None:
    """Take the first measurement's figures from what JUnit shows of the second."""
    item.user_properties[:] = [(name, value) for name, value in item.user_properties if name not in METRICS]


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, None, None]:
    """Judge before the run's file is written, which then says what was found; the exit code is set after it.

    pytest's own exit codes outweigh ours: a test that failed, an interruption, nothing collected.
    """
    try:
        if (run := open_run(session.config)) is not None:
            _judge(session, run)
    finally:
        yield
    if session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = _exit_code(session)


def _judge(session: pytest.Session, run: Run) -> None:
    """Judge a run that came to its end, and put the answer into the run's file."""
    judge = session.config.stash[JUDGE]
    run.recorder.note(selection=judge.selection.as_json())
    if not judge.is_asked or not came_to_its_end(session):
        return
    found = _answer(session.config, run)
    run.recorder.note(gated=found.as_json(), selection=judge.selection.without(found.left_out).as_json())
    if (again := session.config.stash.get(AGAIN, None)) is not None:
        run.recorder.note(confirmation={"alarms": list(found.alarms), "records": again})


def _answer(config: pytest.Config, run: Run) -> Answer:
    machine = run.fingerprint, run.started
    again = config.stash.get(AGAIN, None)
    judge: Judge = config.stash[JUDGE]
    return judge.judge(
        summarise_unwritten(run.recorder.whole_run(), THIS_RUN, *machine),
        None if again is None else summarise_unwritten(again, CONFIRMING, *machine),
    )


def _exit_code(session: pytest.Session) -> int:
    """Return the exit code of a run whose tests passed; gates that looked at no case at all do not pass."""
    config, judge = session.config, session.config.stash[JUDGE]
    if judge.answer is not None:
        return judge.answer.exit_code
    return codes.MISSING if _measured_nothing(config) else codes.PASSED


def _measured_nothing(config: pytest.Config) -> bool:
    is_run = not config.option.collectonly and not config.getoption("energy_dry_run")
    return is_run and bool(config.stash[JUDGE].asked) and RUN not in config.stash


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: Any, exitstatus: int, config: pytest.Config) -> None:
    """Show what the run was compared with, what changed, and what the gates say of it."""
    judge, run = config.stash[JUDGE], open_run(config)
    if judge.answer is None and judge.ranked and run is not None and run.recorder.whole_run():
        terminalreporter.write_line("energy: the run did not come to its end, and is not judged")
    if exitstatus == pytest.ExitCode.OK and _measured_nothing(config):
        told = f"energy: no case was measured, so no gate is kept (exit code {codes.MISSING})"
        terminalreporter.write_line(show_controls(told))
    if judge.answer is not None and run is not None:
        terminalreporter.section("energy: gates" if judge.ranked else "energy: comparison")
        if run.written is not None:
            judge.written(run.written)
        gated = bool(judge.ranked)
        for line in format_gates(judge.answer, told=judge.told, gated=gated, strict=judge.strict):
            terminalreporter.write_line(show_controls(line))
        if exitstatus != pytest.ExitCode.OK and judge.answer.exit_code != codes.PASSED:
            terminalreporter.write_line(f"energy: pytest's own exit code {int(exitstatus)} stands")
