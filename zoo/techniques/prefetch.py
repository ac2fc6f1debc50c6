"""More batches prepared ahead of the training.

torch.utils.data.DataLoader: A. Paszke et al., PyTorch, arXiv:1912.01703. Four batches by each of two workers,
where torch's number, and that of Mazurek et al. 2024, arXiv:2405.15778, is two. Compare with `workers_2`,
which differs in that alone.

Why it should save energy: after a slow read there is still a batch to go on with, so the network waits less.
It costs the memory of the batches that wait.
"""

from dataclasses import replace

from zoo.recipe import Recipe


def apply(recipe: Recipe) -> Recipe:
    """Let two workers prepare four batches each ahead."""
    return replace(recipe, workers=2, prefetch=4)
