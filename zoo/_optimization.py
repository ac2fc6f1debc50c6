"""Loss, optimiser, schedule and learning-rate search, as the recipe names them."""

import math
from typing import Any

import torch
from monai.losses import DiceLoss
from monai.optimizers import LearningRateFinder, Novograd
from torch import Tensor, nn

from zoo._forward import logits_of
from zoo._loaders import Loader
from zoo.recipe import Recipe


def loss_of(recipe: Recipe, model: nn.Module, image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Run the model on (N, 1, H, W) as the recipe says; return the loss, in fp32, and the logits."""
    logits = logits_of(recipe, model, image)
    return dice_loss(logits, mask), logits


def dice_loss(logits: Tensor, mask: Tensor) -> Tensor:
    """Compute 1 - soft Dice over the pixels of the whole batch, in fp32.

    Half precision can turn it into NaN or a false 1. Pooled over the batch, slices without brain still have a
    gradient; taken slice by slice they would have none.
    """
    return DiceLoss(sigmoid=True, batch=True)(logits.float(), mask.float())


def optimizer(recipe: Recipe, model: nn.Module, learning_rate: float) -> torch.optim.Optimizer:
    """Build the recipe's optimiser for all weights of a model."""
    kind = {"adam": torch.optim.Adam, "novograd": Novograd}[recipe.optimizer]
    return kind(model.parameters(), lr=learning_rate, betas=recipe.betas, amsgrad=recipe.amsgrad)


def schedule(
    recipe: Recipe, optimize: torch.optim.Optimizer
) -> torch.optim.lr_scheduler.ReduceLROnPlateau | None:
    """Build the schedule that the validation loss drives, if the recipe has one."""
    if recipe.plateau_patience is None:
        return None
    return torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimize,
        factor=recipe.plateau_factor,
        patience=recipe.plateau_patience,
        threshold=recipe.plateau_threshold,
        min_lr=recipe.plateau_floor,
    )


def find_learning_rate(recipe: Recipe, model: nn.Module, loader: Loader) -> tuple[float, dict[str, Any]]:
    """Search the rate at which the loss falls most steeply; the model keeps its weights.

    Returns the rate, within the range searched, and an account. Where none can be read, because the loss is
    no finite number from early on, it is the recipe's own rate, and `found` is None.
    """
    wrapped = _AsTheRecipeSays(model, recipe)
    finder = LearningRateFinder(
        wrapped,
        optimizer(recipe, wrapped, recipe.lr_find_low),
        _Loss(),
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


class _AsTheRecipeSays(nn.Module):
    """A model in the recipe's precision, on slices of any size: MONAI's finder knows of neither."""

    def __init__(self, model: nn.Module, recipe: Recipe) -> None:
        super().__init__()
        self.model, self.recipe = model, recipe

    def forward(self, image: Tensor) -> Tensor:
        return logits_of(self.recipe, self.model, image)


class _Loss(nn.Module):
    """The loss as a module, which MONAI's finder wants."""

    def forward(self, logits: Tensor, mask: Tensor) -> Tensor:
        return dice_loss(logits, mask)
