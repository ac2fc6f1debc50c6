"""Cross-validation: the figures whose unit is the volume, not the repeat.

Each repeat tests on the volumes of its own fold. Dice is then the mean over all volumes, with an interval
over them; several seeds of one volume are its mean first. Joules are a repeat's: a mean over repeats.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any

DICE, LOSS = "dice", "dice_loss_vs_unet_pct"
BY_VOLUME = frozenset({DICE, LOSS})
OWN, REFERENCE = "dice_by_volume", "reference_by_volume"  # of a repeat: Dice by volume, and U-Net's on them


def summarise_volumes(setups: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Return by metric its figure for each volume with brain; nothing where there are no folds.

    The Dice that a volume lost is in per cent of U-Net's mean Dice, so that a volume in which U-Net finds
    nothing has a figure, too, and the mean over volumes is that of the two means. It is left out where U-Net
    lacks a repeat: one seed of U-Net's against two of the case says more of the seeds.

    Args:
        setups: what the repeats say of themselves.

    >>> folds = [{"fold": 1, "dice_by_volume": {"a": 0.4}, "reference_by_volume": {"a": 0.6}},
    ...          {"fold": 2, "dice_by_volume": {"b": 0.8}, "reference_by_volume": {"b": 1.0}}]
    >>> summarise_volumes(folds)["dice"]
    {'a': 0.4, 'b': 0.8}
    >>> {volume: round(lost) for volume, lost in summarise_volumes(folds)["dice_loss_vs_unet_pct"].items()}
    {'a': 25, 'b': 25}
    """
    if not setups or any("fold" not in setup for setup in setups):
        return {}
    found = {DICE: _average([setup.get(OWN) or {} for setup in setups])}
    unet = _average([setup.get(REFERENCE) or {} for setup in setups])
    mean = fmean(unet.values()) if unet else 0.0
    if mean > 0 and all(_list_known(setup, OWN) == _list_known(setup, REFERENCE) for setup in setups):
        found[LOSS] = {volume: 100 * (unet[volume] - dice) / mean for volume, dice in found[DICE].items()}
    return {metric: figures for metric, figures in found.items() if figures}


def list_seeds(record: Mapping[str, Any]) -> tuple[int, ...]:
    """Return the seed of each repeat of a case: every fold with the first seed, then with the next."""
    budget = record["budget"]
    return tuple(seed for seed in budget.get("seeds", ()) for _ in range(budget.get("folds", 1)))


def list_folds(record: Mapping[str, Any]) -> tuple[int, ...]:
    """Return the fold of each repeat, from 1 on; nothing where there are none, or where a case has no seeds.

    A ladder is climbed once, over all folds of its rungs.
    """
    budget = record["budget"]
    return tuple(fold for _ in budget.get("seeds", ()) for fold in range(1, budget.get("folds", 0) + 1))


def count_test_volumes(record: Mapping[str, Any]) -> int:
    """Return over how many volumes the Dice of a case is, as far as it says: those that have brain."""
    return len(_average([repeat.get(OWN) or {} for repeat in record.get("setup", ())]))


def name_repeats(record: Mapping[str, Any], count: int) -> Iterable[str]:
    """Name the repeats of a case, of which a failed one has fewer: "seed 0", "seed 0 fold 2", "repeat 1"."""
    seeds, folds = list_seeds(record), list_folds(record)
    if len(seeds) < count:
        return [f"repeat {number}" for number in range(1, count + 1)]
    fold = [f" fold {number}" for number in folds] or [""] * count
    return [f"seed {seed}{of}" for seed, of in zip(seeds[:count], fold[:count], strict=True)]


def _list_known(setup: Mapping[str, Any], name: str) -> list[str]:
    return sorted(_average([setup.get(name) or {}]))


def _average(repeats: Iterable[Mapping[str, float | None]]) -> dict[str, float]:
    """Return the mean of each volume over the repeats that know it; a volume without brain has none."""
    values: dict[str, list[float]] = {}
    for repeat in repeats:
        for volume, value in repeat.items():
            if value is not None and math.isfinite(value):
                values.setdefault(volume, []).append(value)
    return {volume: fmean(values[volume]) for volume in sorted(values)}
