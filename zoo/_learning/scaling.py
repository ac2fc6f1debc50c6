"""The scaling of the loss: fp16 has no numbers for small gradients, so they are computed larger."""

from typing import Any

import torch
from torch import Tensor

from zoo.recipe import Recipe
from zoo.results import Ineffective


class Scaling:
    """The backward pass and the optimiser's step, with torch's GradScaler where the recipe is fp16 autocast.

    A step whose gradients are infinite is left out, and the scale is halved; that is how it is found. For
    other recipes this does nothing of its own.
    """

    def __init__(self, recipe: Recipe) -> None:
        self._recipe, self._optimizer = recipe, None
        self._taken = self._tried = 0
        self._scaler = torch.amp.GradScaler(
            torch.device(recipe.device).type, enabled=recipe.precision == "fp16"
        )

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of a loss."""
        self._scaler.scale(loss).backward()

    def step(self, optimizer: torch.optim.Optimizer) -> None:
        """Let the optimiser take its step, unless a gradient is infinite."""
        if not self._scaler.is_enabled():
            optimizer.step()
            return
        if optimizer is not self._optimizer:
            optimizer.register_step_post_hook(self._count)
            self._optimizer = optimizer
        self._tried += 1
        self._scaler.step(optimizer)
        self._scaler.update()

    def account(self) -> dict[str, Any]:
        """Say how many steps were taken, how many left out, and the scale in the end.

        Raises:
            Ineffective: if no step was taken.
        """
        if not self._scaler.is_enabled():
            return {}
        if not self._taken:
            raise Ineffective(
                f"{self._recipe.technique}: the gradients of all {self._tried} steps overflowed in fp16, so "
                f"nothing was learned; use bf16, or more epochs."
            )
        skipped = self._tried - self._taken
        return {
            "loss_scaling": {"taken": self._taken, "skipped": skipped, "scale": self._scaler.get_scale()},
        }

    def _count(self, *_: Any) -> None:
        self._taken += 1
