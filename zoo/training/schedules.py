"""The schedules of the learning rate, as the recipe says: after an update, and after an epoch."""

import torch

from zoo.recipes.recipe import Recipe


class Schedule:
    """What becomes of the optimiser's learning rate; a constant rate where the recipe has no schedule.

    Args:
        optimizer: whose rate is changed.
        updates: of the weights, in all epochs together.
    """

    def __init__(self, recipe: Recipe, optimizer: torch.optim.Optimizer, updates: int) -> None:
        self._plateau = self._cycle = None
        if recipe.plateau_patience is not None:
            self._plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
                optimizer,
                factor=recipe.plateau_factor,
                patience=recipe.plateau_patience,
                threshold=recipe.plateau_threshold,
                min_lr=recipe.plateau_floor,
            )
        if recipe.one_cycle_peak is not None:
            rate = float(optimizer.param_groups[0]["lr"])
            # A rate that a search has found is the peak, as the search's author means it.
            peak = rate if recipe.lr_find_steps else recipe.one_cycle_peak * rate
            self._cycle = torch.optim.lr_scheduler.OneCycleLR(
                optimizer,
                max_lr=peak,
                total_steps=updates,
                cycle_momentum=False,  # the betas are the optimiser's choice
            )

    def after_update(self) -> None:
        """Set the rate of the next update, where the recipe says so."""
        if self._cycle is not None:
            self._cycle.step()

    def after_epoch(self, val_loss: float) -> None:
        """Let the validation loss drive the rate, where the recipe says so."""
        if self._plateau is not None:
            self._plateau.step(val_loss)
