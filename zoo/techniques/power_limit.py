"""A power limit of 60 or 80 % of the GPU's default, through NVML; only with `--allow-power-limit`, as root.

J. You et al., Zeus: understanding and optimizing GPU energy consumption of DNN training, NSDI 2023,
arXiv:2208.06102. Mazurek et al. 2024, arXiv:2405.15778, name the GPU's "sweet spot" as future work.

Why it should save energy: power rises faster than speed as the clock rises, so a slower clock costs fewer
joules per step; but the idle share of the power is paid for longer, and where memory or the loader is the
bottleneck the limit may never be reached.
"""

from dataclasses import replace

from zoo.recipes.recipe import Recipe

CUDA_ONLY = "NVML limits the power of NVIDIA GPUs"
VARIANTS = {"power_limit_60": {"percent": 60}, "power_limit_80": {"percent": 80}}


def apply(recipe: Recipe, percent: int) -> Recipe:
    """Lower the limit for the training; it is put back after it, also after a crash."""
    return replace(recipe, power_limit_percent=percent)
