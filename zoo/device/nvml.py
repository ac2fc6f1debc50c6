"""NVML, opened for as long as a block lasts, and its refusals in words."""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

NO_PERMISSION = 4  # nvml.h, nvmlReturn_t


class PowerLimitError(RuntimeError):
    """The power limit cannot be changed; says what stands in the way, and what to do."""


@contextmanager
def opened() -> Iterator[Any]:
    """Start NVML, and release it.

    Raises:
        PowerLimitError: the bindings or the driver are missing.
    """
    library = importlib.import_module("pynvml")
    try:
        library.nvmlInit()
    except library.NVMLError as problem:
        raise PowerLimitError(f"NVML does not start: {problem}; `nvidia-smi` must work first") from problem
    try:
        yield library
    finally:
        library.nvmlShutdown()


def find_board(library: Any, uuid: str) -> Any:
    """Return the handle of a whole board.

    Raises:
        PowerLimitError: there is none, as of a MIG instance, whose limit is that of its neighbours, too.
    """
    try:
        return library.nvmlDeviceGetHandleByUUID(uuid)
    except library.NVMLError as problem:
        raise PowerLimitError(f"{uuid} is no whole GPU that NVML knows: {problem}") from problem


def set_limit(library: Any, uuid: str, milliwatts: int) -> None:
    """Set the power limit of a board.

    Raises:
        PowerLimitError: the driver refuses; names the command that may be allowed to.
    """
    try:
        library.nvmlDeviceSetPowerManagementLimit(find_board(library, uuid), milliwatts)
    except library.NVMLError as problem:
        need = ", it needs root" if problem.value == NO_PERMISSION else ""
        raise PowerLimitError(
            f"the power limit of {uuid} cannot be set to {milliwatts / 1000:g} W: {problem}{need}; "
            f"try `sudo nvidia-smi -i {uuid} -pl {milliwatts / 1000:g}`, and run this with `sudo -E`"
        ) from problem
