"""The channels of a pixel next to each other in memory, instead of the pixels of a channel.

Torch's memory format channels_last, NHWC; on layouts of convolutions: C. Li et al., Optimizing memory
efficiency for deep convolutional neural networks on GPUs, arXiv:1610.03618. The numbers that are computed are
the same but for the order of sums.

Why it should save energy: convolutions sum over channels, and matrix units and vector instructions read them
in this order; in the usual one, libraries reorder before and after. Networks stay in it from layer to layer,
which the set-up checks.
"""

from dataclasses import replace

from zoo.recipes.recipe import Recipe


def apply(recipe: Recipe) -> Recipe:
    """Lay out weights and slices channels last."""
    return replace(recipe, channels_last=True)
