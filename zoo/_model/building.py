"""The network of a recipe, ready to be trained."""

from torch import nn

from zoo._registry import create
from zoo.recipe import Recipe


def build(recipe: Recipe) -> nn.Module:
    """Build the recipe's network with fresh weights, on its device."""
    return create(recipe.architecture).to(recipe.device)
