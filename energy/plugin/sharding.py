"""Part the cases of a run among machines: the same parts on each of them, and about the same cost."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Shard:
    """One of `count` parts, by its number from 1 on."""

    number: int
    count: int

    def __str__(self) -> str:
        """Return the words of the command line that ask for this shard."""
        return f"{self.number}/{self.count}"


def parse(text: str) -> Shard:
    """Read `2/3`; ValueError for anything else."""
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise ValueError(
            f"--energy-shard {text}: expected I/N, one of 1/N to N/N, e.g. 1/3 on the first of three"
        )
    return Shard(int(match[1]), int(match[2]))


def parts(costs: Mapping[str, float], count: int) -> list[frozenset[str]]:
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
