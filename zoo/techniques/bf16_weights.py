"""Weights, activations, gradients and optimiser states in bfloat16, without a copy in fp32.

bfloat16: D. Kalamkar et al., arXiv:1905.12322; the idea is Half of Selvan et al. 2024, arXiv:2303.10181, in a
format that CPUs have, too.

Why it should save energy: every tensor of a step has half the bytes, and nothing is cast. bfloat16 has the
range of fp32, so Adam stays as it is; but with 8 bits of precision an update below 1/256 of its weight is
lost.
"""

from dataclasses import replace

from zoo.recipes.recipe import Recipe


def apply(recipe: Recipe) -> Recipe:
    """Keep the network in bfloat16."""
    return replace(recipe, weights="bf16")
