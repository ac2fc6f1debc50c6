"""Novograd instead of Adam.

B. Ginsburg et al., Stochastic gradient methods with layer-wise adaptive moments, arXiv:1905.11286. MONAI's
class, at its betas, which Mazurek et al. 2024, arXiv:2405.15778, used with AMSGrad: see novograd_amsgrad.

Why it should save energy: the second moment is one number per layer instead of one per weight, so a step
moves less memory, and the study saw faster convergence. MONAI's loop asks the GPU for one number per layer
and step; that wait is part of what is measured here, and what novograd_foreach does without.
"""

from dataclasses import replace

from zoo.recipes.recipe import Recipe


def apply(recipe: Recipe) -> Recipe:
    """Exchange the optimiser; the learning rate stays."""
    return replace(recipe, optimizer="novograd", betas=(0.9, 0.98))
