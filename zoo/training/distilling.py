"""Learning from a trained network beside the masks.

G. Hinton et al., Distilling the knowledge in a neural network, arXiv:1503.02531.
"""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.model.forward import compute_logits
from zoo.recipes.recipe import Recipe


def make_teachers_recipe(recipe: Recipe) -> Recipe:
    """Return how the teacher is trained: as the student, but for what is done to the student alone.

    That is what makes it small or special (pruning, integers, 8-bit products) and its compilation: the
    compiler holds one network's graphs at a time, so the teacher, in its training and beside the student's,
    runs uncompiled. The student's power limit and fp32 arithmetic hold already while the teacher is trained.
    """
    return replace(
        recipe,
        architecture=recipe.teacher,
        technique="baseline",
        teacher=None,
        power_limit_percent=None,
        fp32_math=None,
        compile=False,
        fp8_linear=False,
        prune_channels=0.0,
        prune_weights=0.0,
        int8_qat=False,
    )


class Teacher:
    """A trained network, and its part in the loss of another.

    Args:
        recipe: the student's.
        model: in eval mode, on the recipe's device; it is not trained further.
    """

    def __init__(self, recipe: Recipe, model: nn.Module) -> None:
        self._recipe, self._as_teacher, self._model = recipe, make_teachers_recipe(recipe), model.eval()
        self._distances: list[Tensor] = []  # of the first batch and of the latest

    def mixed(self, loss: Tensor, logits_NCHW: Tensor, image_NCHW: Tensor) -> Tensor:
        """Mix a batch's loss by its masks with the student's distance from the teacher's answers, in fp32."""
        with torch.no_grad():
            taught_NCHW = compute_logits(self._as_teacher, self._model, image_NCHW)
        weight, temperature = self._recipe.distill_weight, self._recipe.distill_temperature
        distance = soft(logits_NCHW.float(), taught_NCHW.float(), temperature)
        self._distances[1:] = [distance.detach()]
        return (1 - weight) * loss + weight * distance

    def applied(self) -> dict[str, Any]:
        """Say who taught, and how far the answers were apart in the first batch and in the last."""
        distances = [distance.item() for distance in self._distances]
        return {"distill": {"teacher": self._recipe.teacher, "soft_loss": distances}}


def soft(logits: Tensor, taught: Tensor, temperature: float) -> Tensor:
    """Compute the cross entropy of two softened answers; its square of T keeps the gradient's size."""
    return temperature**2 * F.binary_cross_entropy_with_logits(
        logits / temperature, torch.sigmoid(taught / temperature)
    )
