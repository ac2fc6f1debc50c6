"""Averages of the weights that training went through: what is judged instead of the last ones."""

from itertools import islice
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, update_bn

from zoo.feeding.feed import Feed
from zoo.model.forward import AsTheRecipeSays
from zoo.recipes.recipe import Recipe

REFRESH_BATCHES = (
    50  # enough for mean and variance, say the authors of schedule-free (facebookresearch/schedule_free)
)


class Average(Protocol):
    """What becomes of the weights that training goes through.

    Attributes:
        network: the one that has the average for weights.
        first: epoch (from 1) from which on it is judged.
        refreshes: whether batch normalisation needs new statistics before that.
    """

    network: nn.Module
    first: int
    refreshes: bool

    def after_update(self) -> None:
        """Take in the weights of one update."""
        ...

    def after_pass(self) -> None:
        """Take in the weights at the end of one pass over the training slices."""
        ...

    def applied(self) -> dict[str, Any]:
        """Say in JSON-able values what was averaged."""
        ...


def choose_average(recipe: Recipe, model: nn.Module) -> Average | None:
    """Return the average that the recipe wants of a model, or None."""
    return {"none": lambda *_: None, "ema": Moving, "swa": Equal}[recipe.average](recipe, model)


class Moving:
    """The moving average over updates; that of batch normalisation's statistics goes with it, at no cost.

    As long as updates are few, the average forgets faster: at the recipe's pace it would hold to the first
    weights, which are random.
    """

    first, refreshes = 1, False

    def __init__(self, recipe: Recipe, model: nn.Module) -> None:
        self._model, self._decay, self._updates = model, recipe.ema_decay, 0
        self._averaged = AveragedModel(model, multi_avg_fn=self._blend, use_buffers=True)
        self.network = self._averaged.module

    def after_update(self) -> None:
        """Move the average towards the weights."""
        self._averaged.update_parameters(self._model)
        self._updates += 1

    def after_pass(self) -> None:
        """Do nothing: updates are what counts."""

    def applied(self) -> dict[str, Any]:
        """Say how many updates were averaged, and how slowly the last one moved the average."""
        return {"of": "updates", "number": self._updates, "decay": self._pace(self._updates - 1)}

    def _pace(self, updates: int) -> float:
        # The ramp is that of TensorFlow's ExponentialMovingAverage.
        return min(self._decay, (1 + updates) / (10 + updates))

    def _blend(self, averaged: list[Tensor], current: list[Tensor], _: Tensor | int) -> None:
        if averaged[0].is_floating_point():
            torch._foreach_lerp_(averaged, current, 1 - self._pace(self._updates))
        else:  # batch normalisation counts its batches
            torch._foreach_copy_(averaged, current)


class Equal:
    """The plain mean of the weights at the end of each epoch after a share of the epochs."""

    refreshes = True

    def __init__(self, recipe: Recipe, model: nn.Module) -> None:
        self._model, self._averaged, self._passes = model, AveragedModel(model), 0
        self.network, self.first = self._averaged.module, first_averaged_epoch(recipe)

    def after_update(self) -> None:
        """Do nothing: epochs are what counts."""

    def after_pass(self) -> None:
        """Take in the weights, if the epoch counts."""
        self._passes += 1
        if self._passes >= self.first:
            self._averaged.update_parameters(self._model)

    def applied(self) -> dict[str, Any]:
        """Say how many epochs were averaged, and from which on."""
        return {"of": "epochs", "number": int(self._averaged.n_averaged), "first": self.first}


def first_averaged_epoch(recipe: Recipe) -> int:
    """Return the first epoch (from 1) after the recipe's share of all."""
    return int(recipe.swa_from * recipe.epochs) + 1


def refresh(recipe: Recipe, model: nn.Module, feed: Feed) -> None:
    """Let batch normalisation see training slices again: its statistics were those of other weights.

    The random streams of the training, dropout's too, stay where they are.
    """
    if not any(isinstance(layer, nn.modules.batchnorm._BatchNorm) for layer in model.modules()):
        return
    gpus = [] if recipe.device == "cpu" else [torch.device(recipe.device)]
    with torch.random.fork_rng(devices=gpus), feed.aside() as batches:
        update_bn(islice(batches, REFRESH_BATCHES), AsTheRecipeSays(model, recipe))
