"""Mixed precision in bfloat16.

P. Micikevicius et al., Mixed precision training, arXiv:1710.03740; bfloat16: D. Kalamkar et al.,
arXiv:1905.12322. Named by Mazurek et al. 2024, arXiv:2405.15778 (whose code ran fp16).

Why it should save energy: convolutions move half the bytes and use matrix units. Weights, optimiser and
loss stay in fp32; bfloat16 has the range of fp32, so the loss needs no scaling.
"""

from dataclasses import replace

from zoo.recipes.recipe import Recipe


def apply(recipe: Recipe) -> Recipe:
    """Run the network's forward and backward pass under bfloat16 autocast."""
    return replace(recipe, precision="bf16")
