"""What to choose, as tables for a reader without scripts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from energy.report.groups import Group
from energy.report.page import choosing
from energy.report.page.choosing import Candidate, Step
from energy.report.terminal import table
from energy.report.terminal.table import UNKNOWN, Notes


@dataclass(frozen=True)
class Answer:
    """One line of the table of choices, for a reader without scripts."""

    limit: str
    case: str
    dice: str
    kj: str
    repeats: str


@dataclass(frozen=True)
class Choice:
    """What a group offers: answers to "at least this Dice", and to "at most this many kJ"."""

    group: Group
    by_dice: tuple[Answer, ...]
    by_kj: tuple[Answer, ...]
    left_out: int
    index: int


def choices(groups: Sequence[Group]) -> list[Choice]:
    """Answer the two questions for each group that has Dice and total kJ."""
    found = []
    for index, group in enumerate(groups):
        options = choosing.candidates(group)
        if not options:
            continue
        by_dice = tuple(_answers(choosing.dice_steps(options), "Dice ", ""))
        by_kj = tuple(_answers(choosing.kj_steps(options), "", " kJ"))
        found.append(Choice(group, by_dice, by_kj, len(group.entries) - len(options), index))
    return found


def _answers(steps: Sequence[Step], before: str, after: str) -> Iterator[Answer]:
    for step in steps:
        low, high = (f"{limit:g}" for limit in step.limits)
        limit = f"{before}{low}{after}" if low == high else f"{before}{low} to {high}{after}"
        if step.winner is None:
            yield Answer(limit, "none", UNKNOWN, UNKNOWN, UNKNOWN)
        else:
            yield _answer(limit, step.winner)


def _answer(limit: str, winner: Candidate) -> Answer:
    dice, kj, repeats = texts(winner)
    return Answer(limit, winner.entry.case, dice, kj, repeats)


def texts(option: Candidate) -> tuple[str, str, str]:
    """Return Dice, total kJ (with the digits they support) and the number of repeats."""
    record = option.entry.record
    dice, kj = (table.cell(record, name, ("case", name), Notes()) for name in ("dice", "total_kj"))
    return dice, kj, str(len(record["metrics"]["dice"]["values"]))
