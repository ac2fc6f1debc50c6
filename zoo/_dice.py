"""Dice from pixel counts per slice: one pass over the pixels serves every definition.

A pixel is brain where its logit is above 0, that is its probability above 0.5.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from zoo.results import Scores


def counts(logits: Tensor, mask: Tensor) -> Tensor:
    """Count the pixels of each slice of (N, 1, H, W): (N, 3), found and true, found, true."""
    found, true = logits > 0, mask > 0.5
    return torch.stack([pixels.flatten(1).sum(1) for pixels in (found & true, found, true)], dim=1)


def pooled(slices: Tensor, empty: float = 1.0) -> float:
    """Compute one Dice over all pixels of slices, counted (N, 3); `empty` where both sides are empty."""
    both, found, true = slices.sum(0).tolist()
    return 2 * both / (found + true) if found + true else empty


def scores(slices: Tensor, volumes: Sequence[str], batch_size: int) -> Scores:
    """Compute every definition of Dice for slices in their order.

    A volume without brain in which none was found counts as 1, a perfect answer. `dice_batch` follows the
    code of Mazurek et al. 2024 (arXiv:2405.15778): a batch with an empty union counts as 0.
    """
    rows: dict[str, list[int]] = {}
    for row, volume in enumerate(volumes):
        rows.setdefault(volume, []).append(row)
    by_volume = {volume: pooled(slices[of_volume]) for volume, of_volume in rows.items()}
    with_brain = [pooled(row[None]) for row in slices if row[2] > 0]
    batches = [(pooled(batch, empty=0.0), len(batch)) for batch in slices.split(batch_size)]
    return Scores(
        dice=_mean(by_volume.values()),
        dice_slice=_mean(with_brain) if with_brain else None,
        dice_batch=sum(dice * size for dice, size in batches) / len(slices),
        dice_by_volume=by_volume,
    )


def _mean(values) -> float:
    values = list(values)
    return sum(values) / len(values)
