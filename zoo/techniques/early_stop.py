"""Stop when the validation loss no longer falls.

L. Prechelt, Early stopping - but when?, doi:10.1007/978-3-642-35289-8_5; patience 15 and least change 1e-3
as in Mazurek et al. 2024, arXiv:2405.15778.

Why it should save energy: epochs that bring nothing are not run. The weights of the epoch with the lowest
validation loss are kept with or without it.
"""

from dataclasses import replace

from zoo.recipes.recipe import Recipe


def apply(recipe: Recipe) -> Recipe:
    """End the training after 15 epochs without progress."""
    return replace(recipe, early_stop_patience=15)
