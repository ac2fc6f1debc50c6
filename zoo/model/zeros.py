"""Single weights that are set to zero and kept there: torch.nn.utils.prune."""

from typing import Any

from torch import Tensor, nn
from torch.nn.utils import prune

from zoo.recipes.recipe import Recipe


class Zeros:
    """Weights by magnitude, the smallest of all convolutions first (arXiv:1506.02626).

    Attributes:
        taken: weights that are zero by now.
        nothing: why none may be.
    """

    nothing = "the network has no convolution"

    def __init__(self, recipe: Recipe, model: nn.Module) -> None:
        kinds = nn.Conv2d | nn.ConvTranspose2d | nn.Linear
        self._layers = [layer for layer in model.modules() if isinstance(layer, kinds)]
        self._share, self._rounds, self._done = recipe.prune_weights, recipe.prune_rounds, 0

    @property
    def taken(self) -> int:
        """Weights that are zero by now."""
        return sum(int((layer.weight == 0).sum()) for layer in self._layers)

    def collect(self, image_NCHW: Tensor) -> None:
        """Look at nothing: a magnitude needs no gradient."""

    def round(self) -> None:
        """Set the next equal part of the share to zero."""
        left = 1 - self._share * self._done / self._rounds
        self._done += 1
        left_after = 1 - self._share * self._done / self._rounds
        prune.global_unstructured(  # its amount is a share of the weights that are left
            [(layer, "weight") for layer in self._layers], prune.L1Unstructured, amount=1 - left_after / left
        )

    def finish(self) -> None:
        """Put the masked weights in the place of weights and masks."""
        for layer in self._layers:
            if prune.is_pruned(layer):
                prune.remove(layer, "weight")

    def applied(self) -> dict[str, Any]:
        """Count the zeros, and what they are among."""
        weights = sum(layer.weight.numel() for layer in self._layers)
        return {"prune_unstructured": {"zeros": self.taken, "weights": weights}}
