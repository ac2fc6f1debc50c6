"""Batches in page-locked memory.

torch.utils.data.DataLoader: A. Paszke et al., PyTorch, arXiv:1912.01703. Kept by Mazurek et al. 2024,
arXiv:2405.15778. Slices are loaded in the training process, as in the baseline.

Why it should save energy: a GPU fetches such a batch by itself while the CPU goes on; from ordinary memory
the CPU copies it first, and waits. It costs a copy into memory that the system can use for nothing else.
"""

from dataclasses import replace

from zoo.recipes.recipe import Recipe

CUDA_ONLY = "it has only an effect with a CUDA GPU, which fetches from page-locked memory by itself"


def apply(recipe: Recipe) -> Recipe:
    """Put batches where the GPU can fetch them."""
    return replace(recipe, pin_memory=True)
