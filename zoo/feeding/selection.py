"""Which of the training slices are trained on."""

import time
from typing import Any

import torch

from zoo.recipes.recipe import Recipe
from zoo.results import Ineffective

FEWEST = 2  # batch normalisation needs statistics over slices


def selected(recipe: Recipe, split: Any, seed: int) -> tuple[list[dict[str, str]], dict[str, Any] | None]:
    """Return the items of the slices to train on, in their order, and an account if some are left out.

    All slices that show brain are kept, and the recipe's share of the empty ones, drawn by the seed. Every
    mask of the split's arrays is read for it, once; the files would say the same, and take longer.

    Raises:
        Ineffective: if no slice is left out.
        ValueError: if fewer than two are left.
    """
    if recipe.empty_kept == 1:
        return list(split.items), None
    started = time.perf_counter()
    shows_brain = torch.tensor([bool(mask.any()) for mask in split.masks])
    empty = (~shows_brain).nonzero().flatten()
    order = torch.randperm(len(empty), generator=torch.Generator().manual_seed(seed))
    kept = shows_brain.clone()
    kept[empty[order[: round(recipe.empty_kept * len(empty))]]] = True
    told = {
        "brain": int(shows_brain.sum()),
        "empty": len(empty),
        "empty_kept": int(kept.sum() - shows_brain.sum()),
        "seconds": time.perf_counter() - started,
    }
    _require_some_of_both(recipe, told)
    return [item for item, keep in zip(split.items, kept.tolist(), strict=True) if keep], told


def _require_some_of_both(recipe: Recipe, told: dict[str, Any]) -> None:
    given = f"{told['brain']} training slices show brain, and {told['empty_kept']} of {told['empty']} empty"
    if told["empty_kept"] == told["empty"]:
        raise Ineffective(f"empty_kept is {recipe.empty_kept}, but no slice was left out: {given} are kept.")
    if told["brain"] + told["empty_kept"] < FEWEST:
        raise ValueError(
            f"empty_kept is {recipe.empty_kept}: {given} ones are kept; expected {FEWEST} slices or more."
        )
