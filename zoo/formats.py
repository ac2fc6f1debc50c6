"""Which number formats a device computes in, and what else a recipe's kernels need there."""

import os
import shutil

import torch

from zoo.model import fp8
from zoo.recipes.recipe import Recipe
from zoo.size import weightless

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
CUDA_ONLY = {  # which values of a field only a CUDA GPU can act on, and why
    ("precision", "fp16"): "fp16 on a CPU is 6 to 12 times slower than fp32, so it would mislead; use bf16",
    ("weights", "fp16"): "fp16 on a CPU is 6 to 12 times slower than fp32, so it would mislead; use bf16",
    ("fp32_math", "tf32"): "TF32 is a format of CUDA GPUs' matrix units",
    ("fp32_math", "ieee"): "a CPU always computes fp32 to the full; on a CUDA GPU torch's choice is TF32",
    ("cuda_graph", True): "a CUDA graph replays what a CPU starts on a GPU",
    ("fp8_linear", True): "8-bit floating point needs a CUDA GPU of compute capability 8.9 or above",
}


def lacking(recipe: Recipe, device: torch.device) -> str | None:
    """Say what a recipe's formats and kernels need and have not got here, or None."""
    for (field, value), reason in CUDA_ONLY.items():
        if device.type != "cuda" and getattr(recipe, field) == value:
            return f"{_named(field, value)} on {device}: {reason}"
    if recipe.compile and device.type == "cpu" and shutil.which(os.environ.get("CXX", "g++")) is None:
        return "compile on cpu needs a C++ compiler: install g++, or name another one in CXX"
    if recipe.fp32_math == "tf32":
        return _lacking_tf32(recipe, device)
    if recipe.fp8_linear:
        return _lacking_fp8(recipe, device)
    return None


def _named(field: str, value: str | bool) -> str:
    return field if value is True else f"{field} {value}"


def _lacking_tf32(recipe: Recipe, device: torch.device) -> str | None:
    if torch.version.hip is not None or torch.cuda.get_device_capability(device) < (8, 0):
        return f"tf32 on {device}: this GPU has no TF32; that came with compute capability 8.0"
    layers = weightless(recipe.architecture).modules()
    has_products = any(isinstance(layer, torch.nn.Linear) for layer in layers)
    if torch.backends.cudnn.conv.fp32_precision == "tf32" and not has_products:
        return (
            f"tf32 on {device}: torch computes convolutions in TF32 unless told otherwise, so the baseline "
            f"has it, and {recipe.architecture} has no Linear layer beside them; see the technique fp32_ieee"
        )
    return None


def _lacking_fp8(recipe: Recipe, device: torch.device) -> str | None:
    if torch.version.hip is not None or torch.cuda.get_device_capability(device) < (8, 9):
        return f"fp8 on {device}: this GPU has no 8-bit matrix unit; that came with compute capability 8.9"
    if not fp8.suited(weightless(recipe.architecture)):
        return (
            f"fp8: torch has 8-bit products for Linear layers only, and {recipe.architecture} has none whose "
            f"sides are multiples of {fp8.MULTIPLE}"
        )
    return None
