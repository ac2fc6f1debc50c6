"""The suite's options, and the order of its cases."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import zoo
import zoo.device.power_limit
from benchmarks import loads, overlays, reference
from benchmarks.asked import budget, count_folds, make_suite
from benchmarks.data import describe_briefly, read_folds, read_labels
from benchmarks.ladder import options as ladder_options
from benchmarks.ladder import table as ladder_table
from benchmarks.planner import Planner
from benchmarks.suite import BUDGETS, LONG_CASES, Suite, measured_device
from energy.plugin import Device, Live, Place, Plan, Schedule, open_run
from energy.records.summary import CaseSummary


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("joulebench", "the cases of joulebench")
    option = group.addoption
    option("--slices", default="phantom", metavar="phantom|PATH", help="data (default: phantom)")
    option("--budget", default="quick", choices=sorted(BUDGETS), help="how much training (default: quick)")
    option("--epochs", type=int, metavar="N", help="epochs per case, instead of the budget's")
    option("--seeds", metavar="0,1,2", help="one training per seed, instead of the budget's")
    option(
        "--folds",
        metavar="K|volumes",
        help="cross-validate: train a case K times, so that every subject is tested on once; "
        "volumes: as many times as there are subjects",
    )
    option("--image-size", type=int, metavar="N", help="pixels along the field of view of 256 mm")
    option("--batch-size", type=int, metavar="N", help="slices per step, instead of the budget's")
    option("--device", default="auto", metavar="auto|cpu|cuda[:i]", help="where to train (default: auto)")
    option("--technique", metavar="a+b", help="run this combination of techniques instead of each one")
    ladder_options.add(option)
    option(
        overlays.OPTION,
        type=Path,
        metavar="FOLDER",
        help="save test slices with true and predicted masks, for joulebench report --overlays FOLDER",
    )
    option(
        "--allow-power-limit",
        action="store_true",
        help="let power_limit_* lower the GPU's power limit; it is put back, also after a crash; needs root",
    )
    option(
        "--extras", action="store_true", help="beside the study's networks, run those of MONAI and smp, too"
    )
    option(
        LONG_CASES,
        action="store_true",
        help="on a small machine, run within --budget quick what takes minutes a case, too",
    )
    option(
        "--zoo",
        type=Path,
        action="append",
        default=[],
        metavar="PATH",
        help="run the networks of PATH/architectures and the techniques of PATH/techniques, too",
    )
    option("--label", metavar="N[,M]", help="labels of the masks that are brain (default: 1, of a dseg any)")
    option(
        "--skip-bad", action="store_true", help="leave out files that cannot be read; the record lists them"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "case(arch, technique): what a case is, for -m \"case(arch='unet')\"")
    config.addinivalue_line("markers", "extra: a network beyond the study's (--extras)")
    if config.getoption("numprocesses", None) or hasattr(config, "workerinput"):
        raise pytest.UsageError("-n: cases that run side by side share their joules; leave out -n")
    added = contextlib.ExitStack()
    config.add_cleanup(added.close)
    try:
        for folder in (*zoo.find_installed_folders(), *config.getoption("zoo")):
            added.enter_context(zoo.add_folder(config.invocation_params.dir / folder))
        chosen = budget(config)
        read_labels(config.getoption("label"))
        read_folds(config.getoption("folds"))
        for arch, technique in itertools.product(architectures(config), techniques(config)):
            zoo.recipe(arch, technique, epochs=chosen.epochs, batch_size=chosen.batch_size)
        for technique in ladder_options.order(config):
            zoo.recipe(ladder_options.arch(config), technique)
    except ValueError as mistake:
        raise pytest.UsageError(str(mistake)) from None


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave the ladder out where nobody asks for it; pytest does not ask about files that are named."""
    left_out = collection_path.name == ladder_options.FILE and config.getoption("ladder") is None
    return left_out or None


def architectures(config: pytest.Config) -> tuple[str, ...]:
    return zoo.networks() if config.getoption("extras") else zoo.architectures()


def pytest_report_header(config: pytest.Config) -> str | None:
    """Say what is left out, for a user who looks for an extra and finds no case."""
    if config.getoption("extras"):
        return None
    return f"joulebench: the study's {len(zoo.architectures())} networks (--extras: {len(zoo.extras())} more)"


