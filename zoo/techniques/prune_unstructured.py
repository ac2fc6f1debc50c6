"""Prune single weights: torch.nn.utils.prune, 80 % by magnitude. A negative control.

S. Han et al., Learning both weights and connections for efficient neural networks, NeurIPS 2015,
arXiv:1506.02626. Set to zero in the rounds of `prune`, smallest of the whole network first; kept at zero.

Why it should save energy: it should not. A dense kernel multiplies by zero as by any number, and the masks
cost a product per layer and pass. Who counts zeros instead of joules would call it a saving.
"""

from dataclasses import replace

from zoo.recipes.recipe import Recipe


def apply(recipe: Recipe) -> Recipe:
    """Set 80 % of the weights to zero in three rounds, after the first three epochs."""
    return replace(recipe, prune_weights=0.8, prune_rounds=3)
