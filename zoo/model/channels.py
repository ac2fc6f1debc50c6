"""Whole channels that leave a network: DepGraph, by torch-pruning."""

from typing import Any

import torch
from torch import Tensor, nn

from zoo._registry import load_network, side_to_pad_to
from zoo.recipes.recipe import Recipe
from zoo.size import macs_of, parameters

EXAMPLE_SIDE = 32  # pixels; the graph of a network is the same at any
MULTIPLE = 8  # of channels stay in a layer: kernels work in blocks of so many


class Channels:
    """Channels by dependency (arXiv:2301.12900): what is connected goes together, the least important first.

    A weight's importance is |weight · gradient| (arXiv:1906.10771), the gradient that of a whole epoch. A
    layer that would lose all its channels keeps them; so does the last, whose only channel is the answer.

    Attributes:
        taken: channels that are gone by now.
        nothing: why none may be.
    """

    nothing = f"each layer had {MULTIPLE} channels or fewer, or is tied to one that had"

    def __init__(self, recipe: Recipe, model: nn.Module) -> None:
        import torch_pruning  # an optional package

        self._recipe, self._model = recipe, model
        self._gradients: list[Tensor] = []
        self._shape: tuple[int, ...] = ()
        self._sizes: list[dict[str, int]] = []
        self._whole = getattr(load_network(recipe.architecture), "WHOLE", ())
        side = side_to_pad_to(recipe.architecture, EXAMPLE_SIDE)
        self._pruner = torch_pruning.pruner.BasePruner(
            model,
            next(model.parameters()).new_zeros(2, 1, side, side),
            torch_pruning.importance.GroupTaylorImportance(),
            pruning_ratio=recipe.prune_channels,
            iterative_steps=recipe.prune_rounds,
            round_to=MULTIPLE,
            ignored_layers=[model.get_submodule(name) for name in self._whole],
            # The library's default dictionaries would carry layers from one network to the next.
            in_channel_groups={},
            out_channel_groups={},
            num_heads={},
        )

    @property
    def taken(self) -> int:
        """Channels that are gone by now."""
        return self._sizes[0]["channels"] - self._sizes[-1]["channels"] if self._sizes else 0

    def collect(self, image_NCHW: Tensor) -> None:
        """Add up the gradients of an epoch."""
        self._shape = tuple(image_NCHW.shape[1:])
        gradients = [_gradient(weights) for weights in self._model.parameters()]
        if self._gradients:
            torch._foreach_add_(self._gradients, gradients)
        else:
            self._gradients = [gradient.clone() for gradient in gradients]

    def round(self) -> None:
        """Remove the channels that mattered least in the epoch before."""
        self._sizes = self._sizes or [self._size()]
        for weights, gradient in zip(self._model.parameters(), self._gradients, strict=True):
            weights.grad = gradient
        self._pruner.step()
        self._model.zero_grad()
        if self._recipe.channels_last:  # cutting puts weights back into the usual order of memory
            self._model.to(memory_format=torch.channels_last)
        self._gradients = []
        self._sizes.append(self._size())

    def finish(self) -> None:
        """Nothing is left to do: the network is a plain one after each round."""

    def applied(self) -> dict[str, Any]:
        """Give the sizes, of the first network and after each round, and the layers that stayed whole."""
        sizes = {name: [size[name] for size in self._sizes] for name in self._sizes[0]}
        return {"prune": sizes | {"left_whole": list(self._whole)}}

    def _size(self) -> dict[str, int]:
        in_channels, _, side = self._shape
        kinds = nn.Conv2d | nn.ConvTranspose2d
        return {
            "params": parameters(self._model),
            "macs_per_slice": macs_of(self._model, self._recipe.architecture, side, in_channels),
            "channels": sum(
                layer.out_channels for layer in self._model.modules() if isinstance(layer, kinds)
            ),
        }


def _gradient(weights: nn.Parameter) -> Tensor:
    return torch.zeros_like(weights) if weights.grad is None else weights.grad
