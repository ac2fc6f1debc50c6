"""The feed without a loader: all slices lie on the device, a batch is an index into them, augmented there.

Shapes: image_NCHW and mask_NCHW, N slices; whatever ends in _N has one entry per slice. Augmentation makes no
GPU wait for the host: slices that stay as they are go through the same kernels, and are then put back.
"""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from math import radians
from typing import Any

import torch
from monai.data import Dataset
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, IterableDataset, RandomSampler

from zoo.device.runtime import synchronize
from zoo.feeding import loaders
from zoo.feeding.selection import selected
from zoo.recipes.recipe import Recipe

Pair = tuple[Tensor, Tensor]


class DeviceFeed:
    """A feed from tensors on the recipe's device; see `Feed`.

    The order of the slices is that of the loader feed, and so, without augmentation, is every batch.
    """

    def __init__(self, recipe: Recipe, data: Any, seed: int) -> None:
        self._recipe, self._seed = recipe, seed
        started = time.perf_counter()
        items, self._selected = selected(recipe, data.train, seed)
        steps = loaders.transforms(recipe, data)[1]
        self._train = put_on_device(Dataset(items, steps), recipe)
        self._val = put_on_device(Dataset(data.val.items, steps), recipe)
        synchronize(recipe)
        self._fill_seconds = time.perf_counter() - started
        self._passes, self._aside = (Passes(self._train, recipe, seed) for _ in range(2))

    @property
    def steps(self) -> int:
        """Batches of one training pass."""
        return len(self._passes.sizes)

    @property
    def slices(self) -> int:
        """Slices of one training pass."""
        return sum(self._passes.sizes)

    @property
    def applied(self) -> dict[str, Any]:
        """What the choices of the recipe did here."""
        tensors = (*self._train, *self._val)
        return {
            "loading": {
                "from": "device",
                "slices": len(self._train[0]) + len(self._val[0]),
                "bytes": sum(tensor.nbytes for tensor in tensors),
                "fill_seconds": self._fill_seconds,
            },
            "workers": 0,
            "prefetch": None,
            "persistent_workers": False,
            "pin_memory": False,
            "slices_per_epoch": self.slices,
            "selected": self._selected,
        }

    def train(self) -> AbstractContextManager[Iterator[Pair]]:
        """Open one pass over the training slices, in a new order."""
        return nullcontext((batch["image"], batch["mask"]) for batch in self._passes)

    def aside(self) -> AbstractContextManager[Iterator[Pair]]:
        """Open one pass as `train` does, in an order and with an augmentation of its own."""
        return nullcontext((batch["image"], batch["mask"]) for batch in self._aside)

    def val(self) -> AbstractContextManager[Iterator[Pair]]:
        """Open one pass over the validation slices, in their order."""
        images, masks = (tensor.split(self._recipe.batch_size) for tensor in self._val)
        return nullcontext((image, mask.float()) for image, mask in zip(images, masks, strict=True))

    def search_loader(self) -> DataLoader:
        """Return training batches of their own, which leave the training's order as it is."""
        passes = Passes(self._train, self._recipe, self._seed)
        return DataLoader(passes, batch_size=None, generator=torch.Generator().manual_seed(self._seed))

    def close(self) -> None:
        """Do nothing: what lies on the device ends with the feed."""


class Passes(IterableDataset):
    """Passes over slices on the device, each in a new order that the seed fixes.

    Attributes:
        sizes: the slices of each batch of a pass; a last batch of a single slice is left out.
    """

    def __init__(self, slices: Pair, recipe: Recipe, seed: int) -> None:
        self._slices, self._turning = slices, Turning(recipe, seed)
        self._order = RandomSampler(range(len(slices[0])), generator=torch.Generator().manual_seed(seed))
        full, rest = divmod(len(slices[0]), recipe.batch_size)
        self.sizes = [recipe.batch_size] * full + [rest] * (rest > 1)

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        images, masks = self._slices
        rows = torch.tensor(list(self._order), device=images.device)[: sum(self.sizes)]
        for batch_rows in rows.split(self.sizes):
            image, mask = self._turning(images[batch_rows], masks[batch_rows].float())
            yield {"image": image, "mask": mask}


def put_on_device(dataset: Dataset, recipe: Recipe) -> Pair:
    """Put images (N, C, H, W) as they are, and masks as one byte a pixel, on the recipe's device.

    Raises:
        ValueError: if a mask holds something else than 0 and 1.
    """
    image, mask = (dataset[0][key] for key in loaders.KEYS)
    images = torch.empty((len(dataset), *image.shape), dtype=image.dtype, device=recipe.device)
    masks = torch.empty((len(dataset), *mask.shape), dtype=torch.bool, device=recipe.device)
    for i, item in enumerate(dataset):
        if not ((item["mask"] == 0) | (item["mask"] == 1)).all():
            raise ValueError(
                f"the mask of item {i}, {dataset.data[i]['mask']}, holds {item['mask'].unique().tolist()}; "
                f"expected 0 and 1 only, because masks on the device are kept as one byte a pixel."
            )
        images[i], masks[i] = item["image"], item["mask"].bool()
    return images, masks


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
        image_NCHW, mask_NCHW = mirror(image_NCHW, mirrored_N), mirror(mask_NCHW, mirrored_N)
        rotated_N = self._draw(number) < self._recipe.rotation_probability
        radians_N = (2 * self._draw(number) - 1) * radians(self._recipe.rotation_degrees)
        turned = rotate(image_NCHW, mask_NCHW, radians_N)
        return tuple(
            torch.where(_per_slice(rotated_N), new, old)
            for new, old in zip(turned, (image_NCHW, mask_NCHW), strict=True)
        )

    def _draw(self, number: int) -> Tensor:
        return torch.rand(number, generator=self._stream, device=self._stream.device)


def mirror(slices_NCHW: Tensor, chosen_N: Tensor) -> Tensor:
    """Mirror the chosen slices top to bottom: one axis, as both would be a rotation by 180 degrees."""
    return torch.where(_per_slice(chosen_N), slices_NCHW.flip(-2), slices_NCHW)


def rotate(image_NCHW: Tensor, mask_NCHW: Tensor, radians_N: Tensor) -> tuple[Tensor, Tensor]:
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
