"""Matrix products in 8-bit floating point.

P. Micikevicius et al., FP8 formats for deep learning, arXiv:2209.05433; torchao's Float8Linear, one scale per
tensor. Weights, optimiser and all other layers stay as they are.

Why it should save energy: a product of 8-bit numbers takes half the bytes and half the time of 16 bits. Torch
has it for Linear layers only, not for convolutions: the study's networks have none of use, and are skipped;
it is for the transformers among the extras, on GPUs of compute capability 8.9 or above.
"""

from dataclasses import replace

from zoo.recipes.recipe import Recipe

PACKAGE = "torchao"


def apply(recipe: Recipe) -> Recipe:
    """Exchange the Linear layers."""
    return replace(recipe, fp8_linear=True)
