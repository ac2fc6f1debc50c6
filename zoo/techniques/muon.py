"""Muon: steps that push all directions of a kernel alike.

K. Jordan et al., Muon: an optimizer for hidden layers in neural networks, 2024,
https://kellerjordan.github.io/posts/muon; steps as long as Adam's: J. Liu et al., Muon is scalable for LLM
training, arXiv:2502.16982. timm's Muon: a convolution's kernel is read as a matrix with one row per output
channel; what is no such matrix (biases, normalisation, depthwise kernels, the last layer) is left to Adam.

Why it should save energy: fewer epochs, as rare directions learn as fast as frequent ones, and one moment per
weight instead of two. Each step costs some fifteen small matrix products per kernel.
"""

from dataclasses import replace

from zoo.recipes.recipe import Recipe


def apply(recipe: Recipe) -> Recipe:
    """Exchange the optimiser; Adam's betas and rate stay."""
    return replace(recipe, optimizer="muon")
