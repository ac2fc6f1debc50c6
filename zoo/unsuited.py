"""Which networks and budgets a choice of the recipe does not suit, whatever the machine."""

from zoo._registry import load_network
from zoo.recipes.recipe import Recipe


def unsuited(recipe: Recipe) -> str | None:
    """Say why a recipe makes no sense for its network or its epochs, or None if it does."""
    if recipe.teacher == recipe.architecture:
        return f"distill: {recipe.architecture} is the teacher, and has nothing to learn from itself"
    pruned = recipe.prune_channels or recipe.prune_weights
    if pruned and recipe.epochs <= recipe.prune_rounds:
        return (
            f"prune: {recipe.prune_rounds} rounds between epochs need {recipe.prune_rounds + 1} epochs or "
            f"more, so that what the last one leaves is trained; there are {recipe.epochs}"
        )
    stuck = getattr(load_network(recipe.architecture), "UNPRUNABLE", None) if recipe.prune_channels else None
    return stuck and f"prune: torch-pruning cannot cut {recipe.architecture}: {stuck}"
