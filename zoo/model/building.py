"""The network of a recipe, ready to be trained."""

import torch
from torch import nn

from zoo._registry import create
from zoo.formats import DTYPES
from zoo.model import fp8
from zoo.model.checkpointing import checkpointed
from zoo.recipes.recipe import Recipe


def build(recipe: Recipe) -> nn.Module:
    """Build the recipe's network with fresh weights, on its device, in its format and layout."""
    model = create(recipe.architecture)
    if recipe.fp8_linear:
        model = fp8.converted(model)
    if recipe.checkpointing:
        model = checkpointed(model)
    layout = torch.channels_last if recipe.channels_last else torch.preserve_format
    return model.to(recipe.device, DTYPES[recipe.weights], memory_format=layout)
