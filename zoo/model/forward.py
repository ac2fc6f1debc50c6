"""One forward pass as a recipe says: in its precision, at its resolution, and on slices of any size."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo._registry import side_to_pad_to
from zoo.device.runtime import DTYPES, autocast
from zoo.recipes.recipe import Recipe
from zoo.results import Ineffective


def compute_logits(recipe: Recipe, model: nn.Module, image: Tensor) -> Tensor:
    """Run a model on (N, C, H, W) in the recipe's precision; logits (N, classes, H, W).

    A size that the network cannot halve evenly is padded on all sides, and the logits are cropped back, so
    that losses and scores see the original field only. Padding repeats the outermost pixels: a constant would
    draw an edge into every slice. Batch normalisation counts the padding in.

    Where the recipe's resolution is below 1, the slices are shrunk before all that, without aliasing, and the
    logits are scaled back to the field.
    """
    field = image.shape[-2:]
    seen = torch.Size(side_seen(recipe, side) for side in field)
    if seen == field:
        return _padded_logits(recipe, model, image)
    logits = _padded_logits(recipe, model, F.interpolate(image, seen, mode="bilinear", antialias=True))
    return F.interpolate(logits.float(), field, mode="bilinear")


class AsTheRecipeSays(nn.Module):
    """A model run as a recipe says, for libraries that call a module and know of no recipe."""

    def __init__(self, model: nn.Module, recipe: Recipe) -> None:
        super().__init__()
        self.model, self.recipe = model, recipe

    def forward(self, image: Tensor) -> Tensor:
        """Return the logits of a batch."""
        return compute_logits(self.recipe, self.model, image)


def _padded_logits(recipe: Recipe, model: nn.Module, image: Tensor) -> Tensor:
    height, width = image.shape[-2:]
    tall, wide = (side_to_pad_to(recipe.architecture, side) for side in (height, width))
    top, left = (tall - height) // 2, (wide - width) // 2
    with autocast(recipe):
        if (tall, wide) == (height, width):
            return model(_as_kept(recipe, image))
        margins = (left, wide - width - left, top, tall - height - top)
        logits = model(_as_kept(recipe, F.pad(image, margins, mode="replicate")))
    return logits[..., top : top + height, left : left + width]


def _as_kept(recipe: Recipe, image: Tensor) -> Tensor:
    """Bring (N, C, H, W) into the format and the layout of the network's weights."""
    image = image.to(DTYPES[recipe.weights])
    if not recipe.channels_last:
        return image
    channels, height, width = image.shape[1:]
    # With one channel both layouts are the same memory, and torch takes it for the common one unless told.
    strides = (height * width * channels, 1, width * channels, channels)
    return image.contiguous(memory_format=torch.channels_last).as_strided(image.shape, strides)


def side_seen(recipe: Recipe, side: int) -> int:
    """Return the side, in pixels, at which the network sees a slice of `side`; padding comes after."""
    return max(1, round(recipe.resolution * side))


def recipe_in_epoch(recipe: Recipe, number: int) -> Recipe:
    """Return the recipe of one epoch (from 1): where it has stages, with the resolution of that epoch's.

    The stages share the epochs evenly, counted from the end: a last stage has the odd ones, and of fewer
    epochs than stages the last one still is at full size.
    """
    stages = recipe.resolution_stages
    if not stages:
        return recipe
    stages_to_come = (recipe.epochs - number) * len(stages) // recipe.epochs
    return replace(recipe, resolution=stages[-1 - stages_to_come], resolution_stages=())


def growing_until(recipe: Recipe) -> int:
    """Return the last epoch that trains on smaller slices than the last stage does; 0 without stages."""
    stages = max(1, len(recipe.resolution_stages))
    return recipe.epochs - -(-recipe.epochs // stages)


def account_resolution(recipe: Recipe, image_size: int) -> list[dict[str, Any]] | None:
    """List how large the network sees the training slices, and from which epoch on; None if as they are.

    Raises:
        Ineffective: if the network cannot take smaller slices, so that padding undoes it all.
    """
    found: list[dict[str, Any]] = []
    for number in range(1, recipe.epochs + 1):
        side = side_seen(recipe_in_epoch(recipe, number), image_size)
        if not found or side != found[-1]["side"]:
            found.append({"from_epoch": number, "side": side})
    if all(stage["side"] == image_size for stage in found):
        return None
    full, padded = (side_to_pad_to(recipe.architecture, side) for side in (image_size, found[0]["side"]))
    if padded == full:
        raise Ineffective(
            f"{recipe.technique}: {recipe.architecture} was to see slices of {found[0]['side']} px, not of "
            f"{image_size}, but takes no less than {padded}, to which both are padded; use larger images."
        )
    return found
