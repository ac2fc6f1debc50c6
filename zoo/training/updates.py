"""From losses to updates of the weights: batches taken in groups, and the scaling of fp16's losses.

fp16 has no numbers for small gradients, so they are computed larger.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from zoo.recipes.recipe import Recipe
from zoo.results import Ineffective


@dataclass(frozen=True)
class Place:
    """Where a batch stands in its group."""

    first: bool
    last: bool
    size: int  # batches of the group


class Groups:
    """Batches in groups of `size`; the last group of a pass over `batches` may be smaller.

    >>> groups = Groups(size=2, batches=3)
    >>> [(place.size, place.last) for place in (groups.next() for _ in range(3))]
    [(2, False), (2, True), (1, True)]
    """

    def __init__(self, size: int, batches: int) -> None:
        self._size, self._batches, self._seen = size, batches, 0
        self.per_pass = -(-batches // size)

    def begin(self) -> None:
        """Begin a pass."""
        self._seen = 0

    def next(self) -> Place:
        """Return the place of the next batch; after the last batch of a pass comes the first of another."""
        at = self._seen % self._batches
        begin = at - at % self._size
        size = min(self._size, self._batches - begin)
        self._seen += 1
        return Place(at == begin, at + 1 == begin + size, size)


class Scaling:
    """The backward pass and the optimiser's step, with torch's GradScaler where the recipe is fp16 autocast.

    A step whose gradients are infinite is left out, and the scale is halved; that is how it is found. Steps
    are counted by the scale, as fused optimisers are called even for those that they then leave out; on the
    device, as asking for the scale would make a GPU wait in every step. For other recipes this does nothing
    of its own.
    """

    def __init__(self, recipe: Recipe) -> None:
        self._recipe, self._tried = recipe, 0
        device = torch.device(recipe.device)
        self._scaler = torch.amp.GradScaler(device.type, enabled=recipe.precision == "fp16")
        if self._scaler.is_enabled():
            self._one = torch.ones((), device=device)
            self._taken = torch.zeros((), dtype=torch.int64, device=device)

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of a loss."""
        self._scaler.scale(loss).backward()

    def step(self, optimizer: torch.optim.Optimizer) -> None:
        """Let the optimiser take its step, unless a gradient is infinite."""
        if not self._scaler.is_enabled():
            optimizer.step()
            return
        self._tried += 1
        before = self._scaler.scale(self._one)
        self._scaler.step(optimizer)
        self._scaler.update()
        after = self._scaler.scale(self._one)
        self._taken += (after >= before) & (after > 0)  # a scale that was halved to 0 falls no more

    def account(self) -> dict[str, Any]:
        """Say how many steps were taken, how many left out, and the scale in the end.

        Raises:
            Ineffective: if no step was taken.
        """
        if not self._scaler.is_enabled():
            return {}
        taken = int(self._taken)
        if not taken:
            raise Ineffective(
                f"{self._recipe.technique}: the gradients of all {self._tried} steps overflowed in fp16, so "
                f"nothing was learned; use bf16, or more epochs."
            )
        skipped = self._tried - taken
        return {"loss_scaling": {"taken": taken, "skipped": skipped, "scale": self._scaler.get_scale()}}
