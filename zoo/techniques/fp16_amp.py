"""Mixed precision in float16, with a scaled loss.

P. Micikevicius et al., Mixed precision training, arXiv:1710.03740. Selvan et al. 2024, arXiv:2303.10181, call
it AMP: up to half the memory and the energy without loss of accuracy, for networks of convolutions. Mazurek
et al. 2024, arXiv:2405.15778, name bfloat16, but their code ran this.

Why it should save energy: convolutions move half the bytes and use matrix units. Weights, optimiser and loss
stay in fp32. Unlike bfloat16, float16 has no numbers for small gradients: torch's GradScaler multiplies the
loss, and leaves out the steps that overflow. CPUs have no fast float16, so it needs a CUDA GPU.
"""

from dataclasses import replace

from zoo.recipes.recipe import Recipe


def apply(recipe: Recipe) -> Recipe:
    """Run the network's forward and backward pass under float16 autocast."""
    return replace(recipe, precision="fp16")
