"""What is taken from a network while it is trained, in rounds: one before each of the epochs 2, 3, ...

A round of channels makes new parameters, so whoever trains them needs a new optimiser, and weights kept from
an earlier epoch no longer fit.
"""

from typing import Any

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from zoo.model.channels import Channels
from zoo.model.zeros import Zeros
from zoo.recipes.recipe import Recipe
from zoo.results import Ineffective


class Pruning:
    """The rounds of a training.

    After a round the running statistics are those of a network that is gone. They start anew, as the plain
    mean over the batches of the epoch that follows; later epochs move them at the network's own pace.
    """

    def __init__(self, recipe: Recipe, model: nn.Module) -> None:
        self._rounds, self._epoch, self._model = recipe.prune_rounds, 0, model
        self._taker = Channels(recipe, model) if recipe.prune_channels else Zeros(recipe, model)
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
