"""Before the first epoch and at the end: refusals, the learning-rate search, the account of what was done."""

from collections.abc import Sequence
from dataclasses import asdict
from itertools import pairwise
from typing import Any

import torch
from torch import nn

from zoo._registry import side_to_pad_to
from zoo.availability import unavailable
from zoo.device.runtime import convolution_fp32
from zoo.feeding import loaders
from zoo.feeding.feed import Feed
from zoo.model.forward import account_resolution, growing_until, side_seen
from zoo.recipes.recipe import Recipe
from zoo.results import Epoch
from zoo.training import averaging, rate_search
from zoo.training.learner import Learner


def refuse_untrainable(recipe: Recipe, data: Any, seed: int) -> None:
    """Refuse what cannot be trained, before any file is read.

    Raises:
        ValueError: naming what is wrong.
    """
    if reason := unavailable(recipe):
        raise ValueError(f"this recipe cannot run here: {reason}.")
    if type(seed) is not int or seed < 0:
        raise ValueError(f"seed is {seed!r}; expected a whole number of 0 or more.")
    for name, fewest in (("train", 2), ("val", 1)):
        slices = len(getattr(data, name))
        if slices < fewest:
            raise ValueError(f"the {name} split has {slices} slices; expected {fewest} or more.")


def find_learning_rate(recipe: Recipe, model: nn.Module, feed: Feed) -> tuple[float, dict[str, Any] | None]:
    """Search the learning rate if the recipe says so; return it, and an account of the search."""
    if not recipe.lr_find_steps:
        return recipe.learning_rate, None
    loader = feed.search_loader()
    with loaders.closing(loader):
        return rate_search.find(recipe, model, loader)


def account_setup(
    recipe: Recipe, data: Any, feed: Feed, learner: Learner, search: dict[str, Any] | None
) -> dict[str, Any]:
    """Say in JSON-able values what the recipe's choices did on this machine."""
    return {
        "device": recipe.device,
        "threads": torch.get_num_threads(),
        "resolution": account_resolution(recipe, data.image_size),
        "padded_to": _padded_to(recipe, side_seen(recipe, data.image_size)),
        "precision": recipe.precision,
        "convolution_fp32": convolution_fp32(recipe),
        "optimizer": recipe.optimizer,
        "updates_per_epoch": learner.groups.per_pass,
        "learning_rate": learner.learning_rate,
        "lr_find": search,
        **feed.applied,
        "augment": _augment(recipe),
        "without_effect": _without_effect(recipe, feed, learner),
    }


def _padded_to(recipe: Recipe, image_size: int) -> int | None:
    side = side_to_pad_to(recipe.architecture, image_size)
    return None if side == image_size else side


def _augment(recipe: Recipe) -> dict[str, float] | None:
    if not recipe.augment:
        return None
    return {key: value for key, value in asdict(recipe).items() if key.startswith(("rotation_", "flip_"))}


def _without_effect(recipe: Recipe, feed: Feed, learner: Learner) -> list[str]:
    """List the choices that cannot act here, so that a figure equal to the baseline's explains itself."""
    found = []
    if recipe.pin_memory and not feed.applied["pin_memory"]:
        found.append("pin_memory: acts with CUDA only")
    # Patience is not lost before that epoch, nor in it; a stop after the last epoch saves nothing.
    patience = recipe.early_stop_patience
    if patience is not None and learner.settled_from + patience >= recipe.epochs:
        found.append(f"early_stop: patience {patience}, {recipe.epochs} epochs")
    if recipe.resolution_stages and not growing_until(recipe):
        found.append(f"progressive_resize: {recipe.epochs} epoch")
    # The first epoch is progress; a rate that falls after the last epoch trains nothing.
    if recipe.plateau_patience is not None and recipe.plateau_patience + 2 >= recipe.epochs:
        found.append(f"plateau: patience {recipe.plateau_patience}, {recipe.epochs} epochs")
    if recipe.accumulate > 1 and feed.steps == 1:
        found.append(f"grad_accumulate: groups of {recipe.accumulate} batches, 1 batch per epoch")
    if recipe.average == "ema" and learner.updates < 2:
        found.append("ema: 1 update")
    if recipe.average == "swa" and averaging.first_averaged_epoch(recipe) == recipe.epochs:
        found.append(f"swa: averages 1 of {recipe.epochs} epochs")
    return found


def account_end(recipe: Recipe, history: Sequence[Epoch], without_effect: Sequence[str]) -> dict[str, Any]:
    """Say what the plateau schedule and early stopping did, in JSON-able values.

    `without_effect` are the choices that could not act from the start; those that did not are added.
    """
    told: dict[str, Any] = {}
    idle = []
    if recipe.plateau_patience is not None:
        # Of rates that were trained with: one that fell after the last epoch did nothing.
        reductions = sum(after.lr < before.lr for before, after in pairwise(history))
        told["plateau"] = {"reductions": reductions}
        if not reductions:
            idle.append(f"plateau: the rate never fell in {len(history)} epochs")
    if recipe.early_stop_patience is not None:
        stopped = len(history) < recipe.epochs
        told["early_stop"] = {"stopped_after": len(history) if stopped else None}
        if not stopped:
            idle.append(f"early_stop: all {recipe.epochs} epochs were trained")
    known = {choice.partition(":")[0] for choice in without_effect}
    new = [choice for choice in idle if choice.partition(":")[0] not in known]
    return told | {"without_effect": [*without_effect, *new]}
