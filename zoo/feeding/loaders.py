"""From files to batches, as the recipe says: datasets, augmentation and loaders."""

import copy
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import radians
from typing import Any

import torch
from monai.data import CacheDataset, DataLoader, Dataset
from monai.transforms import Compose, EnsureTyped, RandFlipd, RandRotated, Transform
from monai.transforms.traits import RandomizableTrait
from torch import Tensor
from torch.utils.data import RandomSampler

from zoo.recipes.recipe import Recipe

KEYS = ("image", "mask")


class Loader(DataLoader):
    """MONAI's loader, without advice on how many workers to start, and how: that is the experiment."""

    def check_worker_number_rationality(self) -> None:
        """Say nothing; the set-up records the workers."""

    def __iter__(self) -> Any:
        """Open a pass; where Python 3.12 warns of every fork beside threads, torch's workers do fork so."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
            return super().__iter__()


class AirToZero(Transform):
    """Shift an image so that its darkest value, air, is 0: what a rotation then fills in is air.

    In a z-scored image 0 is mean tissue; corners of it would be a texture that no scanner makes.
    """

    def __call__(self, item: dict[str, Any]) -> dict[str, Any]:
        """Shift, and keep by how much."""
        air = item["image"].min()
        return {**item, "image": item["image"] - air, "air": air}


class ZeroToAir(Transform):
    """Shift an image back."""

    def __call__(self, item: dict[str, Any]) -> dict[str, Any]:
        """Undo AirToZero."""
        air = item.pop("air")
        return {**item, "image": item["image"] + air}


def transforms(recipe: Recipe, data: Any) -> tuple[Compose, Compose]:
    """Compose what training and validation do to an item: the same, but for the augmentation at the end."""
    steps = list(data.transform.flatten().transforms)
    return Compose([*steps, *augmentation(recipe)]), Compose(steps)


def augmentation(recipe: Recipe) -> list[Transform]:
    """List the random transforms of image and mask (1, H, W); what a rotation uncovers is air."""
    if not recipe.augment:
        return []
    angle = radians(recipe.rotation_degrees)
    return [
        AirToZero(),
        RandFlipd(KEYS, prob=recipe.flip_probability, spatial_axis=0),
        RandRotated(
            KEYS,
            range_x=angle,
            prob=recipe.rotation_probability,
            mode=("bilinear", "nearest"),
            padding_mode="zeros",
        ),
        ZeroToAir(),
        EnsureTyped(KEYS, track_meta=False),  # MONAI's bookkeeping of what was turned is of no use here
    ]


def datasets(
    recipe: Recipe, data: Any, train_items: Sequence[dict[str, str]] | None = None
) -> tuple[Dataset, Dataset, dict[str, Any]]:
    """Open the training and the validation slices, and say how; a cache is filled here.

    `train_items` are the slices to train on, where those are not all.

    Raises:
        ValueError: if a step of the data's transform cannot be cached.
    """
    train, val = transforms(recipe, data)
    if train_items is None:
        train_items = data.train.items
    if recipe.loading == "disk":
        return Dataset(train_items, train), Dataset(data.val.items, val), {"from": "disk"}
    _require_cacheable(val)
    started = time.perf_counter()
    kept = [
        CacheDataset(items, steps, num_workers=max(1, recipe.workers), progress=False)
        for items, steps in ((train_items, train), (data.val.items, val))
    ]
    slices = sum(len(dataset) for dataset in kept)
    return *kept, {"from": "cache", "slices": slices, "fill_seconds": time.perf_counter() - started}


def apart(dataset: Dataset, recipe: Recipe, data: Any) -> Dataset:
    """Return the same training slices, what is cached of them too, augmented from a random state of its own.

    A loader seeds the augmentation of the dataset it is made for, and passes over that advance it.
    """
    other = copy.copy(dataset)
    other.transform = transforms(recipe, data)[0]
    return other


def _require_cacheable(steps: Compose) -> None:
    # CacheDataset says nothing when it stops at the first step that is random or no MONAI transform.
    stop = steps.get_index_of_first(
        lambda t: isinstance(t, RandomizableTrait) or not isinstance(t, Transform)
    )
    if stop is not None:
        raise ValueError(
            f"step {stop + 1} of the data's transform, {type(steps.transforms[stop]).__name__}, is random or "
            f"no MONAI Transform, so nothing from there on would be cached; expected deterministic steps."
        )


def train_loader(dataset: Dataset, recipe: Recipe, seed: int) -> Loader:
    """Shuffle the training slices by the seed alone, whatever loads them.

    A last batch of a single slice is left out: batch normalisation has no statistics for it.
    """
    order = RandomSampler(dataset, generator=torch.Generator().manual_seed(seed))
    return _loader(dataset, recipe, seed, sampler=order, drop_last=len(dataset) % recipe.batch_size == 1)


def val_loader(dataset: Dataset, recipe: Recipe, seed: int) -> Loader:
    """Load the validation slices in their order."""
    return _loader(dataset, recipe, seed)


def in_process(dataset: Dataset, recipe: Recipe) -> Loader:
    """Load batches in order without workers, whatever the recipe says of them."""
    return Loader(dataset, batch_size=recipe.batch_size, generator=torch.Generator().manual_seed(0))


def _loader(dataset: Dataset, recipe: Recipe, seed: int, **more: Any) -> Loader:
    return Loader(
        dataset,
        batch_size=recipe.batch_size,
        num_workers=recipe.workers,
        prefetch_factor=recipe.prefetch,
        persistent_workers=recipe.persistent_workers,
        pin_memory=recipe.pin_memory and recipe.device != "cpu",
        generator=torch.Generator().manual_seed(seed),  # seeds the workers and the augmentation
        **more,
    )


@contextmanager
def batches(loader: Loader, device: str) -> Iterator[Iterator[tuple[Tensor, Tensor]]]:
    """Open one pass over a loader: image and mask (N, 1, H, W) on the device.

    Workers end with the pass, also after an error, unless they are persistent.
    """
    passes = iter(loader)
    try:
        yield ((_move(batch["image"], device), _move(batch["mask"], device)) for batch in passes)
    finally:
        if not loader.persistent_workers:
            _stop(passes)


@contextmanager
def closing(*loaders: Loader) -> Iterator[None]:
    """End the persistent workers of loaders, whatever happens in between."""
    try:
        yield
    finally:
        for loader in loaders:
            end(loader)


def end(loader: Loader) -> None:
    """End the persistent workers of a loader."""
    _stop(loader._iterator)
    loader._iterator = None


def _stop(passes: Any) -> None:
    # Torch ends workers when their iterator is collected; a traceback that somebody keeps would delay that.
    if hasattr(passes, "_shutdown_workers"):
        passes._shutdown_workers()


def _move(batch: Tensor, device: str) -> Tensor:
    return batch.to(device, non_blocking=True)
