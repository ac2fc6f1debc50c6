"""Stochastic weight averaging: the mean of the weights of the last quarter of the epochs.

P. Izmailov et al., Averaging weights leads to wider optima and better generalization, arXiv:1803.05407;
torch's AveragedModel and update_bn, at the recipe's own rate. Mazurek et al. 2024, arXiv:2405.15778, saw no
gain, and noted that the length of the training must be known.

Why it should save energy: the mean lies in flatter ground than any of its parts, so fewer epochs reach the
same Dice. From the first epoch that is averaged, the mean is judged, and only it can be kept; before that,
batch normalisation sees up to 50 training batches again, and this pass is paid for. It has an order and an
augmentation of its own, so that the weights go where the baseline's go.
"""

from dataclasses import replace

from zoo.recipes.recipe import Recipe


def apply(recipe: Recipe) -> Recipe:
    """Average the weights of the last epochs; the training itself stays as it is."""
    return replace(recipe, average="swa")
