"""What was measured, group by group, and what the figures say in one sentence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from energy.records import provenance
from energy.report import seeds
from energy.report.groups import Entry, Group
from energy.report.page import choosing
from energy.report.page.choosing import Candidate
from energy.report.terminal import caption
from energy.report.terminal.table import UNKNOWN
from energy.report.words import clipped
from energy.text import format_number

# Groups whose finding stands at the top of the page.
MOST_SENTENCES = 5


@dataclass(frozen=True)
class Overview:
    """What was measured in a group, in one line."""

    group: Group
    cases: str
    dice: str
    total_kj: str
    band: str
    repeats: str
    newest: str


def overviews(groups: Sequence[Group]) -> list[Overview]:
    """Return one line per group."""
    return [_overview(group) for group in groups]


def _overview(group: Group) -> Overview:
    good = [entry for entry in group.entries if entry.usable]
    failed = sum(entry.record["status"] != "ok" for entry in group.entries)
    invalid = len(group.entries) - len(good) - failed
    told = f"{len(group.entries)}"
    told += f", {failed} failed" if failed else ""
    told += f", {invalid} invalid" if invalid else ""
    counts = {len(entry.record["metrics"]["seconds"]["values"]) for entry in good}
    newest = max(entry.datetime for entry in group.entries)
    return Overview(
        group=group,
        cases=told,
        dice=_range(good, "dice"),
        total_kj=_range(good, "total_kj"),
        band=_band(good),
        repeats=" to ".join(map(str, sorted({min(counts), max(counts)}))) if counts else UNKNOWN,
        newest=newest[:10],
    )


def _range(entries: Sequence[Entry], metric: str) -> str:
    known = [value for entry in entries if (value := entry.mean(metric)) is not None]
    if not known:
        return UNKNOWN
    least, most = format_number(min(known)), format_number(max(known))
    return least if least == most else f"{least} to {most}"


def _band(entries: Sequence[Entry]) -> str:
    """Say within which multiples the truth of a total lies."""
    sources = [
        made for entry in entries if (made := provenance.find_provenance(entry.record)) and made.factors
    ]
    return caption.band_in_words(sources) if sources else UNKNOWN


def lead(groups: Sequence[Group]) -> list[str]:
    """Return what a reader should know first: how the joules were got, and what the figures say.

    For each group with a U-Net: the cheapest case that keeps 95 % of U-Net's Dice, over the seeds of both.
    """
    kinds = sorted({group.told for group in groups if group.kind})
    told = (
        "nothing was metered" if not kinds else f"the energy is {' on some machines, on others '.join(kinds)}"
    )
    sentences = [f"Kilojoules and Dice of training and running segmentation networks; {told}."]
    return sentences + [sentence for group in groups if (sentence := _against_unet(group))][:MOST_SENTENCES]


@dataclass(frozen=True)
class _Rival:
    """A case and the U-Net, each over the seeds that both have: Dice, kJ, and that of the U-Net."""

    option: Candidate
    dice: tuple[float, float]
    kj: tuple[float, float]

    @property
    def share(self) -> float:
        """Its kJ as a share of the U-Net's."""
        return self.kj[0] / self.kj[1]


def _against_unet(group: Group) -> str | None:
    options = choosing.candidates(group)
    unet = next((option for option in options if option.entry.case == "unet-baseline"), None)
    if unet is None or unet.kj <= 0:
        return None
    where = f"{group.machine}, {group.setting}"
    if unet.dice <= 0:
        return f"{where}: U-Net has Dice {format_number(unet.dice)}, with which nothing can be compared."
    rivals = [rival for option in options if option is not unet and (rival := _rival(option, unet))]
    enough = [rival for rival in rivals if rival.dice[0] >= 0.95 * rival.dice[1] and rival.share < 1]
    if not enough:
        return f"{where}: no case keeps 95 % of U-Net's Dice for less energy."
    winner = min(enough, key=lambda rival: (rival.share, -rival.dice[0]))
    share = format_number(100 * winner.share, 10 * winner.share)  # two digits
    return (
        f"{where}: {clipped(winner.option.entry.case, 60)} reaches Dice {format_number(winner.dice[0])} "
        f"(U-Net {format_number(winner.dice[1])}) for {share} % of U-Net's kilojoules ({group.told})."
        f"{''.join(_doubts(unet.entry, winner.option.entry))}"
    )


def _rival(option: Candidate, unet: Candidate) -> _Rival | None:
    """Return a case beside the U-Net; None if they share no seed, or the U-Net has no kJ or Dice there."""
    dice, kj = (
        seeds.means(option.entry.labelled(metric), unet.entry.labelled(metric))
        for metric in ("dice", "total_kj")
    )
    return _Rival(option, dice, kj) if dice and kj and dice[1] > 0 and kj[1] > 0 else None


def _doubts(unet: Entry, winner: Entry) -> Iterator[str]:
    """Yield what a reader should hold against a comparison of two cases."""
    both = seeds.shared(winner.seeds, unet.seeds)
    of_few = len(both) == 1 and "folds" not in winner.budget
    if of_few or len(winner.values("dice")) == len(unet.values("dice")) == 1:
        yield " One seed: chance decides over differences of a few hundredths of Dice."
    if set(winner.seeds) != set(unet.seeds):
        yield f" Only the seeds that both have are compared ({', '.join(map(str, both))})."
    if unet.run.path != winner.run.path:
        yield " The two are of different runs, between which the same work may differ by some per cent."
