"""What the user asked for on the command line: budget, data, device; ValueError for what makes no sense."""

from __future__ import annotations

import dataclasses
import re

import pytest

import fixtures
from benchmarks import overlays
from benchmarks.data import load_data, read_folds, read_labels
from benchmarks.suite import BUDGETS, Budget, Suite, resolve_device
from energy.measuring import machine
from energy.plugin import storage

DATA: pytest.StashKey[fixtures.Slices | fixtures.Folds] = pytest.StashKey()
DEVICE = re.compile(r"auto|cpu|cuda(:\d+)?")


def budget(config: pytest.Config) -> Budget:
    """Return the budget with the user's changes; ValueError names the option that makes no sense."""
    chosen = BUDGETS[config.getoption("budget")]
    given = {name: config.getoption(name) for name in ("epochs", "image_size", "batch_size")}
    for name, value in given.items():
        if value is not None and value < 1:
            raise ValueError(f"--{name.replace('_', '-')} {value}: expected a whole number, 1 or more")
    if not DEVICE.fullmatch(config.getoption("device")):
        raise ValueError(f"--device {config.getoption('device')}: expected auto, cpu, cuda or cuda:0")
    changes = {name: value for name, value in given.items() if value is not None}
    if config.getoption("seeds") is not None:
        changes["seeds"] = seeds(config.getoption("seeds"))
    return dataclasses.replace(chosen, **changes)


def seeds(text: str) -> tuple[int, ...]:
    """Read `0,1,2`; ValueError for anything else."""
    parts = text.split(",")
    if not all(part.strip().isdecimal() for part in parts):
        raise ValueError(f"--seeds {text}: expected whole numbers, 0 or more, with commas: --seeds 0,1,2")
    found = tuple(int(part) for part in parts)
    if len(set(found)) < len(found):
        raise ValueError(
            f"--seeds {text}: the same seed twice is the same training twice; give different ones"
        )
    return found


def make_suite(config: pytest.Config) -> Suite:
    """Return what is run; ValueError names the option that makes no sense, or what is wrong with the data."""
    chosen = budget(config)
    device = resolve_device(config.getoption("device"))
    data = find_data(config)
    asked = config.getoption("save_overlays")
    return Suite(
        chosen,
        data if isinstance(data, fixtures.Slices) else data.open(1),
        device,
        threads=machine.physical_cores(),
        folds=data if isinstance(data, fixtures.Folds) else None,
        allow_power_limit=config.getoption("allow_power_limit"),
        leaves_out_long=config.getoption("budget") == "quick"
        and not config.getoption("long_cases")
        and not config.getoption("technique"),
        overlays=None
        if asked is None
        else overlays.check(config.invocation_params.dir / asked, storage(config)),
    )


def find_data(config: pytest.Config) -> fixtures.Slices | fixtures.Folds:
    """Return the data, read once; ValueError for what is no data, and for folds that it has not enough of."""
    if DATA not in config.stash:
        option = config.getoption
        config.stash[DATA] = load_data(
            option("slices"),
            budget(config).image_size,
            read_folds(option("folds")),
            skip_bad=option("skip_bad"),
            label=read_labels(option("label")),
        )
    return config.stash[DATA]


def count_folds(config: pytest.Config) -> int:
    """Return how many folds there are; to know how many volumes there are, the data must be read."""
    folds = read_folds(config.getoption("folds"))
    if folds is None or isinstance(folds, int):
        return folds or 1
    try:
        data = find_data(config)
    except ValueError as mistake:
        raise pytest.UsageError(f"joulebench: {mistake}") from None
    return data.count if isinstance(data, fixtures.Folds) else 1
