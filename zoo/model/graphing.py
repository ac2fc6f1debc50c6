"""A CUDA graph of a network's forward and backward pass: recorded once, replayed as a whole in each step.

The kernels are the same as without it; what is saved is the CPU's work of starting them one by one.
"""

from typing import Any

import torch
from torch import Tensor, nn

from zoo.hardware import autocast
from zoo.recipes.recipe import Recipe
from zoo.results import Ineffective


class Graphed(nn.Module):
    """A network that replays its graph for batches of the shape recorded, and runs as it is for others.

    Args:
        model: in training mode; batches in evaluation never replay. The graph uses its weights where they
            lie in memory.
        batch: of the shape, format and device to be recorded, as the network sees it.

    Attributes:
        replayed, eager: training passes so far, by the graph and without it.
    """

    def __init__(self, recipe: Recipe, model: nn.Module, batch: Tensor) -> None:
        super().__init__()
        self.model, self.replayed, self.eager = model, 0, 0
        self._technique, self._shape = recipe.technique, batch.shape
        # Casts kept from the recording would be stale weights in every replay.
        with autocast(recipe, cache=False):
            recorded = torch.cuda.make_graphed_callables(_Shell(model), (batch,), allow_unused_input=True)
        self._replay = [recorded]  # in a list, so that it is no part of this module

    def forward(self, image: Tensor) -> Tensor:
        """Map (N, C, H, W) to logits."""
        if image.shape == self._shape and self.model.training:
            self.replayed += 1
            return self._replay[0](image)
        self.eager += self.model.training
        return self.model(image)

    def account(self) -> dict[str, Any]:
        """Say how often the graph was replayed.

        Raises:
            Ineffective: if it never was.
        """
        if not self.replayed:
            raise Ineffective(
                f"{self._technique}: a graph for batches of {tuple(self._shape)} was recorded, but none of "
                f"{self.eager} training batches had that shape; expected batch_size slices or more."
            )
        return {
            "cuda_graph": {"shape": list(self._shape), "replayed": self.replayed, "eager": self.eager},
        }


class _Shell(nn.Module):
    """A network in a module of its own: a recording exchanges its forward, and copies would share that."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: Tensor) -> Tensor:
        return self.model(image)
