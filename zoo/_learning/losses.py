"""The losses, by the recipe's name: each maps logits and mask (N, 1, H, W) to one number, in fp32.

Half precision can turn an overlap into NaN or a false 1. Overlaps are pooled over the batch: slices without
brain then still have a gradient; taken slice by slice they would have none.
"""

from collections.abc import Callable

from monai.losses import DiceLoss
from torch import Tensor

from zoo.recipe import Recipe

Loss = Callable[[Tensor, Tensor], Tensor]


def build(recipe: Recipe) -> Loss:
    """Return the recipe's loss."""
    return _LOSSES[recipe.loss]


def dice(logits: Tensor, mask: Tensor) -> Tensor:
    """Compute 1 - soft Dice over the pixels of the whole batch (Milletari et al., arXiv:1606.04797)."""
    return DiceLoss(sigmoid=True, batch=True)(logits.float(), mask.float())


_LOSSES = {"dice": dice}
