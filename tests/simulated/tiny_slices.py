"""A data set of a few slices in real NIfTI files, as the training loop expects it, and a network to match."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import torch
from monai.transforms import Compose, Transform
from torch import nn

import zoo

KEYS = ("image", "mask")


@dataclass(frozen=True, eq=False)
class TinySplit:
    images: np.ndarray
    masks: np.ndarray
    subject: tuple[str, ...]
    volume: tuple[str, ...]
    items: tuple[dict[str, str], ...]

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True, eq=False)
class TinySlices:
    train: TinySplit
    val: TinySplit
    test: TinySplit
    image_size: int
    transform: Any


def slices(folder: Path, train: int = 8, val: int = 4, test: int = 4, size: int = 16) -> TinySlices:
    """Write noisy discs to files; three slices make a volume, a volume a subject."""
    generator = np.random.default_rng(0)
    parts = [
        split(folder, name, *discs(generator, number, size))
        for name, number in (("train", train), ("val", val), ("test", test))
    ]
    return TinySlices(*parts, image_size=size, transform=Compose([Reading()]))


def discs(generator: np.random.Generator, number: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[:size, :size]
    middle = generator.uniform(0.35 * size, 0.65 * size, (number, 2))
    masks = np.stack([(y - v) ** 2 + (x - u) ** 2 < (0.2 * size) ** 2 for v, u in middle])[:, None]
    images = masks + generator.normal(0, 0.3, masks.shape)
    return images.astype(np.float32), masks.astype(np.uint8)


def split(folder: Path, name: str, images: np.ndarray, masks: np.ndarray) -> TinySplit:
    """Write images and masks (N, 1, S, S), one file per slice."""
    items = []
    for i, pair in enumerate(zip(images, masks, strict=True)):
        paths = {key: str(folder / f"{name}_{i}_{key}.nii") for key in KEYS}
        for key, array in zip(KEYS, pair, strict=True):
            nib.save(nib.Nifti1Image(array[0], np.eye(4)), paths[key])
        items.append(paths)
    names = tuple(f"{name}{i // 3}" for i in range(len(images)))
    return TinySplit(images, masks, names, names, tuple(items))


class Reading(Transform):
    """Read a slice's two files; MONAI's own reading takes five times as long, and is not what is tested."""

    def __call__(self, item: dict[str, str]) -> dict[str, torch.Tensor]:
        pixels = {key: np.asarray(nib.load(item[key]).dataobj, np.float32) for key in KEYS}
        return {key: torch.from_numpy(values)[None] for key, values in pixels.items()}


def network(name: str = "", in_channels: int = 1, classes: int = 1) -> nn.Module:
    """Build a network that trains in milliseconds, with the batch normalisation that all of the zoo has."""
    return nn.Sequential(
        nn.Conv2d(in_channels, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Conv2d(4, classes, 3, padding=1),
    )


def small_recipe(technique: str = "baseline", **changes: Any) -> zoo.Recipe:
    """Make a recipe of a few epochs; unlike a user's, it may change what the technique sets."""
    return replace(zoo.recipe("unet", technique), **{"epochs": 3, "batch_size": 4, "threads": 1} | changes)


def losses(trained: zoo.Trained) -> list[tuple[float, float, float]]:
    return [(epoch.loss, epoch.val_loss, epoch.val_dice) for epoch in trained.epochs]
