"""Two, four, six or eight processes that load slices beside the training.

torch.utils.data.DataLoader: A. Paszke et al., PyTorch, arXiv:1912.01703. Each worker prepares two batches
ahead, torch's number. Mazurek et al. 2024, arXiv:2405.15778, tried four, six and eight, and kept six.

Why it should save energy: the network no longer waits for files, so whatever draws power meanwhile draws it
for a shorter time. The processes draw power themselves, and are started anew in each epoch. Beyond the cores
that the machine has free, workers take them from each other and from the training: where fewer are enough,
the larger numbers show what the others cost.
"""

from dataclasses import replace

from zoo.recipes.recipe import Recipe

VARIANTS = {
    "workers_2": {"workers": 2},
    "workers_4": {"workers": 4},
    "workers_6": {"workers": 6},
    "workers_8": {"workers": 8},
}


def apply(recipe: Recipe, workers: int) -> Recipe:
    """Load training and validation slices in so many worker processes each."""
    return replace(recipe, workers=workers)
