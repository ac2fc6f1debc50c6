"""Where the batches of a training come from: two passes that can be opened again and again."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from torch import Tensor
from torch.utils.data import DataLoader

from zoo.feeding import loaders
from zoo.feeding.resident import DeviceFeed
from zoo.feeding.selection import selected
from zoo.recipes.recipe import Recipe

Batches = Iterator[tuple[Tensor, Tensor]]


class Feed(Protocol):
    """Batches of image and mask (N, 1, H, W) on the recipe's device."""

    @property
    def steps(self) -> int:
        """Batches of one training pass."""
        ...

    @property
    def slices(self) -> int:
        """Slices of one training pass."""
        ...

    @property
    def applied(self) -> dict[str, Any]:
        """What the choices of the recipe did here, in JSON-able values."""
        ...

    def train(self) -> AbstractContextManager[Batches]:
        """Open one pass over the training slices, in a new order."""
        ...

    def aside(self) -> AbstractContextManager[Batches]:
        """Open one pass as `train` does, which leaves the order and the augmentation of those as they are."""
        ...

    def val(self) -> AbstractContextManager[Batches]:
        """Open one pass over the validation slices, in their order."""
        ...

    def search_loader(self) -> DataLoader:
        """Return a loader of training batches as items, which leaves the order of the training as it is."""
        ...

    def close(self) -> None:
        """End the workers; closing twice does nothing."""
        ...


@contextmanager
def opened(recipe: Recipe, data: Any, seed: int) -> Iterator[Feed]:
    """Open the recipe's feed; what it holds, workers above all, ends with it."""
    kind = DeviceFeed if recipe.loading == "device" else LoaderFeed
    feed: Feed = kind(recipe, data, seed)
    try:
        yield feed
    finally:
        feed.close()


class LoaderFeed:
    """A feed from torch's loaders; see `Feed`.

    The loaders are made when they are first asked for: that seeds the augmentation, which a search for the
    learning rate over the same slices would otherwise have advanced.
    """

    def __init__(self, recipe: Recipe, data: Any, seed: int) -> None:
        self._recipe, self._data, self._seed = recipe, data, seed
        items, self._selected = selected(recipe, data.train, seed)
        self._train_set, self._val_set, self._loading = loaders.datasets(recipe, data, items)
        self._loaders: tuple[loaders.Loader, loaders.Loader] | None = None
        self._aside: loaders.Loader | None = None

    @property
    def steps(self) -> int:
        """Batches of one training pass."""
        return len(self._open()[0])

    @property
    def slices(self) -> int:
        """Slices of one training pass."""
        loader = self._open()[0]
        return len(loader) * self._recipe.batch_size if loader.drop_last else len(self._train_set)

    @property
    def applied(self) -> dict[str, Any]:
        """What the choices of the recipe did here."""
        loader = self._open()[0]
        return {
            "loading": self._loading,
            "workers": loader.num_workers,
            "prefetch": loader.prefetch_factor,
            "persistent_workers": loader.persistent_workers,
            "pin_memory": loader.pin_memory,
            "slices_per_epoch": self.slices,
            "selected": self._selected,
        }

    def train(self) -> AbstractContextManager[Batches]:
        """Open one pass over the training slices, in a new order."""
        return loaders.batches(self._open()[0], self._recipe.device)

    def aside(self) -> AbstractContextManager[Batches]:
        """Open one pass as `train` does, from a loader of its own and with an augmentation of its own."""
        if self._aside is None:
            same = loaders.apart(self._train_set, self._recipe, self._data)
            self._aside = loaders.train_loader(same, self._recipe, self._seed)
        return loaders.batches(self._aside, self._recipe.device)

    def val(self) -> AbstractContextManager[Batches]:
        """Open one pass over the validation slices, in their order."""
        return loaders.batches(self._open()[1], self._recipe.device)

    def search_loader(self) -> loaders.Loader:
        """Return a loader of its own, so that the order of the training stays as it is."""
        return loaders.train_loader(self._train_set, self._recipe, self._seed)

    def close(self) -> None:
        """End the workers; closing twice does nothing."""
        for loader in (*(self._loaders or ()), self._aside):
            if loader is not None:
                loaders.end(loader)

    def _open(self) -> tuple[loaders.Loader, loaders.Loader]:
        if self._loaders is None:
            self._loaders = (
                loaders.train_loader(self._train_set, self._recipe, self._seed),
                loaders.val_loader(self._val_set, self._recipe, self._seed),
            )
        return self._loaders
