"""TF32 in all matrix products and convolutions of fp32.

NVIDIA's format with the range of fp32 and the precision of fp16, since compute capability 8.0; D. Stosic and
P. Micikevicius, Accelerating AI training with TF32 tensor cores, NVIDIA 2021; on what it rounds: H. Ootomo
and R. Yokota, arXiv:2203.03341.

Why it should save energy: matrix units do the work of fp32 in a fraction of the cycles. Torch computes
convolutions so unless told otherwise: the baseline of a network of convolutions has it already, and the case
is skipped. What that default saves, the technique `fp32_ieee` shows.
"""

from dataclasses import replace

from zoo.recipes.recipe import Recipe


def apply(recipe: Recipe) -> Recipe:
    """Let the GPU round the factors of fp32 products."""
    return replace(recipe, fp32_math="tf32")
