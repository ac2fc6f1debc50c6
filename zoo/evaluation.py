"""Dice of a trained network on a split, by three definitions.

A pixel is brain where its logit is above 0, that is its probability above 0.5. Pixels are counted per slice:
one pass over them serves every definition.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from zoo.device.runtime import settings
from zoo.model.forward import compute_logits
from zoo.recipes.recipe import Recipe
from zoo.results import Scores


def evaluate(model: nn.Module, split: Any, recipe: Recipe) -> Scores:
    """Score a model on a split's arrays, on the recipe's device, in its precision and batch size.

    Slices of a size that the network cannot take are padded, and its logits cropped.
    `split` is a `fixtures.Split`, or has its `images` and `masks` (N, 1, H, W), `subject` and `volume`. The
    model is left on that device, in the mode it had.

    Raises:
        ValueError: if the split is empty, or two subjects have a volume of the same name.
    """
    _check(split)
    rows = [count_pixels(logits, mask) for logits, mask in _answers(model, split, recipe)]
    return score_slices(torch.cat(rows).cpu(), split.volume, recipe.batch_size)


def predict(model: nn.Module, split: Any, recipe: Recipe) -> np.ndarray:
    """Return the masks that a model predicts for a split, booleans of shape (N, 1, H, W): logits > 0.

    As `evaluate` does it, whose Dice is that of these masks.
    """
    return torch.cat([(logits > 0).cpu() for logits, _ in _answers(model, split, recipe)]).numpy()


@torch.no_grad()
def _answers(model: nn.Module, split: Any, recipe: Recipe) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield logits and true masks of each batch; the model is left in the mode it had."""
    was_training = model.training
    model.to(recipe.device).eval()
    try:
        with settings(recipe):
            for start in range(0, len(split.images), recipe.batch_size):
                image_NCHW, mask_NCHW = (
                    torch.from_numpy(np.array(array[start : start + recipe.batch_size])).to(recipe.device)
                    for array in (split.images, split.masks)
                )
                yield compute_logits(recipe, model, image_NCHW), mask_NCHW
    finally:
        model.train(was_training)


def _check(split: Any) -> None:
    if not len(split.images):
        raise ValueError("the split has no slices; there is nothing to evaluate.")
    owners: dict[str, str] = {}
    for volume, subject in zip(split.volume, split.subject, strict=True):
        if owners.setdefault(volume, subject) != subject:
            raise ValueError(
                f"volume {volume!r} belongs to subjects {owners[volume]!r} and {subject!r}; "
                f"expected volume names that are unique, because Dice is pooled per volume."
            )


def count_pixels(logits: Tensor, mask: Tensor) -> Tensor:
    """Count the pixels of each slice of (N, 1, H, W): (N, 3), found and true, found, true."""
    found, true = logits > 0, mask > 0.5
    return torch.stack([pixels.flatten(1).sum(1) for pixels in (found & true, found, true)], dim=1)


def pool_dice(slices: Tensor) -> float:
    """Compute one Dice over all pixels of slices, counted (N, 3); NaN where they show no brain.

    Without brain there is nothing to find: a network that finds nothing anywhere would score 1.
    """
    both, found, true = slices.sum(0).tolist()
    return 2 * both / (found + true) if true else math.nan


def score_slices(slices: Tensor, volumes: Sequence[str], batch_size: int) -> Scores:
    """Compute every definition of Dice for slices in their order.

    The headline is the mean over the volumes that have brain; NaN if none has. What is found in a volume
    without brain is in `dice_batch` only, which follows the code of Mazurek et al. 2024 (arXiv:2405.15778):
    a batch without brain counts as 0.
    """
    rows: dict[str, list[int]] = {}
    for row, volume in enumerate(volumes):
        rows.setdefault(volume, []).append(row)
    by_volume = {volume: pool_dice(slices[of_volume]) for volume, of_volume in rows.items()}
    counts = [slices[of_volume].sum(0).tolist() for of_volume in rows.values()]
    batches = [(pool_dice(batch), len(batch)) for batch in slices.split(batch_size)]
    return Scores(
        dice=_mean_known(by_volume.values()),
        dice_slice=_mean_known(pool_dice(row[None]) for row in slices),
        dice_batch=sum(0.0 if math.isnan(dice) else dice * size for dice, size in batches) / len(slices),
        dice_by_volume=by_volume,
        sensitivity=_mean_share(counts, 2),
        precision=_mean_share(counts, 1),
    )


def _mean_share(volumes: Sequence[list[int]], of: int) -> float:
    """Return found and true as a share of found (1) or true (2), mean over the volumes that have brain."""
    shares = [row[0] / row[of] if row[of] else math.nan for row in volumes if row[2]]
    return sum(shares) / len(shares) if shares else math.nan


def _mean_known(values: Iterable[float]) -> float:
    """Return the mean of what is known; NaN if nothing is."""
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan
