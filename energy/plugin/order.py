"""In which order cases are measured, and on which machine: in blocks, and in shards.

A block holds one repeat of every case, so that drift spreads.

A machine that warms up, or a neighbour that comes and goes, changes what is measured late against what is
measured early. If all repeats of a case were measured in a row, that change would be the case's. In random
order within blocks it is noise of all cases alike (Fisher 1935, "The Design of Experiments": randomised
blocks).
"""

from __future__ import annotations

import random
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Place = Literal["first", "anywhere", "last"]

# Short enough to be typed again.
SEEDS = 1_000_000
MOST_SHARDS = 10_000


@dataclass(frozen=True)
class Order:
    """How the cases of a block are ordered: shuffled by a seed, or as they were collected (None)."""

    seed: int | None

    def __str__(self) -> str:
        """Return the words of the command line that ask for this very order."""
        return "given" if self.seed is None else f"random:{self.seed}"


@dataclass(frozen=True)
class Entry:
    """What has to be known of a case to order it.

    Args:
        repeats: how often it is measured.
        place: "first": before the others of every block, for what they refer to; "last": after all blocks,
            all its repeats, for what refers to them.
    """

    repeats: int = 1
    place: Place = "anywhere"


@dataclass(frozen=True)
class Shard:
    """One of `count` parts, by its number from 1 on."""

    number: int
    count: int

    def __str__(self) -> str:
        """Return the words of the command line that ask for this shard."""
        return f"{self.number}/{self.count}"


def parse_order(text: str) -> Order:
    """Read `random`, which draws a seed, `random:SEED` or `given`; ValueError for anything else."""
    if text == "given":
        return Order(None)
    if text == "random":
        return Order(secrets.randbelow(SEEDS))
    if match := re.fullmatch(r"random:(\d+)", text):
        return Order(int(match[1]))
    raise ValueError(f"--energy-order {text}: expected random, random:SEED (a whole number) or given")


def plan_sequence(entries: Sequence[Entry], order: Order) -> list[tuple[int, int]]:
    """Return what is measured one after another: (index of the entry, repeat from 1 on).

    Every case is in block 1, every case of two repeats or more in block 2, and so on; each block has an order
    of its own.
    """
    shuffle = random.Random(order.seed).shuffle if order.seed is not None else _leave  # noqa: S311 -- a shuffle, no secret
    in_blocks = [index for index, entry in enumerate(entries) if entry.place != "last"]
    last = [index for index, entry in enumerate(entries) if entry.place == "last"]
    return [*_blocks(entries, in_blocks, shuffle), *_blocks(entries, last, _leave)]


def _blocks(
    entries: Sequence[Entry], chosen: Sequence[int], shuffle: Callable[[list[int]], None]
) -> list[tuple[int, int]]:
    most = max((entries[index].repeats for index in chosen), default=0)
    found: list[tuple[int, int]] = []
    for repeat in range(1, most + 1):
        block = [index for index in chosen if entries[index].repeats >= repeat]
        shuffle(block)
        block.sort(key=lambda index: entries[index].place != "first")
        found += [(index, repeat) for index in block]
    return found


def _leave(block: list[int]) -> None:
    """Keep the order in which the cases were collected."""


def parse_shard(text: str) -> Shard:
    """Read `2/3`; ValueError for anything else."""
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]) <= MOST_SHARDS:
        raise ValueError(
            f"--energy-shard {text}: expected I/N, one of 1/N to N/N, e.g. 1/3 on the first of three; "
            f"N at most {MOST_SHARDS}"
        )
    return Shard(int(match[1]), int(match[2]))


def part_cases(costs: Mapping[str, float], count: int) -> list[frozenset[str]]:
    """Part named cases so that the sums of their costs are about equal.

    The dearest case first, each to the part that has least so far: no part gets more than 4/3 of what the
    best division would give the fullest (Graham 1969, "Bounds on multiprocessing timing anomalies", SIAM J.
    Appl. Math. 17(2)). Ties go by name and number, so that every machine that knows the same costs finds the
    same parts.
    """
    sums = [0.0] * count
    found: list[set[str]] = [set() for _ in range(count)]
    for name in sorted(costs, key=lambda name: (-costs[name], name)):
        least = min(range(count), key=lambda part: (sums[part], len(found[part]), part))
        sums[least] += costs[name]
        found[least].add(name)
    return [frozenset(part) for part in found]
