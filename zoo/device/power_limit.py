"""A lower power limit of a GPU, for as long as a training lasts.

Whatever ends the training, the limit of before comes back: at its end and at an exception through this
process, after `kill -9` through a child of it, and if that is killed, too, through the next run, which finds
a note. A reboot brings the driver's default, and then a note changes nothing.

Imports neither torch nor pynvml before a limit is asked for.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from zoo.device import notes, nvml
from zoo.device.notes import undo_leftovers
from zoo.device.nvml import PowerLimitError
from zoo.recipes.recipe import Recipe
from zoo.results import Ineffective

__all__ = ["PowerLimitError", "limited", "unavailable", "undo_leftovers"]

ENFORCED_SECONDS = 2.0  # a driver may take a moment until the board keeps to a limit


def unavailable(recipe: Recipe) -> str | None:
    """Say why a recipe's power limit cannot be set here, or None; nothing is changed."""
    percent = recipe.power_limit_percent
    if percent is None:
        return None
    if recipe.device == "cpu":
        return f"a power limit of {percent} % on cpu: NVML limits the power of NVIDIA GPUs"
    if os.name != "posix":
        return f"a power limit of {percent} % on {os.name}: only on Linux can it be put back after a crash"
    if os.geteuid() != 0:
        return f"a power limit of {percent} % needs root: run the same command with `sudo -E`"
    try:
        return _out_of_range(find_uuid(recipe.device), percent)
    except PowerLimitError as problem:
        return str(problem)


@contextmanager
def limited(recipe: Recipe) -> Iterator[dict[str, float] | None]:
    """Lower the GPU's power limit as the recipe says; yield what was done, None if the recipe says nothing.

    Raises:
        PowerLimitError: the driver refuses, or another process has lowered the limit of this GPU.
        Ineffective: the limit that the board keeps to did not fall.
    """
    if recipe.power_limit_percent is None:
        yield None
        return
    undo_leftovers()
    uuid = find_uuid(recipe.device)
    with nvml.opened() as library:
        board = nvml.find_board(library, uuid)
        before = library.nvmlDeviceGetPowerManagementLimit(board)
        asked = _asked(library, board, recipe.power_limit_percent)
        with notes.kept({"uuid": uuid, "before_milliwatts": before, "lowered_milliwatts": asked}):
            yield _lower(library, uuid, asked)


def find_uuid(device: str) -> str:
    """Return the UUID of a torch device, as NVML writes it."""
    import torch

    return f"GPU-{torch.cuda.get_device_properties(device).uuid}"


def _out_of_range(uuid: str, percent: int) -> str | None:
    with nvml.opened() as library:
        board = nvml.find_board(library, uuid)
        lowest, highest = library.nvmlDeviceGetPowerManagementLimitConstraints(board)
        asked = _asked(library, board, percent)
    if lowest <= asked <= highest:
        return None
    return f"{percent} % is {asked / 1000:g} W; this GPU takes {lowest / 1000:g} to {highest / 1000:g} W"


def _asked(library: Any, board: Any, percent: int) -> int:
    """Return so many per cent of the board's default limit, in milliwatts."""
    return library.nvmlDeviceGetPowerManagementDefaultLimit(board) * percent // 100


def _lower(library: Any, uuid: str, asked: int) -> dict[str, float]:
    board = nvml.find_board(library, uuid)
    before = library.nvmlDeviceGetEnforcedPowerLimit(board)
    if asked < before:
        nvml.set_limit(library, uuid, asked)
    now = _enforced_below(library, board, before) if asked < before else before
    if now >= before:
        raise Ineffective(
            f"a power limit of {asked / 1000:g} W was asked for; the GPU kept to {before / 1000:g} W before "
            f"and keeps to {now / 1000:g} W now, so this would be the baseline."
        )
    return {
        "default_watts": library.nvmlDeviceGetPowerManagementDefaultLimit(board) / 1000,
        "before_watts": before / 1000,
        "asked_watts": asked / 1000,
        "enforced_watts": now / 1000,
    }


def _enforced_below(library: Any, board: Any, before: int) -> int:
    """Wait a while until the board keeps to less than before; return what it keeps to."""
    deadline = time.monotonic() + ENFORCED_SECONDS
    while (now := library.nvmlDeviceGetEnforcedPowerLimit(board)) >= before and time.monotonic() < deadline:
        time.sleep(0.05)
    return now
