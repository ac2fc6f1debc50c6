"""The ladder's options, and what they make of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from benchmarks.ladder import protocol

FILE = "test_ladder.py"


def add(option: Callable[..., None]) -> None:
    option(
        "--ladder",
        metavar="ARCH",
        help=f"climb the study's ladder with this network, too (where {FILE} is named: {protocol.ARCH})",
    )
    option(
        "--ladder-order",
        metavar="a,b,c",
        help="techniques that the ladder tries, in this order (default: the study's)",
    )


def arch(config: pytest.Config) -> str:
    return config.getoption("ladder") or protocol.ARCH


def order(config: pytest.Config) -> tuple[str, ...]:
    """Return what the ladder tries, in order; ValueError for a list that makes no sense."""
    asked = config.getoption("ladder_order")
    names = protocol.study_order() if asked is None else tuple(name.strip() for name in asked.split(","))
    if protocol.START in names:
        raise ValueError(f"--ladder-order {asked}: {protocol.START} is the first rung anyway; leave it out")
    if len(set(names)) < len(names):
        raise ValueError(f"--ladder-order {asked}: a technique is tried once; name each once")
    return names


def case(config: pytest.Config) -> object:
    mark = pytest.mark.case(arch=arch(config), technique="ladder")
    return pytest.param(arch(config), order(config), id=f"{arch(config)}-ladder", marks=mark)


def trainings(item: pytest.Item) -> list[tuple[str, str]]:
    """Name what an item trains: of the ladder each technique alone, as nobody knows what will be kept."""
    chosen = item.callspec.params
    names = (protocol.START, *chosen["order"]) if "order" in chosen else (chosen["technique"],)
    return [(chosen["arch"], name) for name in names]
