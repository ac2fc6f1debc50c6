"""What a training computes, for a meter whose law of power asks for it: multiply-accumulates and bytes moved.

Told by what is known without measuring. A backward pass takes twice the products of the forward pass (for the
gradient of the weights, and for that of the input), so a training slice takes three forward passes, a fourth
where stages are computed again, and a validation slice one. What a training step keeps for its backward pass
is written once and read once. The learning-rate search and a teacher, with its own training, count. A pruned
network is told as if it were whole: at most, and never in favour of pruning.
"""

from __future__ import annotations

from collections.abc import Iterator

import zoo
from energy.plugin import Case

PASSES_OF_A_STEP = 3
FP32_BYTES = 4
TYPES = {"fp32": FP32_BYTES, "bf16": 2}
TOLD = (*(f"macs_{name}" for name in TYPES), "bytes_moved")


class Teller:
    """Tells the meters of one case what each step of its training has computed.

    Where no meter asks, nothing is counted, which takes time, and nothing told. Else it is counted here,
    before the window.

    Args:
        case: whose meters are told.
        recipe: of the training.
        image_size: side of its slices in pixels.
        train_slices, val_slices: how many there are.
    """

    def __init__(
        self, case: Case, recipe: zoo.Recipe, image_size: int, train_slices: int, val_slices: int
    ) -> None:
        self._case, self._recipe, self._image_size = case, recipe, image_size
        self._train_slices, self._val_slices = train_slices, val_slices
        self._type = recipe.precision if recipe.weights == "fp32" else recipe.weights
        self._costs = dict(self._count_costs()) if case.wanted else {}

    def tell(self, step: zoo.Taught | zoo.Setup | zoo.Epoch) -> None:
        """Tell the work of a step that has just ended."""
        if not self._costs:
            return
        recipe = self._recipe
        if isinstance(step, zoo.Taught):
            for number in range(1, step.epochs + 1):
                self._tell_epoch(zoo.make_teachers_recipe(recipe), number, self._train_slices)
        elif isinstance(step, zoo.Setup):
            if recipe.lr_find_steps:
                slices = step.applied["lr_find"]["steps"] * recipe.batch_size
                self._tell(recipe.architecture, self._side(recipe), trained=slices)
        else:
            self._tell_epoch(recipe, step.number, step.slices)

    def _tell_epoch(self, recipe: zoo.Recipe, number: int, slices: int) -> None:
        side = self._side(zoo.recipe_in_epoch(recipe, number))
        self._tell(recipe.architecture, side, trained=slices)
        self._tell(recipe.architecture, self._side(recipe), judged=self._val_slices)
        if recipe.teacher is not None:
            self._tell(recipe.teacher, side, judged=slices)

    def _tell(self, architecture: str, side: int, trained: int = 0, judged: int = 0) -> None:
        macs, kept_bytes = self._costs[architecture, side]
        passes = (PASSES_OF_A_STEP + self._recipe.checkpointing) * trained + judged
        moved = 2.0 * kept_bytes * TYPES[self._type] / FP32_BYTES * trained
        self._case.tell(**{f"macs_{self._type}": float(macs * passes), "bytes_moved": moved})

    def _side(self, recipe: zoo.Recipe) -> int:
        return max(1, round(recipe.resolution * self._image_size))

    def _count_costs(self) -> Iterator[tuple[tuple[str, int], tuple[int, int]]]:
        """Yield the products of a forward pass and the bytes kept by a training step, per slice."""
        stages = [zoo.recipe_in_epoch(self._recipe, each + 1) for each in range(self._recipe.epochs)]
        for side in {self._side(each) for each in (self._recipe, *stages)}:
            for name in filter(None, (self._recipe.architecture, self._recipe.teacher)):
                costs = zoo.macs_per_slice(name, side), zoo.activation_bytes_per_slice(name, side)
                yield (name, side), costs
