"""How a recipe is trained."""
