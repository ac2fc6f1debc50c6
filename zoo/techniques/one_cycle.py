"""One cycle of the learning rate: up to ten times the usual one, then down to almost nothing.

L. N. Smith and N. Topin, Super-convergence, arXiv:1708.07120; torch.optim.lr_scheduler.OneCycleLR at its
defaults (30 % of the steps rise, from a 25th of the peak), set after each update. The momentum stays. After a
search for the learning rate, the rate found is the peak.

Why it should save energy: high rates cover ground in fewer epochs, and the fall at the end settles the
weights. The number of epochs must be known, so it goes with no early stopping.
"""

from dataclasses import replace

from zoo.recipes.recipe import Recipe


def apply(recipe: Recipe) -> Recipe:
    """Let the learning rate rise and fall once over the whole training."""
    return replace(recipe, one_cycle_peak=10.0)
