"""Novograd with AMSGrad and other betas than MONAI's.

B. Ginsburg et al., Stochastic gradient methods with layer-wise adaptive moments, arXiv:1905.11286. Mazurek et
al. 2024, arXiv:2405.15778, tried other betas after they had kept Novograd with AMSGrad; training took longer
and far more energy, and they dropped them. Their values are not given here: these, 0.95 and 0.98, are the
defaults of NVIDIA's own implementation.

Why it should save energy: gradients that are averaged over more steps are less noisy. A negative finding of
the study, kept so that it can be seen again; as Novograd adds up gradients and does not average them, steps
are also twice as long.
"""

from dataclasses import replace

from zoo.recipes.recipe import Recipe


def apply(recipe: Recipe) -> Recipe:
    """Exchange the optimiser and its betas; the learning rate stays."""
    return replace(recipe, optimizer="novograd", betas=(0.95, 0.98), amsgrad=True)
