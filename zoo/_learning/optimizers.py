"""The optimisers, by the recipe's name."""

import torch
from monai.optimizers import Novograd
from torch import nn

from zoo.recipe import Recipe


def build(recipe: Recipe, model: nn.Module, learning_rate: float) -> torch.optim.Optimizer:
    """Build the recipe's optimiser for all weights of a model."""
    kind = {"adam": torch.optim.Adam, "novograd": Novograd}[recipe.optimizer]
    return kind(model.parameters(), lr=learning_rate, betas=recipe.betas, amsgrad=recipe.amsgrad)
