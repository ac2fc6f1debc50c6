"""A CUDA graph of the network's forward and backward pass.

A. Gray, Getting started with CUDA graphs, NVIDIA 2019; on what they save where kernels are short: J. Ekelund
et al., arXiv:2501.09398. Torch's make_graphed_callables.

Why it should save energy: a light network starts hundreds of small kernels per step, and the GPU waits for
the CPU. A graph is started once. The kernels, and the numbers, are the same. Loss and optimiser stay outside
of it; so do batches of another size, such as an epoch's last.
"""

from dataclasses import replace

from zoo.recipes.recipe import Recipe


def apply(recipe: Recipe) -> Recipe:
    """Record the passes in the set-up, and replay them in each step."""
    return replace(recipe, cuda_graph=True)
