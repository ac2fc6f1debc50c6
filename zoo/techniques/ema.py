"""Judge and keep a moving average of the weights.

B. T. Polyak and A. B. Juditsky, Acceleration of stochastic approximation by averaging, doi:10.1137/0330046;
its moving form: D. Morales-Brotons et al., Exponential moving average of weights in deep learning,
arXiv:2411.18704. torch's AveragedModel; the statistics of batch normalisation are averaged at the same pace.

Why it should save energy: an average of noisy weights is as good as weights from a lower rate, which would
take more epochs. It costs one more copy of the weights, read and written in each step.
"""

from dataclasses import replace

from zoo.recipes.recipe import Recipe


def apply(recipe: Recipe) -> Recipe:
    """Average the weights over updates; the training itself stays as it is."""
    return replace(recipe, average="ema")
