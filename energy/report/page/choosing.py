"""Choosing: the cheapest case that reaches a Dice, and the best Dice that some kilojoules buy.

`choosing.js` does the same in the page, for any limit; here it is done for a few of them, for readers without
scripts. Only cases of one group compete: what was measured never stands against what was modelled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from energy.report.groups import Entry, Group
from energy.report.terminal import table
from energy.report.terminal.table import UNKNOWN, Notes

DICE_STEPS = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95)


@dataclass(frozen=True)
class Candidate:
    """A case that may be chosen."""

    entry: Entry
    dice: float
    kj: float


@dataclass(frozen=True)
class Step:
    """The answer that holds from one limit to another; winner None: no case keeps the limit."""

    limits: tuple[float, float]
    winner: Candidate | None


def candidates(group: Group) -> list[Candidate]:
    """Return the cases that may be chosen: all is well with them, and Dice and total kJ are known."""
    found = []
    for entry in group.entries:
        dice, kj = entry.mean("dice"), entry.mean("total_kj")
        if entry.usable and dice is not None and kj is not None:
            found.append(Candidate(entry, dice, kj))
    return found


def cheapest(options: Sequence[Candidate], least_dice: float) -> Candidate | None:
    """Return the case of least total kJ whose Dice is at least `least_dice`; of equals the better Dice."""
    enough = [option for option in options if option.dice >= least_dice]
    return min(enough, key=lambda option: (option.kj, -option.dice), default=None)


def best(options: Sequence[Candidate], most_kj: float) -> Candidate | None:
    """Return the case of highest Dice that takes at most `most_kj`; of equals the cheaper."""
    affordable = [option for option in options if option.kj <= most_kj]
    return max(affordable, key=lambda option: (option.dice, -option.kj), default=None)


def dice_steps(options: Sequence[Candidate]) -> list[Step]:
    """Answer "at least this Dice" for every limit of `DICE_STEPS`, equal answers joined."""
    return _steps(DICE_STEPS, lambda limit: cheapest(options, limit))


def kj_steps(options: Sequence[Candidate]) -> list[Step]:
    """Answer "at most this many kJ" for the limits 1, 2, 5, 10, ... that matter, equal answers joined."""
    known = [option.kj for option in options if option.kj > 0]
    limits = one_two_five(min(known), max(known)) if known else []
    return _steps(limits, lambda limit: best(options, limit))


def _steps(limits: Sequence[float], answer: Callable[[float], Candidate | None]) -> list[Step]:
    steps: list[Step] = []
    for limit in limits:
        winner = answer(limit)
        if steps and steps[-1].winner is winner:
            steps[-1] = Step((steps[-1].limits[0], limit), winner)
        else:
            steps.append(Step((limit, limit), winner))
    return steps


def one_two_five(least: float, most: float) -> list[float]:
    """Return 1, 2, 5 times powers of ten, from the last not above `least` to the first above `most`.

    >>> one_two_five(0.3, 4.0)
    [0.2, 0.5, 1.0, 2.0, 5.0]
    """
    first, last = (int(f"{value:e}".partition("e")[2]) for value in (least, most))
    ladder = [float(f"{step}e{power}") for power in range(first, last + 2) for step in (1, 2, 5)]
    start = max(index for index, limit in enumerate(ladder) if limit <= least)
    end = next(index for index, limit in enumerate(ladder) if limit > most)
    return ladder[start : end + 1]


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
        options = candidates(group)
        if not options:
            continue
        by_dice = tuple(_answers(dice_steps(options), "Dice ", ""))
        by_kj = tuple(_answers(kj_steps(options), "", " kJ"))
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
