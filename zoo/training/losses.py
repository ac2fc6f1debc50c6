"""The losses, by the recipe's name: each maps logits and mask (N, 1, H, W) to one number, in fp32.

Half precision can turn an overlap into NaN or a false 1. Overlaps are pooled over the batch: slices without
brain then still have a gradient; taken slice by slice they would have none. A batch without any brain has a
finite loss and gradient; that of `mcc` is 0, as there is nothing to correlate with.
"""

from collections.abc import Callable

from monai.losses import DiceCELoss, DiceLoss, FocalLoss, MCCLoss
from torch import Tensor
from torch.nn import functional as F

from zoo.recipes.recipe import Recipe

Loss = Callable[[Tensor, Tensor], Tensor]


def build(recipe: Recipe) -> Loss:
    """Return the recipe's loss."""
    return _LOSSES[recipe.loss]


def dice(logits: Tensor, mask: Tensor) -> Tensor:
    """Compute 1 - soft Dice over the pixels of the whole batch (Milletari et al., arXiv:1606.04797)."""
    return DiceLoss(sigmoid=True, batch=True)(logits.float(), mask.float())


def bce(logits: Tensor, mask: Tensor) -> Tensor:
    """Compute the mean cross-entropy of the pixels."""
    return F.binary_cross_entropy_with_logits(logits.float(), mask.float())


def mcc(logits: Tensor, mask: Tensor) -> Tensor:
    """Compute 1 - Matthews correlation coefficient over the pixels of the whole batch (arXiv:2010.13454)."""
    return MCCLoss(sigmoid=True, batch=True)(logits.float(), mask.float())


def dice_bce(logits: Tensor, mask: Tensor) -> Tensor:
    """Compute the sum of `dice` and `bce`."""
    return DiceCELoss(sigmoid=True, batch=True)(logits.float(), mask.float())


def focal(logits: Tensor, mask: Tensor) -> Tensor:
    """Compute the mean focal loss of the pixels, gamma 2, alpha 0.25 (Lin et al., arXiv:1708.02002)."""
    return FocalLoss(gamma=2.0, alpha=0.25)(logits.float(), mask.float())


def bce_on_probabilities(logits: Tensor, mask: Tensor) -> Tensor:
    """Compute `bce` of probabilities taken for logits: the study's defect."""
    return bce(logits.float().sigmoid(), mask)


_LOSSES = {
    "dice": dice,
    "bce": bce,
    "mcc": mcc,
    "dice_bce": dice_bce,
    "focal": focal,
    "bce_on_probabilities": bce_on_probabilities,
}
