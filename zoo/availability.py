"""Why a recipe cannot run: on this machine, or with its network and budget on any."""

import importlib.util
import os
import shutil

import torch

from zoo._registry import load, load_network, techniques
from zoo.device import power_limit, runtime
from zoo.model.build import FP8_MULTIPLE, find_fp8_layers
from zoo.recipes.recipe import Recipe
from zoo.size import weightless

CUDA_ONLY = {  # which values of a field only a CUDA GPU can act on, and why
    ("precision", "fp16"): "fp16 on a CPU is 6 to 12 times slower than fp32, so it would mislead; use bf16",
    ("weights", "fp16"): "fp16 on a CPU is 6 to 12 times slower than fp32, so it would mislead; use bf16",
    ("fp32_math", "tf32"): "TF32 is a format of CUDA GPUs' matrix units",
    ("fp32_math", "ieee"): "a CPU always computes fp32 to the full; on a CUDA GPU torch's choice is TF32",
    ("cuda_graph", True): "a CUDA graph replays what a CPU starts on a GPU",
    ("fp8_linear", True): "8-bit floating point needs a CUDA GPU of compute capability 8.9 or above",
}


def unavailable(recipe: Recipe) -> str | None:
    """Say why a recipe cannot run on this machine, or None if it can."""
    device = torch.device(recipe.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        return f"device {recipe.device} was asked for, but torch {torch.__version__} finds no CUDA GPU here"
    if device.type == "cuda" and device.index >= torch.cuda.device_count():
        return (
            f"device {recipe.device} was asked for, but there are {torch.cuda.device_count()} CUDA GPUs here"
        )
    if reason := find_missing_format(recipe, device):
        return reason
    if "bf16" in (recipe.precision, recipe.weights) and not runtime.has_native_bf16(recipe.device):
        return f"bf16 on {recipe.device}: this hardware computes no bfloat16, and emulation would mislead"
    missing = next(filter(None, (_lacking_for(name, device) for name in recipe.technique.split("+"))), None)
    return missing or _unsuited(recipe) or power_limit.unavailable(recipe)


def _lacking_for(technique: str, device: torch.device) -> str | None:
    """Say what a technique needs and has not got here, by what its file says of itself.

    NOWHERE: why no network here can use it. CUDA_ONLY: why it can only act on a CUDA GPU. PACKAGE: what it
    imports beyond the dependencies; it comes with the extra `techniques`. A bundle has none: parts that
    cannot act are named in its account.
    """
    if technique not in techniques():
        return None
    file = load("techniques", technique)
    if hasattr(file, "NOWHERE"):
        return f"{technique}: {file.NOWHERE}"
    if device.type != "cuda" and hasattr(file, "CUDA_ONLY"):
        return f"{technique} on {device}: {file.CUDA_ONLY}"
    if hasattr(file, "PACKAGE") and importlib.util.find_spec(file.PACKAGE) is None:
        return f"{technique} needs {file.PACKAGE}: pip install 'joulebench[techniques]'"
    return None


def find_missing_format(recipe: Recipe, device: torch.device) -> str | None:
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
    if not find_fp8_layers(weightless(recipe.architecture)):
        return (
            f"fp8: torch has 8-bit products for Linear layers only, and {recipe.architecture} has none whose "
            f"sides are multiples of {FP8_MULTIPLE}"
        )
    return None


def _unsuited(recipe: Recipe) -> str | None:
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
