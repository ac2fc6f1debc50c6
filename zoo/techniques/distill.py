"""Distillation: a small network learns from the masks and from a trained U-Net.

G. Hinton et al., Distilling the knowledge in a neural network, arXiv:1503.02531. No study here tried it.

Why it should save energy: a small network may reach a Dice that it does not reach alone, or reach it in fewer
epochs. The teacher is trained first, on the same slices with the same recipe and seed, and paid for: that is
`teacher_kj`, a part of `total_kj`. What is done to the student alone it is spared: pruning, 8-bit figures,
compilation. It pays where the same teacher serves many students, or where inference
dominates; in a single training it is the dearest set-up there is. Each step also runs the teacher forward.
"""

from dataclasses import replace

from zoo.recipes.recipe import Recipe


def apply(recipe: Recipe) -> Recipe:
    """Train a U-Net first, and mix its soft answers at temperature 2 into half of the loss."""
    return replace(recipe, teacher="unet", distill_weight=0.5, distill_temperature=2.0)
