"""Everything that Mazurek et al. 2024, arXiv:2405.15778, kept in the end.

Caching, Novograd with AMSGrad, the learning-rate search, the plateau schedule, 6 loader workers with 2
batches each prepared ahead, persistent workers and pinned memory, augmentation, bfloat16 and early
stopping.

Why it should save energy: each part did in the study. What it kept for several GPUs (a static DDP graph)
has no meaning on one device and is not in here; pinned memory acts with CUDA only, and the set-up says so.
"""

from dataclasses import replace

from zoo.recipes.recipe import Recipe
from zoo.techniques import augment, bf16, cache, early_stop, lr_find, novograd_amsgrad, plateau


def apply(recipe: Recipe) -> Recipe:
    """Apply all of the above."""
    for technique in (cache, novograd_amsgrad, lr_find, plateau, augment, bf16, early_stop):
        recipe = technique.apply(recipe)
    return replace(recipe, workers=6, prefetch=2, persistent_workers=True, pin_memory=True)
