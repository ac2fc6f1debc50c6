"""What servers of each generation of processors draw per hardware thread, and which generation this is.

`processors.csv` beside this file says where its figures are from. They are of the whole server at the wall:
see `power.py` for what the processor's part of that is.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from energy.meters.cpu_model.law import Ends
from energy.meters.cpu_model.processor import Processor

TABLE = Path(__file__).with_name("processors.csv")


@dataclass(frozen=True)
class Generation:
    """One line of the table.

    Args:
        name: what people call it.
        vendor, family, models, steppings: of CPUID; no stepping: any.
        instructions: what it can do, of those that tell generations apart.
        results: how many servers were measured.
        idle_watts, full_watts: at the wall per hardware thread: 5, 50 and 95 % of these servers.
        threads_per_core: of these servers.
    """

    name: str
    vendor: str
    family: int
    models: tuple[int, ...]
    steppings: tuple[int, ...]
    instructions: frozenset[str]
    results: int
    idle_watts: Ends
    full_watts: Ends
    threads_per_core: int

    def is_of(self, processor: Processor) -> bool:
        """Whether a processor says that it is of this generation."""
        same = (processor.vendor, processor.family) == (self.vendor, self.family)
        stepping = not self.steppings or processor.stepping in self.steppings
        return same and processor.model in self.models and stepping

    def can_be(self, processor: Processor, telling: frozenset[str]) -> bool:
        """Whether one of this generation could show these instructions: a host hides some, and adds none."""
        same = processor.vendor == self.vendor
        return same and telling.intersection(processor.instructions) <= self.instructions


def read_table(path: Path = TABLE) -> tuple[Generation, ...]:
    """Return all lines of the table."""
    lines = (line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#"))
    return tuple(_generation(row) for row in csv.DictReader(lines))


def find_generations(processor: Processor, table: Sequence[Generation]) -> tuple[tuple[Generation, ...], str]:
    """Return the generations that a processor may be of, and how that was found, in words.

    One, if family and model say so and no instruction contradicts them; else all of its maker's that have its
    instructions; all of the table, if nothing is known.
    """
    telling = frozenset().union(*(each.instructions for each in table))
    possible = tuple(each for each in table if each.can_be(processor, telling))
    named = tuple(each for each in table if each.is_of(processor))
    certain = tuple(each for each in named if each in possible)
    if certain:
        return certain, f"family {processor.family} model {processor.model}"
    if named and possible:
        return possible, f"its instructions, which {named[0].name} does not have, as its model number says"
    if possible and telling.intersection(processor.instructions):
        return possible, "its instructions"
    return tuple(table), "nothing: all servers of the table"


def envelope(ranges: Iterable[Ends]) -> Ends:
    """Return the range that holds all; its middle is the geometric mean of theirs."""
    lows, middles, highs = zip(*ranges, strict=True)
    middle = math.exp(sum(map(math.log, middles)) / len(middles))
    return min(lows), middle, max(highs)


def _generation(row: dict[str, str]) -> Generation:
    return Generation(
        name=row["generation"],
        vendor=row["vendor"],
        family=int(row["family"]),
        models=_numbers(row["models"]),
        steppings=_numbers(row["steppings"]),
        instructions=frozenset(row["instructions"].split()),
        results=int(row["results"]),
        idle_watts=_ends(row, "idle"),
        full_watts=_ends(row, "full"),
        threads_per_core=int(row["threads_per_core"]),
    )


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split()))


def _ends(row: dict[str, str], what: str) -> Ends:
    return float(row[f"{what}_watts_5"]), float(row[f"{what}_watts_50"]), float(row[f"{what}_watts_95"])
