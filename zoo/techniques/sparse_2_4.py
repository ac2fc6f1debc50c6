"""Two zeros in every four weights, the pattern that sparse matrix units skip. No network here can use it.

A. Mishra et al., Accelerating sparse deep neural networks, arXiv:2104.08378.

Why it should save energy: a GPU's sparse units do a matrix product in half the multiplications. Torch offers
them (torch.sparse.to_sparse_semi_structured) to matrix products of linear layers on CUDA; it has no such
convolution, and convolutions are what these networks consist of. The case says so instead of showing the
baseline under another name.
"""

from zoo.recipes.recipe import Recipe

NOWHERE = "torch has 2:4 sparse kernels for linear layers on CUDA, and none for convolutions"


def apply(recipe: Recipe) -> Recipe:
    """Return the recipe as it is: there is nothing to switch on."""
    return recipe
