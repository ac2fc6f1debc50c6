"""AMD GPUs through amdsmi: the board's energy counter, and beside it the integral of its sampled power.

The counter is the figure and the integral its witness, unless the counter does not move or shows something
else than the power while the meter is opened: then it is the other way round, and `doctor` says so. A
processor's own GPU (an APU) is left out: its sensor shows the whole processor.

Untested on hardware: the tests replay amdsmi 7.0's functions, keys, units and errors, and those of its older
versions.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from energy.meters._counting.sensors import SensorMeter
from energy.meters._meter import Diagnosis, MeterUnavailable, Missing
from energy.meters.amd.board import Watched, observe, watched
from energy.meters.amd.visible import resolve
from energy.reading import Count

DOMAINS = ("gpu",)
DRIVER = Path("/sys/module/amdgpu")


def open(  # noqa: A001 -- every meter file has one
    gpus: Sequence[str] | None = None,
    *,
    library: Any = None,
    driver: Path = DRIVER,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Amd:
    """Open these GPUs (UUIDs of amdsmi, HIP or torch, or PCI addresses); None for those ROCm may use.

    Raises:
        MeterUnavailable: no driver, no amdsmi, no such GPU, or none that tells its energy or power.
    """
    if gpus is not None and not gpus:
        raise MeterUnavailable("No GPU is to be measured.", "Name GPUs by UUID (`amd-smi list`).")
    loaded = _load(library, driver)
    try:
        boards = [watched(loaded, board, clock) for board in resolve(loaded, gpus)]
        if not any(board.sensors for board in boards):
            raise MeterUnavailable(
                f"No AMD GPU tells its energy or power: {boards[0].problem}.",
                "Guests of a virtual machine have no sensor; see `amd-smi metric --power --energy`.",
                ",".join(board.board.device for board in boards),
            )
    except MeterUnavailable:
        loaded.amdsmi_shut_down()
        raise
    except loaded.AmdSmiException as problem:
        loaded.amdsmi_shut_down()
        raise MeterUnavailable(
            f"amdsmi cannot list the GPUs: {problem}.", "`amd-smi list` must work first.", "all"
        ) from None
    observe(boards, clock, sleep)
    return Amd(loaded, boards, clock)


def diagnose(gpus: Sequence[str] | None = None, *, library: Any = None, driver: Path = DRIVER) -> Diagnosis:
    """Say which GPUs can be measured here and how, or what stands in the way."""
    try:
        meter = open(gpus, library=library, driver=driver)
    except MeterUnavailable as problem:
        return Diagnosis("amd", False, problem.reason, problem.remedy, untested=True)
    what = "; ".join(board.describe() for board in meter.boards)
    meter.close()
    return Diagnosis("amd", True, what, untested=True)


class Amd(SensorMeter):
    """Cumulative joules of every board, by counter and by integrated power."""

    def __init__(self, library: Any, boards: Sequence[Watched], clock: Callable[[], float]) -> None:
        self.boards = tuple(boards)
        self._silent = [
            Missing("gpu", board.board.device, f"the board tells neither energy nor power: {board.problem}")
            for board in boards
            if not board.sensors
        ]
        sensors = [sensor for board in boards for sensor in board.sensors]
        super().__init__("amd", sensors, clock, release=library.amdsmi_shut_down)

    def counts(self) -> tuple[Count, ...]:
        """Read every board now and return the joules since the meter was opened."""
        return super().counts() + tuple(count for silent in self._silent for count in silent.counts())

    def context(self) -> dict[str, Any]:
        """Return the name of every board, by the device that its count has."""
        return {board.board.device: {"name": board.board.gpus[0].name} for board in self.boards}


def _load(library: Any, driver: Path) -> Any:
    """Return amdsmi, initialised for GPUs."""
    if library is None:
        if not driver.exists():
            raise MeterUnavailable(
                "There is no AMD GPU driver here.",
                f"This meter is for AMD GPUs under Linux, with amdgpu loaded ({driver}).",
            )
        try:
            library = importlib.import_module("amdsmi")
        except (
            ImportError,
            OSError,
            AttributeError,
            KeyError,
        ) as problem:  # it looks for its C library on import
            raise MeterUnavailable(
                f"amdsmi is missing or does not find its library: {problem!r}.",
                "Install ROCm's amd-smi-lib, and the package amdsmi of the same version.",
            ) from None
    try:
        library.amdsmi_init(library.AmdSmiInitFlags.INIT_AMD_GPUS)
    except library.AmdSmiException as problem:
        raise MeterUnavailable(
            f"amdsmi does not start: {problem}.",
            "`amd-smi list` must work first; this user must be in the groups render and video.",
            "all",
        ) from None
    return library
