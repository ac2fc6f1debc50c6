"""Dice of a trained network on a split."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from zoo._dice import counts, scores
from zoo._forward import logits_of
from zoo._hardware import settings
from zoo.recipe import Recipe
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
    was_training = model.training
    model.to(recipe.device).eval()
    try:
        with settings(recipe):
            pixels = _count(model, split, recipe)
    finally:
        model.train(was_training)
    return scores(pixels, split.volume, recipe.batch_size)


@torch.no_grad()
def _count(model: nn.Module, split: Any, recipe: Recipe) -> Tensor:
    rows = []
    for start in range(0, len(split.images), recipe.batch_size):
        image_NCHW, mask_NCHW = (
            torch.from_numpy(np.array(array[start : start + recipe.batch_size])).to(recipe.device)
            for array in (split.images, split.masks)
        )
        rows.append(counts(logits_of(recipe, model, image_NCHW), mask_NCHW))
    return torch.cat(rows).cpu()


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
