"""What this machine can run."""

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from zoo._registry import load, techniques
from zoo.device import power_limit as power
from zoo.formats import DTYPES, lacking
from zoo.recipes.recipe import Recipe
from zoo.unsuited import unsuited

BF16_INSTRUCTIONS = (
    "avx512_bf16",
    "amx_bf16",
    "bf16",
)  # x86, x86 matrix unit, ARM: the kernel's names, and torch's


def unavailable(recipe: Recipe) -> str | None:
    """Say why a recipe cannot run on this machine, or None if it can."""
    device = torch.device(recipe.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        return f"device {recipe.device} was asked for, but torch {torch.__version__} finds no CUDA GPU here"
    if device.type == "cuda" and device.index >= torch.cuda.device_count():
        return (
            f"device {recipe.device} was asked for, but there are {torch.cuda.device_count()} CUDA GPUs here"
        )
    if reason := lacking(recipe, device):
        return reason
    if "bf16" in (recipe.precision, recipe.weights) and not _has_bf16(device):
        return f"bf16 on {recipe.device}: this hardware computes no bfloat16, and emulation would mislead"
    missing = next(filter(None, (_lacking(name, device) for name in recipe.technique.split("+"))), None)
    return missing or unsuited(recipe) or power.unavailable(recipe)


def _lacking(technique: str, device: torch.device) -> str | None:
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


def _has_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.version.hip is not None or torch.cuda.get_device_capability(device) >= (8, 0)
    return any(name in _cpu_instructions() for name in BF16_INSTRUCTIONS)


def _cpu_instructions() -> set[str]:
    if hasattr(torch.cpu, "get_capabilities"):  # newer than the oldest torch we support
        return {name for name, present in torch.cpu.get_capabilities().items() if present}
    cpuinfo = Path("/proc/cpuinfo")
    return set(cpuinfo.read_text().split()) if cpuinfo.exists() else set()


def autocast(recipe: Recipe, cache: bool = True) -> torch.autocast:
    """Open the recipe's precision for a forward pass; without `cache` each use of a weight casts it anew."""
    kind, on = torch.device(recipe.device).type, recipe.precision != "fp32"
    dtype = DTYPES[recipe.precision] if on else None
    return torch.autocast(kind, dtype, enabled=on, cache_enabled=cache)


@contextmanager
def settings(recipe: Recipe) -> Iterator[None]:
    """Set torch as the recipe says, CPU threads and arithmetic of fp32, and set it back."""
    with threads(recipe.threads), fp32_math(recipe.fp32_math):
        yield


@contextmanager
def fp32_math(name: str | None) -> Iterator[None]:
    """Set how a CUDA GPU computes in fp32, "tf32" or "ieee", and set it back; None leaves it."""
    kinds = (torch.backends.cudnn.conv, torch.backends.cuda.matmul) if name else ()
    before = [kind.fp32_precision for kind in kinds]
    for kind in kinds:
        kind.fp32_precision = name
    try:
        yield
    finally:
        for kind, value in zip(kinds, before, strict=True):
            kind.fp32_precision = value


@contextmanager
def threads(number: int | None) -> Iterator[None]:
    """Set the CPU threads of one operation, and set them back; None leaves them."""
    before = torch.get_num_threads()
    torch.set_num_threads(number or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def convolution_fp32(recipe: Recipe) -> str | None:
    """Name the format of a GPU's fp32 convolutions, by default cuDNN's "tf32"; None on a CPU."""
    return None if recipe.device == "cpu" else torch.backends.cudnn.conv.fp32_precision


def synchronize(recipe: Recipe) -> None:
    """Wait until the device has done all its work."""
    if recipe.device != "cpu":
        torch.cuda.synchronize(recipe.device)


def forget_gpu_peak(recipe: Recipe) -> None:
    """Start counting the GPU memory's peak anew."""
    if recipe.device != "cpu":
        torch.cuda.reset_peak_memory_stats(recipe.device)


def gpu_peak_mib(recipe: Recipe) -> float | None:
    """Read the most GPU memory that torch held since then, in MiB; None on a CPU."""
    return None if recipe.device == "cpu" else torch.cuda.max_memory_allocated(recipe.device) / 2**20
