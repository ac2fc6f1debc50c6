"""Loader processes that outlive the epoch.

torch.utils.data.DataLoader: A. Paszke et al., PyTorch, arXiv:1912.01703. Kept by Mazurek et al. 2024,
arXiv:2405.15778. The workers are those of another technique, before it or after; alone it has two: compare it
with `workers_2`, which differs in that alone.

Why it should save energy: the processes of training and validation are started once instead of once per
epoch, which in short epochs is much of the time.
"""

from dataclasses import replace

from zoo.recipes.recipe import Recipe


def apply(recipe: Recipe) -> Recipe:
    """Keep the workers, two if there are none, for training and validation each to the end."""
    return replace(recipe, workers=recipe.workers or 2, persistent_workers=True)
