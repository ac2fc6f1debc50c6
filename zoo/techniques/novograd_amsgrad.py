"""Novograd with AMSGrad instead of Adam.

B. Ginsburg et al., Stochastic gradient methods with layer-wise adaptive moments, arXiv:1905.11286; AMSGrad:
S. J. Reddi et al., On the convergence of Adam and beyond, arXiv:1904.09237. MONAI's class, at its betas.
Mazurek et al. 2024, arXiv:2405.15778, found it faster than Adam and kept it.

Why it should save energy: as novograd; dividing by the largest second moment so far keeps steps from growing
again late in the training.
"""

from dataclasses import replace

from zoo.recipes.recipe import Recipe


def apply(recipe: Recipe) -> Recipe:
    """Exchange the optimiser; the learning rate stays."""
    return replace(recipe, optimizer="novograd", betas=(0.9, 0.98), amsgrad=True)
