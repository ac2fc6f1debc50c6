"""Dice of a trained network on a split."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from zoo._dice import counts, scores
from zoo.hardware import settings
from zoo.model.forward import logits_of
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
    rows = [counts(logits, mask) for logits, mask in _answers(model, split, recipe)]
    return scores(torch.cat(rows).cpu(), split.volume, recipe.batch_size)


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
                yield logits_of(recipe, model, image_NCHW), mask_NCHW
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
