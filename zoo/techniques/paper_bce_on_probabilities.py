"""A defect, kept to explain a finding: cross-entropy for logits, applied to probabilities.

The code of Mazurek et al. 2024, arXiv:2405.15778, ends its networks in a sigmoid and hands the outcome to
binary_cross_entropy_with_logits, which takes a sigmoid once more. What the loss believes is then a
probability between 0.5 and 0.73: a perfect network keeps a loss of 0.31 per brain pixel and 0.69 per other
pixel, and the gradient fades wherever the first sigmoid is sure. The study found BCE worse than Dice.

Why it should save energy: it should not. Beside `bce` it shows how much of that finding is the defect.
"""

from dataclasses import replace

from zoo.recipes.recipe import Recipe


def apply(recipe: Recipe) -> Recipe:
    """Exchange the loss."""
    return replace(recipe, loss="bce_on_probabilities")
