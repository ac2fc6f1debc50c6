"""No technique: the starting point of Mazurek et al. 2024, arXiv:2405.15778.

Adam at 1e-3 (Kingma & Ba, arXiv:1412.6980), Dice loss (Milletari et al., arXiv:1606.04797), fp32, one NIfTI
file per slice read from disk by a MONAI pipeline in each epoch, in the training process, for a fixed number
of epochs. It saves nothing; the others are measured against it.
"""

from zoo.recipes.recipe import Recipe


def apply(recipe: Recipe) -> Recipe:
    """Return the recipe as it is: its defaults are the baseline."""
    return recipe