def techniques(config: pytest.Config) -> tuple[str, ...]:
    asked = config.getoption("technique")
    return (asked,) if asked else zoo.techniques()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One case per architecture and technique; the id is ARCHITECTURE-TECHNIQUE."""
    if {"arch", "order"} <= set(metafunc.fixturenames):
        metafunc.parametrize(("arch", "order"), [ladder_options.case(metafunc.config)])
        return
    if not {"arch", "technique"} <= set(metafunc.fixturenames):
        return
    pairs = itertools.product(architectures(metafunc.config), techniques(metafunc.config))
    metafunc.parametrize(("arch", "technique"), [case(*pair) for pair in pairs])


def case(arch: str, technique: str) -> object:
    marks = [pytest.mark.case(arch=arch, technique=technique)]
    if arch in zoo.extras():
        marks.append(pytest.mark.extra)
    return pytest.param(arch, technique, id=f"{arch}-{technique}", marks=marks)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Train the reference first, against whose Dice all are measured; climb last, on what was measured."""
    items.sort(
        key=lambda item: (item.path.name == ladder_options.FILE, f"[{reference.CASE}]" not in item.name)
    )


def pytest_energy_schedule(item: pytest.Item) -> Schedule | None:
    """One repeat per seed and fold, the reference before what is held against it, the ladder after all."""
    if item.path.name == ladder_options.FILE:
        return Schedule(place="last")
    if "technique" not in getattr(item, "fixturenames", ()):
        return None
    chosen = budget(item.config)
    repeats = len(chosen.seeds) * count_folds(item.config)
    is_reference = f"[{reference.CASE}]" in item.name
    place: Place = "first" if is_reference else "anywhere"
    # Every shard trains the reference, if it does not find it. Counting what the others cost takes torch.
    counts = item.config.getoption("energy_shard") is not None and not is_reference
    cost = loads.estimate_load(**item.callspec.params, image_size=chosen.image_size) if counts else 0.0
    return Schedule(repeats, place, cost * repeats)


def pytest_energy_sources(config: pytest.Config) -> list[Path]:
    """Name what trains, evaluates and measures, and what --zoo adds to it."""
    root, here = Path(__file__).parents[1], config.invocation_params.dir
    added = [here / folder for folder in config.getoption("zoo")]
    return [*(root / name for name in ("zoo", "fixtures", "benchmarks", "energy")), *added]


def pytest_energy_leaves_out(config: pytest.Config, case: CaseSummary) -> bool:
    """Say which cases of a baseline this suite's own options leave out, so that they are not missed."""
    asked = config.getoption("technique")
    if asked is not None and case.technique not in (None, asked):
        return True
    return case.arch in zoo.extras() and not config.getoption("extras")


@pytest.fixture(scope="session")
def suite(request: pytest.FixtureRequest) -> Suite:
    """What the user asked for, with the data read; a mistake ends the run before anything is trained."""
    try:
        made = make_suite(request.config)
        for line in describe_briefly(made.data):
            Live(request.config).say(line)
        for uuid in zoo.device.power_limit.undo_leftovers() if made.device != "cpu" else ():
            Live(request.config).say(
                f"{uuid}: a run that was killed had left its power limit lowered; undone"
            )
        return made
    except (ValueError, zoo.device.power_limit.PowerLimitError) as mistake:
        pytest.exit(f"joulebench: {mistake}", returncode=pytest.ExitCode.USAGE_ERROR)


@pytest.fixture(scope="session")
def energy_device(suite: Suite) -> Device:
    return measured_device(suite.device)


def pytest_energy_plan(config: pytest.Config, items: list[pytest.Item]) -> Iterator[Plan]:
    """Predict each case from a stored record of it, or from a few timed steps."""
    try:
        planner = Planner.open(make_suite(config), config)
    except ValueError as mistake:
        pytest.exit(f"joulebench: {mistake}", returncode=pytest.ExitCode.USAGE_ERROR)
    return planner.plans(
        list(dict.fromkeys(itertools.chain.from_iterable(map(ladder_options.trainings, items))))
    )


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Show the ladder, if one was climbed."""
    run = open_run(config)
    for line in ladder_table.tabulate_run(run.recorder.whole_run()) if run is not None else ():
        terminalreporter.write_line(line)
