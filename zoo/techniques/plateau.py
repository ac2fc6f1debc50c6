"""Divide the learning rate by ten when the validation loss is flat.

torch.optim.lr_scheduler.ReduceLROnPlateau; patience 5, threshold 1e-3 and floor 1e-6 as in Mazurek et al.
2024, arXiv:2405.15778, who gained 1 to 2 % of Dice. Five flat epochs are tolerated; the sixth divides.

Why it should save energy: the same Dice in fewer epochs, at no cost per step.
"""

from dataclasses import replace

from zoo.recipes.recipe import Recipe


def apply(recipe: Recipe) -> Recipe:
    """Let the validation loss lower the learning rate."""
    return replace(recipe, plateau_patience=5)
