"""Matthews correlation coefficient instead of Dice as the loss.

K. Abhishek and G. Hamarneh, Matthews correlation coefficient loss for deep convolutional networks,
arXiv:2010.13454, doi:10.1109/ISBI48211.2021.9433782. MONAI's MCCLoss, pooled over the batch. Mazurek et al.
2024, arXiv:2405.15778, found it worse than Dice and saw no energy saved.

Why it should save energy: unlike Dice it also counts the background that was found, which is most of a
slice; a better gradient may reach a Dice in fewer epochs. The cost of a step stays.
"""

from dataclasses import replace

from zoo.recipes.recipe import Recipe


def apply(recipe: Recipe) -> Recipe:
    """Exchange the loss."""
    return replace(recipe, loss="mcc")
