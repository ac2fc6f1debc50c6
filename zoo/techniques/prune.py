"""Prune channels: DepGraph, by torch-pruning, in rounds between the first epochs.

G. Fang et al., DepGraph: towards any structural pruning, CVPR 2023, arXiv:2301.12900; importance by
first-order Taylor expansion: P. Molchanov et al., Importance estimation for neural network pruning, CVPR
2019, arXiv:1906.10771. Mazurek et al. 2024, arXiv:2405.15778, pruned iteratively with DepGraph and saw
drastic losses of Dice on networks under 10 M parameters; their code left the old parameters in the optimiser,
so the pruned network was no longer trained. Here the optimiser is built anew after each round.

What stays of a layer is half, rounded down to a multiple of eight channels and never below eight. A layer of
eight or fewer stays whole, and so does one that is tied to such a layer, as by the gates of
attention_squeeze_unet. Of the 16 networks of the study that can be cut, nine lose half of their channels, and
a quarter of the multiplications is left; attention_squeeze_unet loses 37 % (40 % left), edanet 60 % (17 %),
fpenet 7 % (55 %).

Why it should save energy: half of the channels are a quarter of the multiplications, in each of the epochs
that follow and in inference. Each round costs an importance, a graph and the optimiser's moments.
"""

from dataclasses import replace

from zoo.recipes.recipe import Recipe

PACKAGE = "torch_pruning"


def apply(recipe: Recipe) -> Recipe:
    """Remove up to half of each layer's channels in three rounds, after the first three epochs."""
    return replace(recipe, prune_channels=0.5, prune_rounds=3)
