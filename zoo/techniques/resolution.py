"""Slices at half, a quarter or an eighth of their side.

Selvan et al. 2024, arXiv:2303.10181, down-sampled images by 2, 4 and 8 to compare that with cheaper
arithmetic: performance fell clearly, so they advise to make the model cheaper and not the data poorer. Here
the logits are scaled back linearly: loss and Dice are those of the full field, and so comparable.

Why it should save energy: a quarter of the pixels takes a quarter of the multiply-accumulates, unless the
slices get smaller than the network takes, and are padded; the record has the figure. At an eighth, a brain
that was 40 pixels wide is 5 wide.
"""

from dataclasses import replace

from zoo.recipes.recipe import Recipe

VARIANTS = {
    "half_resolution": {"share": 0.5},
    "quarter_resolution": {"share": 0.25},
    "eighth_resolution": {"share": 0.125},
}


def apply(recipe: Recipe, share: float) -> Recipe:
    """Shrink what the network sees in training, validation and test."""
    return replace(recipe, resolution=share)
