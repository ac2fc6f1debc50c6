"""Augmentation of a whole batch where it lies: what `loaders.augmentation` does to one slice at a time.

Shapes: image_NCHW and mask_NCHW, N slices; whatever ends in _N has one entry per slice. Nothing here makes a
GPU wait for the host: slices that stay as they are go through the same kernels, and are then put back.
"""

from math import radians

import torch
from torch import Tensor
from torch.nn import functional as F

from zoo.recipes.recipe import Recipe


class Turning:
    """Mirror and rotate slices at random, as the recipe says, from a random stream of its own.

    The stream lies on the recipe's device; it is neither torch's global one nor MONAI's, so that the angles
    are other ones than those of the loader feed, from the same distribution.
    """

    def __init__(self, recipe: Recipe, seed: int) -> None:
        self._recipe = recipe
        self._stream = torch.Generator(recipe.device).manual_seed(seed)

    def __call__(self, image_NCHW: Tensor, mask_NCHW: Tensor) -> tuple[Tensor, Tensor]:
        """Return the batch turned; without augmentation, the batch."""
        if not self._recipe.augment:
            return image_NCHW, mask_NCHW
        number = len(image_NCHW)
        mirrored_N = self._draw(number) < self._recipe.flip_probability
        image_NCHW, mask_NCHW = mirrored(image_NCHW, mirrored_N), mirrored(mask_NCHW, mirrored_N)
        rotated_N = self._draw(number) < self._recipe.rotation_probability
        radians_N = (2 * self._draw(number) - 1) * radians(self._recipe.rotation_degrees)
        turned = rotated(image_NCHW, mask_NCHW, radians_N)
        return tuple(
            torch.where(_per_slice(rotated_N), new, old)
            for new, old in zip(turned, (image_NCHW, mask_NCHW), strict=True)
        )

    def _draw(self, number: int) -> Tensor:
        return torch.rand(number, generator=self._stream, device=self._stream.device)


def mirrored(slices_NCHW: Tensor, chosen_N: Tensor) -> Tensor:
    """Mirror the chosen slices top to bottom: one axis, as both would be a rotation by 180 degrees."""
    return torch.where(_per_slice(chosen_N), slices_NCHW.flip(-2), slices_NCHW)


def rotated(image_NCHW: Tensor, mask_NCHW: Tensor, radians_N: Tensor) -> tuple[Tensor, Tensor]:
    """Rotate slices about their middle: images linearly, masks by nearest neighbour, so they stay 0 or 1.

    What a rotation uncovers is air, the darkest value of the slice, and no brain.
    """
    height, width = image_NCHW.shape[-2:]
    cos, sin, zero = radians_N.cos(), radians_N.sin(), torch.zeros_like(radians_N)
    # Affine grids measure in half heights and half widths, in which a rotation of pixels is none.
    across, down = sin * (height / width), sin * (width / height)
    turn_N23 = torch.stack([cos, across, zero, -down, cos, zero], dim=1).view(-1, 2, 3)
    grid_NHW2 = F.affine_grid(turn_N23, list(image_NCHW.shape), align_corners=False)
    air_N111 = image_NCHW.amin(dim=(1, 2, 3), keepdim=True)
    image_NCHW = F.grid_sample(image_NCHW - air_N111, grid_NHW2, "bilinear", "zeros", align_corners=False)
    mask_NCHW = F.grid_sample(mask_NCHW, grid_NHW2, "nearest", "zeros", align_corners=False)
    return image_NCHW + air_N111, mask_NCHW


def _per_slice(values_N: Tensor) -> Tensor:
    return values_N.view(-1, 1, 1, 1)
