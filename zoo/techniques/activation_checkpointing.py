"""Keep the inputs of a network's stages only, and compute the rest again in the backward pass.

T. Chen et al., Training deep nets with sublinear memory cost, arXiv:1604.06174; torch.utils.checkpoint. The
gradients are the same; the statistics of batch normalisation are not moved twice.

Why it should save energy: by itself it does not: each step computes most of the forward pass twice. It is for
batches that would not fit in memory otherwise; beside the baseline it shows what that memory costs in joules.
"""

from dataclasses import replace

from zoo.recipes.recipe import Recipe


def apply(recipe: Recipe) -> Recipe:
    """Compute stages again instead of keeping what is in them."""
    return replace(recipe, checkpointing=True)
