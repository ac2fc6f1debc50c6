"""Schedule-free AdamW: an average of the weights in place of a schedule of the rate.

A. Defazio et al., The road less scheduled, arXiv:2405.15682; the authors' package, without decay and warm-up.

Why it should save energy: what a falling rate brings is there at any time, so the training may end when it is
good enough, and need not know its length. The weights judged and kept are the average; before that, batch
normalisation sees up to 50 training batches again, as the authors advise, and this pass is paid for.
"""

from dataclasses import replace

from zoo.recipes.recipe import Recipe

PACKAGE = "schedulefree"


def apply(recipe: Recipe) -> Recipe:
    """Exchange the optimiser; betas and learning rate stay."""
    return replace(recipe, optimizer="schedule_free")
