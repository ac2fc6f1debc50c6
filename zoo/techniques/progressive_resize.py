"""Small slices first, full size in the end.

J. Howard et al., fast.ai's entry to DAWNBench (2018); M. Tan & Q. V. Le, EfficientNetV2: smaller models and
faster training, arXiv:2104.00298, who also raise the regularisation along with the size, which is not done
here. A third of the epochs at half the side, a third at three quarters, the rest at full size. The logits are
scaled back linearly to the field of the loss; validation and test are at full size throughout, and the
patience of early stopping begins with the full size.

Why it should save energy: early epochs learn coarse shapes, for which few pixels do. A third of the epochs
takes a quarter of the multiply-accumulates, another third 9/16.
"""

from dataclasses import replace

from zoo.recipes.recipe import Recipe


def apply(recipe: Recipe) -> Recipe:
    """Let the training slices grow in three stages."""
    return replace(recipe, resolution_stages=(0.5, 0.75, 1.0))
