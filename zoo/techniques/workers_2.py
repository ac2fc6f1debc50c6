"""Two processes that load slices beside the training.

torch.utils.data.DataLoader: A. Paszke et al., PyTorch, arXiv:1912.01703. Each worker prepares
two batches ahead, torch's number.

Why it should save energy: the network no longer waits for files, so whatever draws power meanwhile draws it
for a shorter time. The processes draw power themselves, and are started anew in each epoch.
"""

from dataclasses import replace

from zoo.recipes.recipe import Recipe


def apply(recipe: Recipe) -> Recipe:
    """Load training and validation slices in two worker processes each."""
    return replace(recipe, workers=2)
