"""What an epoch computes, for a meter whose law of power asks for it: multiply-accumulates and bytes moved.

Told by what is known without measuring. A backward pass takes twice the products of the forward pass (for the
gradient of the weights, and for that of the input), so a training slice takes three forward passes and a
validation slice one. What a training step keeps for its backward pass is written once and read once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import zoo
from energy.plugin import Case

PASSES_OF_A_STEP = 3
FP32_BYTES = 4
TYPES = {"fp32": FP32_BYTES, "bf16": 2}
TOLD = (*(f"macs_{name}" for name in TYPES), "bytes_moved")

Work = Mapping[str, float]


def count_per_slice(case: Case, recipe: zoo.Recipe, image_size: int) -> Work:
    """Return the products of one forward pass of a slice and the bytes of its training step.

    Empty if no meter asks: counting takes time, before the window.
    """
    if not case.wanted:
        return {}
    side = max(1, round(recipe.resolution * image_size))
    kept = zoo.activation_bytes_per_slice(recipe.architecture, side)
    return {
        f"macs_{recipe.precision}": float(zoo.macs_per_slice(recipe.architecture, side)),
        "bytes_moved": 2.0 * kept * TYPES[recipe.precision] / FP32_BYTES,
    }


@dataclass(frozen=True)
class Teller:
    """Tells the meters of one case what each of its epochs has computed."""

    case: Case
    per_slice: Work
    val_slices: int

    def tell(self, epoch: zoo.Epoch) -> None:
        """Tell the work of an epoch that has just ended."""
        passes = PASSES_OF_A_STEP * epoch.slices + self.val_slices
        slices = {name: epoch.slices if name == "bytes_moved" else passes for name in self.per_slice}
        self.case.tell(**{name: amount * slices[name] for name, amount in self.per_slice.items()})
