"""Which AMD boards are meant: names of GPUs, or whatever ROCm's variables say, resolved to amdsmi handles.

amdsmi lists GPUs by PCI address and HIP may number them otherwise, so indices go through the HIP number that
amdsmi tells (`amdsmi_get_gpu_enumeration_info`; by PCI address where it does not). ROCR_VISIBLE_DEVICES goes
first; HIP_VISIBLE_DEVICES or CUDA_VISIBLE_DEVICES is of what it leaves (ROCm: "GPU isolation techniques").

Several GPUs of ROCm may be one board with one sensor: the partitions of an MI300, and the dies of an MI250,
the second of which reports nothing (Zeus: zeus/device/gpu/amd.py). Such a board is one count of several
devices.
"""

from __future__ import annotations

import binascii
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from energy.meters._meter import MeterUnavailable

SYSTEM_MEMORY = ("DDR2", "DDR3", "DDR4")  # AmdSmiVramType of GPUs that are a part of a processor


@dataclass(frozen=True)
class Gpu:
    """One GPU of ROCm, as amdsmi lists it."""

    handle: Any
    name: str
    uuid: str
    address: str
    hip: int
    hip_uuid: str
    integrated: bool

    def answers_to(self, name: str) -> bool:
        """Say whether this GPU is meant: by amdsmi's or HIP's UUID, its PCI address, or what torch shows."""
        wanted = {name.lower(), f"gpu-{name}".lower(), f"gpu-{_characters(name)}".lower()}
        return bool(wanted & {self.uuid.lower(), self.address.lower(), self.hip_uuid.lower() or self.uuid})


@dataclass(frozen=True)
class Board:
    """The GPUs that one sensor stands for, and whether only some of them are measured."""

    gpus: tuple[Gpu, ...]
    shared: bool = False

    @property
    def device(self) -> str:
        """The UUIDs, joined by commas."""
        return ",".join(dict.fromkeys(gpu.uuid for gpu in self.gpus))


def resolve(
    library: Any, names: Sequence[str] | None, environ: Mapping[str, str] = os.environ
) -> tuple[Board, ...]:
    """Return the boards of these GPUs, each once; of ROCm's variables if `names` is None.

    Raises:
        MeterUnavailable: none of the GPUs is AMD's.
    """
    every = _all(library)
    wanted = _visible(every, environ) if names is None else _named(every, names)
    boards = [_restricted(board, wanted) for board in _boards(every) if set(board.gpus) & set(wanted)]
    if not boards:
        raise _none(every, names)
    return tuple(boards)


def _all(library: Any) -> list[Gpu]:
    handles = [(library.amdsmi_get_gpu_device_bdf(handle), handle) for handle in _handles(library)]
    listed = sorted(handles, key=lambda pair: pair[0])
    return [_gpu(library, handle, address, place) for place, (address, handle) in enumerate(listed)]


def _handles(library: Any) -> list[Any]:
    return list(library.amdsmi_get_processor_handles())


def _gpu(library: Any, handle: Any, address: str, place: int) -> Gpu:
    numbers = _asked(library, "amdsmi_get_gpu_enumeration_info", handle)
    memory = _asked(library, "amdsmi_get_gpu_vram_info", handle).get("vram_type")
    kinds = [getattr(library.AmdSmiVramType, kind, None) for kind in SYSTEM_MEMORY]
    return Gpu(
        handle=handle,
        name=str(_asked(library, "amdsmi_get_gpu_asic_info", handle).get("market_name", "AMD GPU")),
        uuid=f"GPU-{library.amdsmi_get_gpu_device_uuid(handle)}",  # so that all GPUs have it
        address=address,
        hip=number if isinstance(number := numbers.get("hip_id"), int) else place,
        hip_uuid=str(numbers.get("hip_uuid", "")),
        integrated=memory is not None and memory in kinds,
    )


def _asked(library: Any, function: str, handle: Any) -> dict[str, Any]:
    """Return what an optional function tells; nothing if this version or this GPU does not have it."""
    ask = getattr(library, function, None)
    if ask is None:
        return {}
    try:
        return dict(ask(handle))
    except library.AmdSmiException:
        return {}


def _named(every: Sequence[Gpu], names: Sequence[str]) -> list[Gpu]:
    return [gpu for gpu in every if any(gpu.answers_to(name) for name in names)]


def _visible(every: Sequence[Gpu], environ: Mapping[str, str]) -> list[Gpu]:
    """Read the variables as ROCm does: the first invalid entry ends a list.

    A processor's own GPU does not count unless it is named: its sensor shows the whole processor, which other
    meters count already.
    """
    seen = sorted(every, key=lambda gpu: gpu.hip)
    if "ROCR_VISIBLE_DEVICES" in environ:
        seen = _listed(seen, environ["ROCR_VISIBLE_DEVICES"])
    for variable in ("HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES"):
        if variable in environ:
            seen = _listed(seen, environ[variable])
            break
    return [gpu for gpu in seen if not gpu.integrated]


def _listed(seen: Sequence[Gpu], entries: str) -> list[Gpu]:
    found: list[Gpu] = []
    for entry in (part.strip() for part in entries.split(",")):
        if entry.isdigit() and int(entry) < len(seen):
            found.append(seen[int(entry)])
        elif entry.startswith("GPU-") and (named := _named(seen, [entry])):
            found += named
        else:
            break
    return found


def _boards(every: Sequence[Gpu]) -> list[Board]:
    """Group the GPUs that share a sensor: functions of one PCI device, and neighbouring dies of an MI250."""
    groups: list[list[Gpu]] = []
    for gpu in every:
        last = groups[-1] if groups else []
        if last and (_place(gpu) == _place(last[0]) or _second_die(gpu, last)):
            last.append(gpu)
        else:
            groups.append([gpu])
    return [Board(tuple(group)) for group in groups]


def _second_die(gpu: Gpu, group: Sequence[Gpu]) -> bool:
    return len(group) == 1 and "MI250" in gpu.name and "MI250" in group[0].name


def _place(gpu: Gpu) -> str:
    return gpu.address.rpartition(".")[0]  # domain:bus:device, without the function


def _restricted(board: Board, wanted: Iterable[Gpu]) -> Board:
    return replace(board, shared=not set(board.gpus) <= set(wanted))


def _none(every: Sequence[Gpu], names: Sequence[str] | None) -> MeterUnavailable:
    here = ", ".join(f"{gpu.name} {gpu.uuid}" for gpu in every) or "none"
    if names is not None:
        reason = f"None of these GPUs is AMD's: {', '.join(names)}."
        return MeterUnavailable(reason, f"AMD GPUs of this machine: {here}.")
    return MeterUnavailable(
        "No AMD GPU is visible.",
        f"Look at ROCR_VISIBLE_DEVICES and HIP_VISIBLE_DEVICES; AMD GPUs of this machine: {here}.",
    )


def _characters(name: str) -> str:
    """Return what torch's UUID says: HIP stores the 16 characters of its own as if they were 16 bytes."""
    digits = re.sub(r"[^0-9a-fA-F]", "", name)
    if len(digits) != 32:
        return name
    return binascii.unhexlify(digits).decode("ascii", errors="replace")
