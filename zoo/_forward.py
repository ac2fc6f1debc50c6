"""One forward pass as a recipe says: in its precision, and on slices of any size."""

from torch import Tensor, nn
from torch.nn import functional as F

from zoo._hardware import autocast
from zoo._registry import side_to_pad_to
from zoo.recipe import Recipe


def logits_of(recipe: Recipe, model: nn.Module, image: Tensor) -> Tensor:
    """Run a model on (N, C, H, W) in the recipe's precision; logits (N, classes, H, W).

    A size that the network cannot halve evenly is padded on all sides, and the logits are cropped back, so
    that losses and scores see the original field only. Padding repeats the outermost pixels: a constant would
    draw an edge into every slice. Batch normalisation counts the padding in.
    """
    height, width = image.shape[-2:]
    tall, wide = (side_to_pad_to(recipe.architecture, side) for side in (height, width))
    top, left = (tall - height) // 2, (wide - width) // 2
    with autocast(recipe):
        if (tall, wide) == (height, width):
            return model(image)
        margins = (left, wide - width - left, top, tall - height - top)
        logits = model(F.pad(image, margins, mode="replicate"))
    return logits[..., top : top + height, left : left + width]
