"""The learning-rate search: MONAI's LearningRateFinder, on the model as the recipe runs it."""

import math
from typing import Any

from monai.optimizers import LearningRateFinder
from torch import Tensor, nn

from zoo.feeding.loaders import Loader
from zoo.model.forward import AsTheRecipeSays
from zoo.recipes.recipe import Recipe
from zoo.training import losses, optimizers


def find(recipe: Recipe, model: nn.Module, loader: Loader) -> tuple[float, dict[str, Any]]:
    """Search the rate at which the loss falls most steeply; the model keeps its weights.

    Returns the rate, within the range searched, and an account. Where none can be read, because the loss is
    no finite number from early on, it is the recipe's own rate, and `found` is None.
    """
    wrapped = AsTheRecipeSays(model, recipe)
    finder = LearningRateFinder(
        wrapped,
        optimizers.build(recipe, wrapped, recipe.lr_find_low),
        _Loss(recipe),
        recipe.device,
        verbose=False,
    )
    finder.range_test(
        loader,
        image_extractor=lambda batch: batch["image"],
        label_extractor=lambda batch: batch["mask"],
        start_lr=recipe.lr_find_low,
        end_lr=recipe.lr_find_high,
        num_iter=recipe.lr_find_steps,
    )
    steps = len(finder.history["loss"])
    found = _steepest(finder, skip=min(10, recipe.lr_find_steps // 10))
    used = recipe.learning_rate if found is None else _clamp(found, recipe.lr_find_low, recipe.lr_find_high)
    return used, {"steps": steps, "found": found, "used": used}


def _steepest(finder: LearningRateFinder, skip: int) -> float | None:
    # The first steps are left out: there the smoothed loss still leans on its first value.
    finite = next((i for i, loss in enumerate(finder.history["loss"]) if not math.isfinite(loss)), None)
    finder.history = {name: values[:finite] for name, values in finder.history.items()}
    if len(finder.get_lrs_and_losses(skip)[0]) < 2:
        return None  # MONAI would say the same, and print
    return finder.get_steepest_gradient(skip)[0]


def _clamp(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)


class _Loss(nn.Module):
    """The recipe's loss as a module, which MONAI's finder wants."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self.loss = losses.build(recipe)

    def forward(self, logits: Tensor, mask: Tensor) -> Tensor:
        return self.loss(logits, mask)
