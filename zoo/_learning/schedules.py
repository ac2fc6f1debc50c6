"""The schedules of the learning rate, as the recipe says: after a step, and after an epoch."""

import torch

from zoo.recipe import Recipe


class Schedule:
    """What becomes of the optimiser's learning rate; a constant rate where the recipe has no schedule.

    Args:
        optimizer: whose rate is changed.
    """

    def __init__(self, recipe: Recipe, optimizer: torch.optim.Optimizer) -> None:
        self._plateau = None
        if recipe.plateau_patience is not None:
            self._plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
                optimizer,
                factor=recipe.plateau_factor,
                patience=recipe.plateau_patience,
                threshold=recipe.plateau_threshold,
                min_lr=recipe.plateau_floor,
            )

    def after_epoch(self, val_loss: float) -> None:
        """Let the validation loss drive the rate, where the recipe says so."""
        if self._plateau is not None:
            self._plateau.step(val_loss)
