"""Mixed precision in float16 and 8-bit optimiser states.

The third of the settings of Selvan et al. 2024, arXiv:2303.10181: `fp16_amp` and `adam_8bit` together.

Why it should save energy: activations and optimiser states, the two largest parts of a step's memory traffic,
shrink by different means, and the savings add up.
"""

from zoo.recipes.recipe import Recipe
from zoo.techniques import adam_8bit, fp16_amp

PACKAGE = adam_8bit.PACKAGE


def apply(recipe: Recipe) -> Recipe:
    """Apply both."""
    return adam_8bit.apply(fp16_amp.apply(recipe))
