"""A network that learns: what one step of training and one of validation do, as the recipe says."""

from typing import Any

import torch
from torch import Tensor, nn

from zoo._forward import logits_of
from zoo._learning import losses, optimizers
from zoo._learning.schedules import Schedule
from zoo.recipe import Recipe


class Learner:
    """A model, the optimiser of its weights, and the schedule of the optimiser's rate.

    Args:
        model: on the recipe's device, its weights as they are to be trained.
        learning_rate: to begin with.

    Attributes:
        model: what is trained.
        optimizer: what changes its weights.
        schedule: what changes the optimiser's rate.
        epoch: the one under way, from 1; 0 before the first.
    """

    def __init__(self, recipe: Recipe, model: nn.Module, learning_rate: float) -> None:
        self.recipe, self.model, self.epoch = recipe, model, 0
        self.loss = losses.build(recipe)
        self.optimizer = optimizers.build(recipe, model, learning_rate)
        self.schedule = Schedule(recipe, self.optimizer)

    @property
    def learning_rate(self) -> float:
        """The rate of the next step."""
        return float(self.optimizer.param_groups[0]["lr"])

    @property
    def judged(self) -> nn.Module:
        """What is validated, kept and returned: the model itself."""
        return self.model

    def begin_epoch(self, number: int) -> None:
        """Do what the recipe wants done before an epoch (from 1)."""
        self.epoch = number
        self.model.train()

    def end_epoch(self, val_loss: float) -> None:
        """Do what the recipe wants done after an epoch."""
        self.schedule.after_epoch(val_loss)

    def applied(self) -> dict[str, Any]:
        """Say in JSON-able values what the choices of the recipe did by now."""
        return {}

    def step(self, image_NCHW: Tensor, mask_NCHW: Tensor) -> Tensor:
        """Learn from one batch; return its loss before that."""
        loss = self.loss(logits_of(self.recipe, self.model, image_NCHW), mask_NCHW)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    @torch.no_grad()
    def judge(self, image_NCHW: Tensor, mask_NCHW: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss of one batch, and the logits, without learning from it."""
        logits_NCHW = logits_of(self.recipe, self.judged, image_NCHW)
        return self.loss(logits_NCHW, mask_NCHW), logits_NCHW
