"""Which NVIDIA boards are meant: UUIDs, or whatever CUDA_VISIBLE_DEVICES says, resolved to NVML handles.

NVML's indices are neither stable over reboots nor CUDA's, so boards are told apart by UUID (NVML API
reference, nvmlDeviceGetHandleByIndex). A MIG instance has no power sensor: it stands for its whole board.
"""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from energy.meters._meter import MeterUnavailable

# nvml.h, nvmlReturn_t
NOT_SUPPORTED = 3
NO_PERMISSION = 4
DRIVER_NOT_LOADED = 9
LIBRARY_NOT_FOUND = 12
GPU_IS_LOST = 15
RESET_REQUIRED = 16
VERSION_MISMATCH = 18

_REMEDIES = {
    NO_PERMISSION: "Let this user read /dev/nvidiactl and /dev/nvidia*, or give the container its GPUs.",
    DRIVER_NOT_LOADED: "Load the NVIDIA driver (`nvidia-smi` must work), or measure without a GPU.",
    LIBRARY_NOT_FOUND: "Install the NVIDIA driver, which brings libnvidia-ml.so.1, or measure without a GPU.",
    VERSION_MISMATCH: "The driver was updated while in use: reboot, or reload its kernel module.",
}


@dataclass(frozen=True)
class Board:
    """One GPU board: UUID, index in NVML, and whether the measured work has only a part of it."""

    uuid: str
    index: int
    handle: Any
    name: str
    bus: tuple[int, int, int]
    shared: bool = False


def load(library: Any = None) -> Any:
    """Return an initialised NVML library.

    Raises:
        MeterUnavailable: the Python bindings or the driver are missing or do not work.
    """
    if library is None:
        try:
            library = importlib.import_module("pynvml")
        except ImportError:
            raise MeterUnavailable(
                "NVML's Python bindings are missing.", "`pip install nvidia-ml-py`"
            ) from None
    try:
        library.nvmlInit()
    except library.NVMLError as problem:
        remedy = _REMEDIES.get(problem.value, "`nvidia-smi` must work first.")
        absent = problem.value in (DRIVER_NOT_LOADED, LIBRARY_NOT_FOUND)
        raise MeterUnavailable(f"NVML does not start: {problem}.", remedy, "" if absent else "all") from None
    return library


def resolve(
    library: Any, gpus: Sequence[str] | None, environ: Mapping[str, str] = os.environ
) -> tuple[Board, ...]:
    """Return the boards of these UUIDs, each once; of CUDA_VISIBLE_DEVICES if `gpus` is None.

    Raises:
        MeterUnavailable: a UUID is no board of this machine, or an index cannot be told from NVML alone; NVML
            is released then.
    """
    try:
        boards = _all_boards(library)
        if gpus is None:
            return _once(_visible(library, boards, environ))
        return _once(_required(library, boards, gpu) for gpu in gpus)
    except MeterUnavailable:
        library.nvmlShutdown()
        raise
    except library.NVMLError as problem:  # a board that has fallen off the bus may not even be listed
        library.nvmlShutdown()
        raise MeterUnavailable(
            f"NVML cannot list the GPUs: {problem}.", "`nvidia-smi` must work first.", "all"
        ) from None


def _all_boards(library: Any) -> tuple[Board, ...]:
    return tuple(_board(library, index) for index in range(library.nvmlDeviceGetCount()))


def _board(library: Any, index: int) -> Board:
    handle = library.nvmlDeviceGetHandleByIndex(index)
    pci = library.nvmlDeviceGetPciInfo(handle)
    uuid, name = _text(library.nvmlDeviceGetUUID(handle)), _text(library.nvmlDeviceGetName(handle))
    return Board(uuid, index, handle, name, (pci.domain, pci.bus, pci.device), _in_slices(library, handle))


def _in_slices(library: Any, handle: Any) -> bool:
    try:
        current, _ = library.nvmlDeviceGetMigMode(handle)
    except library.NVMLError:
        return False  # boards before Ampere answer "not supported"
    return bool(current)


def _once(boards: Iterable[Board]) -> tuple[Board, ...]:
    found: dict[str, Board] = {}
    for board in boards:
        found.setdefault(board.uuid, board)
    return tuple(found.values())


