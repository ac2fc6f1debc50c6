"""A network that learns: what one step of training and one of validation do, as the recipe says."""

from typing import Any

import torch
from torch import Tensor, nn

from zoo.feeding.feed import Feed
from zoo.model.forward import compute_logits, growing_until, recipe_in_epoch, side_seen
from zoo.model.pruning import Pruning
from zoo.model.quantizing import Quantizing
from zoo.recipes.recipe import Recipe
from zoo.size import count_macs, macs_per_slice
from zoo.training import averaging, losses, optimizers
from zoo.training.distilling import Teacher
from zoo.training.prepare import Prepared
from zoo.training.schedules import Schedule
from zoo.training.updates import Groups, Scaling


class Learner:
    """A model, the optimiser of its weights, and the schedule of the optimiser's rate.

    Args:
        model: on the recipe's device, its weights as they are to be trained.
        learning_rate: to begin with.
        batches: of one training pass.
        teacher: whose answers are learnt beside the masks, if the recipe has one.

    Attributes:
        model: what is trained.
        optimizer: what changes its weights.
        schedule: what changes the optimiser's rate.
        groups: which batches make one update of the weights together.
        epoch: the one under way, from 1; 0 before the first.
        recipe_now: the recipe of that epoch's steps; its resolution may be lower than what is judged.
    """

    def __init__(
        self,
        recipe: Recipe,
        model: nn.Module,
        learning_rate: float,
        batches: int,
        teacher: nn.Module | None = None,
    ) -> None:
        self.recipe, self.model, self.epoch = recipe, model, 0
        self.recipe_now = recipe
        self.loss, self.scaling = losses.build(recipe), Scaling(recipe)
        self.prepared: Prepared | None = None
        self.groups = Groups(recipe.accumulate, batches)
        self.optimizer = optimizers.build(recipe, model, learning_rate)
        self.schedule = Schedule(recipe, self.optimizer, self.updates)
        self.average = averaging.choose_average(recipe, model)
        self.pruning = Pruning(recipe, model) if recipe.prune_channels or recipe.prune_weights else None
        self.quantizing = Quantizing(recipe) if recipe.int8_qat else None
        self.teacher = Teacher(recipe, teacher) if teacher is not None else None

    @property
    def learning_rate(self) -> float:
        """The rate of the next step."""
        return float(self.optimizer.param_groups[0]["lr"])

    @property
    def updates(self) -> int:
        """The updates of the weights that all epochs together make."""
        return self.groups.per_pass * self.recipe.epochs

    @property
    def judged(self) -> nn.Module:
        """What is validated, kept and returned: the model itself, or the average of its weights."""
        averaged = self.average is not None and self.epoch >= self.average.first
        return self.average.network if averaged else self.model

    @property
    def settled_from(self) -> int:
        """The epoch from which on patience counts: before it slices grow, or it judges another network."""
        rounded = 1 if self.quantizing is None else self.quantizing.first
        pruned = 1 if self.pruning is None else self.recipe.prune_rounds + 1
        return max(1, growing_until(self.recipe), rounded, pruned)

    def prepare(self, image_size: int, train_slices: int, val_slices: int) -> dict[str, Any]:
        """Make the network ready for passes over so many slices; say in JSON-able values what was done."""
        if self.quantizing is not None:  # the graph has the model's own weights, which the optimiser holds
            self.model = self.quantizing.graph(self.model, side_seen(self.recipe, image_size))
        self.prepared = Prepared(self.recipe, self.model, image_size, train_slices, val_slices)
        return self.prepared.applied

    def begin_epoch(self, number: int) -> bool:
        """Do what the recipe wants done before an epoch (from 1); say if it judges another network."""
        self.epoch = number
        self.recipe_now = recipe_in_epoch(self.recipe, number)
        pruned = self.pruning is not None and self.pruning.before(number)
        if pruned:  # the optimiser still holds what was cut off, and knows nothing of what is left
            self.optimizer = optimizers.build(self.recipe, self.model, self.learning_rate)
            self.schedule = Schedule(self.recipe, self.optimizer, self.updates)
        self.model.train()
        rounded = self.quantizing is not None and self.quantizing.before(number, self.model)
        self.groups.begin()
        if self.recipe.optimizer == "schedule_free":
            self.optimizer.train()  # the weights are again where gradients are taken
        averaged = self.average is not None and number == self.average.first
        return pruned or rounded or averaged

    def begin_validation(self, feed: Feed) -> None:
        """Make ready what is judged after a pass over the training slices."""
        if self.average is not None:
            self.average.after_pass()
        if self.recipe.optimizer == "schedule_free":
            self.optimizer.eval()  # the weights are their average
        if self.refreshes:
            averaging.refresh(self.recipe, self.judged, feed)
        if self.quantizing is not None:
            self.quantizing.hold(self.model)
        self.judged.eval()

    @property
    def refreshes(self) -> bool:
        """Whether batch normalisation saw other weights than those that are judged in this epoch."""
        averaged = self.judged is not self.model and self.average.refreshes
        return averaged or self.recipe.optimizer == "schedule_free"

    def end_epoch(self, val_loss: float) -> None:
        """Do what the recipe wants done after an epoch."""
        self.schedule.after_epoch(val_loss)

    def finish(self, weights: dict[str, Tensor]) -> None:
        """Take the weights that are to be kept; what is judged is then as it will be used."""
        self.judged.load_state_dict(weights)
        if self.pruning is not None:
            self.pruning.finish()
        if self.quantizing is not None:
            self.model = self.quantizing.integers(self.model)

    def macs_per_slice(self, image_size: int) -> int:
        """Count the multiply-accumulates of one forward pass of the network as it is now."""
        if self.recipe.prune_channels:
            return count_macs(self.judged, self.recipe.architecture, image_size)
        return macs_per_slice(self.recipe.architecture, image_size)

    def applied(self) -> dict[str, Any]:
        """Say in JSON-able values what the choices of the recipe did by now."""
        return {
            "optimizer_state": optimizers.account(self.recipe, self.optimizer),
            "average": None if self.average is None else self.average.applied(),
            **({} if self.pruning is None else self.pruning.applied()),
            **({} if self.quantizing is None else self.quantizing.applied()),
            **({} if self.teacher is None else self.teacher.applied()),
            **({} if self.prepared is None else self.prepared.account()),
            **self.scaling.account(),
        }

    def step(self, image_NCHW: Tensor, mask_NCHW: Tensor) -> Tensor:
        """Learn from one batch; return its loss before that."""
        network = self.model if self.prepared is None else self.prepared.running
        logits_NCHW = compute_logits(self.recipe_now, network, image_NCHW)
        loss = self.loss(logits_NCHW, mask_NCHW)
        if self.teacher is not None:
            loss = self.teacher.mixed(loss, logits_NCHW, image_NCHW)
        place = self.groups.next()
        if place.first:
            self.optimizer.zero_grad()
        self.scaling.backward(loss / place.size)
        if place.last:
            self._update(image_NCHW)
        return loss.detach()

    def _update(self, image_NCHW: Tensor) -> None:
        if self.pruning is not None:
            self.pruning.collect(image_NCHW)
        self.scaling.step(self.optimizer)
        self.schedule.after_update()
        if self.average is not None:
            self.average.after_update()

    @torch.no_grad()
    def judge(self, image_NCHW: Tensor, mask_NCHW: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss of one batch, and the logits, without learning from it."""
        logits_NCHW = compute_logits(self.recipe, self.judged, image_NCHW)
        return self.loss(logits_NCHW, mask_NCHW), logits_NCHW
