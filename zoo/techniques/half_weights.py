"""Weights, activations, gradients and optimiser states in float16, without a copy in fp32.

R. Selvan et al. 2024, arXiv:2303.10181, call it Half; with plain Adam it was unstable there, with an 8-bit
optimiser it converged (see `half_weights_8bit`). The loss is computed in fp32 here as always.

Why it should save energy: every tensor of a step has half the bytes, and nothing is cast. The price is small
updates lost in rounding. Adam's epsilon of 1e-8 is 0 in float16, and the first weights without a gradient
are then divided by zero; here it is 1e-4. CPUs have no fast float16, so it needs a CUDA GPU.
"""

from dataclasses import replace

from zoo.recipes.recipe import Recipe


def apply(recipe: Recipe) -> Recipe:
    """Keep the network in float16."""
    return replace(recipe, weights="fp16")