def _required(library: Any, boards: Sequence[Board], gpu: str) -> Board:
    board = _by_uuid(library, boards, gpu)
    if board is None:
        here = ", ".join(board.uuid for board in boards) or "none"
        raise MeterUnavailable(f"No GPU here has the UUID {gpu!r}.", f"GPUs of this machine: {here}.")
    return board


def _by_uuid(library: Any, boards: Sequence[Board], gpu: str) -> Board | None:
    """Find a board by its UUID, by an unambiguous beginning of it, or by a MIG instance on it."""
    if gpu.startswith("MIG-"):
        return _parent(library, boards, gpu)
    prefix = gpu if gpu.startswith("GPU-") else f"GPU-{gpu}"  # torch's uuid has no prefix
    found = [board for board in boards if board.uuid.lower().startswith(prefix.lower())]
    if len(found) == 1 and len(prefix) > len("GPU-"):
        return found[0]
    return None if gpu.startswith("GPU-") else _parent(library, boards, f"MIG-{gpu}")


def _parent(library: Any, boards: Sequence[Board], mig: str) -> Board | None:
    if mig.startswith("MIG-GPU-"):  # before driver 470: MIG-<UUID of the board>/<instance>/<compute instance>
        parent_uuid = mig.removeprefix("MIG-").partition("/")[0]
    else:
        try:
            handle = library.nvmlDeviceGetHandleByUUID(mig)
            handle = library.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(handle)
            parent_uuid = _text(library.nvmlDeviceGetUUID(handle))
        except library.NVMLError:
            return None
    return next((replace(board, shared=True) for board in boards if board.uuid == parent_uuid), None)


def _visible(library: Any, boards: Sequence[Board], environ: Mapping[str, str]) -> list[Board]:
    """Read CUDA_VISIBLE_DEVICES as CUDA does (CUDA C++ Programming Guide, environment variables).

    The first invalid entry ends the list. What the guide leaves open is done as torch.cuda does it, which has
    to agree with CUDA: a board that is named twice leaves nothing visible, numbers are read as C reads them
    ("1gpu" is 1), a list of UUIDs ends at its first number, and a list of numbers at its first UUID.
    """
    given = environ.get("CUDA_VISIBLE_DEVICES")
    if given is None:
        return list(boards)
    entries = [part.strip() for part in given.split(",")]
    kind, found, named = _kind(entries[0]), [], set[str]()
    for entry in entries:
        board = _entry(library, boards, entry, environ) if _kind(entry) == kind else None
        if board is None:
            break
        name = entry if kind == "MIG-" else board.uuid  # instances share a board, and are two devices
        if name in named:
            return []
        named.add(name)
        found.append(board)
    return found


def _kind(entry: str) -> str:
    """Return the prefix of a UUID; "" for a number, or what is none."""
    return next((prefix for prefix in ("GPU-", "MIG-") if entry.startswith(prefix)), "")


def _entry(library: Any, boards: Sequence[Board], entry: str, environ: Mapping[str, str]) -> Board | None:
    if _kind(entry):
        return _by_uuid(library, boards, entry)
    number = re.match(r"[+-]?[0-9]+", entry)
    index = int(number.group()) if number else -1
    if index < 0:
        return None
    ordered = _cuda_order(boards, environ)
    return ordered[index] if index < len(ordered) else None


def _cuda_order(boards: Sequence[Board], environ: Mapping[str, str]) -> list[Board]:
    """Return the boards as CUDA numbers them: by PCI bus, unless the fastest comes first and they differ."""
    by_bus = environ.get("CUDA_DEVICE_ORDER", "FASTEST_FIRST") == "PCI_BUS_ID"
    if not by_bus and len({board.name for board in boards}) > 1:
        raise MeterUnavailable(
            "The GPUs differ, CUDA numbers the fastest first, and NVML cannot tell which that is.",
            "Set CUDA_DEVICE_ORDER=PCI_BUS_ID, or give UUIDs (`nvidia-smi -L`) in CUDA_VISIBLE_DEVICES.",
            environ["CUDA_VISIBLE_DEVICES"],
        )
    return sorted(boards, key=lambda board: board.bus)


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
