"""Fp32 to the full on a CUDA GPU: the opposite of `tf32`, and a negative control.

IEEE 754 arithmetic in convolutions and matrix products; torch rounds the factors of convolutions to TF32
unless told otherwise. Mazurek et al. 2024, arXiv:2405.15778, trained in 16 bits from the start.

Why it should save energy: it should not. The difference to the baseline is what TF32 saves, unseen, in every
fp32 run on a GPU since 2020.
"""

from dataclasses import replace

from zoo.recipes.recipe import Recipe


def apply(recipe: Recipe) -> Recipe:
    """Let the GPU round nothing before it multiplies."""
    return replace(recipe, fp32_math="ieee")
