"""What is taken from a network while it is trained, in rounds: one before each of the epochs 2, 3, ...

Whole channels leave by DepGraph, with torch-pruning; single weights are set to zero and kept there, with
torch.nn.utils.prune. A round of channels makes new parameters, so training them needs a new optimiser,
and weights kept from an earlier epoch no longer fit.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils import prune

from zoo._registry import load_network, side_to_pad_to
from zoo.recipes.recipe import Recipe
from zoo.results import Ineffective
from zoo.size import count_macs, parameters

EXAMPLE_SIDE = 32  # pixels; the graph of a network is the same at any
CHANNEL_MULTIPLE = 8  # of channels stay in a layer: kernels work in blocks of so many


class Pruning:
    """The rounds of a training.

    After a round the running statistics are those of a network that is gone. They start anew, as the plain
    mean over the batches of the epoch that follows; later epochs move them at the network's own pace.
    """

    def __init__(self, recipe: Recipe, model: nn.Module) -> None:
        self._rounds, self._epoch, self._model = recipe.prune_rounds, 0, model
        self._taker = ChannelPruner(recipe, model) if recipe.prune_channels else WeightPruner(recipe, model)
        self._momenta: dict[_BatchNorm, float | None] = {}

    def collect(self, image_NCHW: Tensor) -> None:
        """Look at the gradients of a step before they are forgotten, where a round is to come."""
        if self._epoch <= self._rounds:
            self._taker.collect(image_NCHW)

    def before(self, epoch: int) -> bool:
        """Do what is due before an epoch; say whether the network is another one now.

        Raises:
            Ineffective: if after the last round nothing is gone.
        """
        self._epoch = epoch
        self._resume_statistics()
        if not 2 <= epoch <= self._rounds + 1:
            return False
        self._taker.round()
        self._restart_statistics()
        if epoch == self._rounds + 1 and not self._taker.taken:
            raise Ineffective(f"pruning in {self._rounds} rounds took nothing: {self._taker.nothing}.")
        return True

    def finish(self) -> None:
        """Leave a plain network."""
        self._resume_statistics()
        self._taker.finish()

    def applied(self) -> dict[str, Any]:
        """Say in JSON-able values what was taken."""
        return self._taker.applied()

    def _restart_statistics(self) -> None:
        norms = [layer for layer in self._model.modules() if isinstance(layer, _BatchNorm)]
        self._momenta = {norm: norm.momentum for norm in norms}
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # torch's word for the plain mean

    def _resume_statistics(self) -> None:
        for norm, momentum in self._momenta.items():
            norm.momentum = momentum
        self._momenta = {}


class ChannelPruner:
    """Channels by dependency (arXiv:2301.12900): what is connected goes together, the least important first.

    A weight's importance is |weight · gradient| (arXiv:1906.10771), the gradient that of a whole epoch. A
    layer that would lose all its channels keeps them; so does the last, whose only channel is the answer.

    Attributes:
        taken: channels that are gone by now.
        nothing: why none may be.
    """

    nothing = f"each layer had {CHANNEL_MULTIPLE} channels or fewer, or is tied to one that had"

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
            round_to=CHANNEL_MULTIPLE,
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
            "macs_per_slice": count_macs(self._model, self._recipe.architecture, side, in_channels),
            "channels": sum(
                layer.out_channels for layer in self._model.modules() if isinstance(layer, kinds)
            ),
        }


def _gradient(weights: nn.Parameter) -> Tensor:
    return torch.zeros_like(weights) if weights.grad is None else weights.grad


class WeightPruner:
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
