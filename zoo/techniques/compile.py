"""The network compiled by torch.compile.

J. Ansel et al., PyTorch 2, doi:10.1145/3620665.3640366; deep-learning compilers: T. Chen et al., TVM,
arXiv:1802.04799. Torch's Inductor, at its defaults.

Why it should save energy: the element-wise operations between convolutions become one pass over memory. All
shapes of a training are compiled before the first epoch, from nothing: that is part of the set-up, and paid
for; on a CPU it takes hundreds of steps to pay back. A learning-rate search runs before it, uncompiled, and
so does a teacher. With `progressive_resize` the training of each size is compiled beforehand, too.
"""

from dataclasses import replace

from zoo.recipes.recipe import Recipe


def apply(recipe: Recipe) -> Recipe:
    """Compile training and validation passes."""
    return replace(recipe, compile=True)
