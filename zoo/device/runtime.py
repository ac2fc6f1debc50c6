"""How a device computes: number formats, precision, CPU threads, and the peak of its memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from zoo.recipes.recipe import Recipe

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
# x86, x86 matrix unit, ARM: the kernel's names, and torch's
BF16_INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "bf16")


def has_native_bf16(device: str) -> bool:
    """Tell whether a device computes in bfloat16 by itself; where it does not, torch emulates it, slowly."""
    if torch.device(device).type == "cuda":
        return torch.version.hip is not None or torch.cuda.get_device_capability(device) >= (8, 0)
    return any(name in cpu_instructions() for name in BF16_INSTRUCTIONS)


def cpu_instructions() -> set[str]:
    """Name the instructions that this CPU has beside the common ones."""
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
