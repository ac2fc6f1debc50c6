"""What only the end of a training can tell: whether choices that wait for its losses came to act."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from zoo.recipes.recipe import Recipe
from zoo.results import Epoch


def account(recipe: Recipe, history: Sequence[Epoch], without_effect: Sequence[str]) -> dict[str, Any]:
    """Say what the plateau schedule and early stopping did, in JSON-able values.

    `without_effect` are the choices that could not act from the start; those that did not are added.
    """
    told: dict[str, Any] = {}
    idle = []
    if recipe.plateau_patience is not None:
        # Of rates that were trained with: one that fell after the last epoch did nothing.
        reductions = sum(after.lr < before.lr for before, after in pairwise(history))
        told["plateau"] = {"reductions": reductions}
        if not reductions:
            idle.append(f"plateau: the rate never fell in {len(history)} epochs")
    if recipe.early_stop_patience is not None:
        stopped = len(history) < recipe.epochs
        told["early_stop"] = {"stopped_after": len(history) if stopped else None}
        if not stopped:
            idle.append(f"early_stop: all {recipe.epochs} epochs were trained")
    known = {choice.partition(":")[0] for choice in without_effect}
    new = [choice for choice in idle if choice.partition(":")[0] not in known]
    return told | {"without_effect": [*without_effect, *new]}
