"""Data caching: MONAI's CacheDataset for training and validation slices.

M. J. Cardoso et al., MONAI, arXiv:2211.02701; used by Mazurek et al. 2024, arXiv:2405.15778, whose epochs
became nearly four times shorter.

Why it should save energy: each file is read, decompressed, resampled and normalised once instead of once
per epoch; random transforms come after what is cached and stay random. The fill is paid for once, inside
the window.
"""

from dataclasses import replace

from zoo.recipes.recipe import Recipe


def apply(recipe: Recipe) -> Recipe:
    """Keep what the deterministic transforms make of each slice in memory."""
    return replace(recipe, loading="cache")
