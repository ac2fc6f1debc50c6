"""How large the network sees a slice, and in which epochs. Imports no torch."""

from dataclasses import replace
from typing import Any

from zoo._registry import side_to_pad_to
from zoo.recipes.recipe import Recipe
from zoo.results import Ineffective


def side_seen(recipe: Recipe, side: int) -> int:
    """Return the side, in pixels, at which the network sees a slice of `side`; padding comes after."""
    return max(1, round(recipe.resolution * side))


def in_epoch(recipe: Recipe, number: int) -> Recipe:
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


def account(recipe: Recipe, image_size: int) -> list[dict[str, Any]] | None:
    """List how large the network sees the training slices, and from which epoch on; None if as they are.

    Raises:
        Ineffective: if the network cannot take smaller slices, so that padding undoes it all.
    """
    found: list[dict[str, Any]] = []
    for number in range(1, recipe.epochs + 1):
        side = side_seen(in_epoch(recipe, number), image_size)
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
