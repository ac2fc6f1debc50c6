"""NVIDIA GPUs through NVML: the board's energy counter, and beside it the integral of its sampled power.

The counter (millijoules since the driver was loaded) is the figure; the integral is its witness, or the
figure of boards without a counter. Whether there is a counter is found out by asking for it, not from the
architecture. Boards show their power with a gain error of about 5 %, new values every 20 to 100 ms, and some
look at only a quarter of the time (Yang et al., Part-time Power Measurements, SC'24, arXiv 2312.02741).

A board that was slowed (heat, power brake, hardware slowdown) or used by strangers is a fault of the window.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from energy.meters._counting.sensors import SensorMeter
from energy.meters._counting.watch import EVERY_SECONDS, watch
from energy.meters._meter import Diagnosis, MeterUnavailable
from energy.meters.nvml.board import Gpu
from energy.meters.nvml.visible import load, resolve
from energy.reading import Count

DOMAINS = ("gpu",)
LOOK_SECONDS = 1.0  # between two looks for throttling and strangers, which take several calls
ATTEMPTS = 3  # boards that are asked often now and then answer "not supported"


def open(  # noqa: A001 -- every meter file has one
    gpus: Sequence[str] | None = None,
    *,
    library: Any = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Nvml:
    """Open these GPUs (UUIDs); those that CUDA_VISIBLE_DEVICES allows if `gpus` is None.

    Raises:
        MeterUnavailable: no driver, no such GPU, or none that tells its energy or power.
    """
    if gpus is not None and not gpus:
        raise MeterUnavailable("No GPU is to be measured.", "Name GPUs by UUID (`nvidia-smi -L`).")
    library = load(library)
    boards = resolve(library, gpus)
    if not boards:
        library.nvmlShutdown()
        raise MeterUnavailable("No GPU is visible.", "Look at CUDA_VISIBLE_DEVICES and `nvidia-smi -L`.")
    gpus_found = [Gpu(library, board, clock) for board in boards]
    if not any(gpu.works for gpu in gpus_found):
        library.nvmlShutdown()
        raise MeterUnavailable(
            f"No GPU tells its energy or power: {gpus_found[0].problem}.",
            "Virtual GPUs and some laptops have no sensor; see `nvidia-smi -q -d POWER`.",
            ",".join(board.uuid for board in boards),
        )
    watches = [gpu.watch() for gpu in gpus_found]
    watch(watches, clock, sleep)
    for gpu, seen in zip(gpus_found, watches, strict=True):
        gpu.judge(seen)
    return Nvml(library, gpus_found, clock, sleep)


def diagnose(gpus: Sequence[str] | None = None, *, library: Any = None) -> Diagnosis:
    """Say which GPUs can be measured here and how, or what stands in the way."""
    try:
        meter = open(gpus, library=library)
    except MeterUnavailable as problem:
        return Diagnosis("nvml", False, problem.reason, problem.remedy, untested=True)
    what = "; ".join(gpu.describe() for gpu in meter.gpus)
    meter.close()
    return Diagnosis("nvml", True, what, untested=True)


class Nvml(SensorMeter):
    """Cumulative joules of every GPU, by counter and by integrated power."""

    def __init__(
        self, library: Any, gpus: Sequence[Gpu], clock: Callable[[], float], sleep: Callable[[float], None]
    ) -> None:
        self.gpus, self._sleep = tuple(gpus), sleep
        self._look_due_seconds = clock()
        super().__init__("nvml", gpus, clock, release=library.nvmlShutdown)  # NVML counts its users

    def poll(self) -> None:
        """Sample the power of every GPU and look at its counter; once a second, at its state too."""
        super().poll()
        # Not under the lock: a reading need not wait for it.
        if not self.closed and self._clock() >= self._look_due_seconds:
            self._look_due_seconds = self._clock() + LOOK_SECONDS
            for gpu in self.gpus:
                gpu.look()

    def counts(self) -> tuple[Count, ...]:
        """Read every GPU now and return the joules since the meter was opened."""
        with self._lock:
            for gpu in () if self.closed else self.gpus:
                gpu.sample(self._clock, attempts=ATTEMPTS)
            return tuple(count for gpu in self.gpus for count in gpu.counts())

    def await_moves(self) -> None:
        """Wait until the counters have moved, at most for one step; nothing must be worked at meanwhile."""
        self.poll()  # what has moved by now is no move to wait for
        began = self._clock()
        waiting = [gpu for gpu in self.gpus if gpu.counter_moves]
        end = began + max((gpu.counter.step_seconds for gpu in waiting), default=0.0) + EVERY_SECONDS
        while waiting and not self.closed and self._clock() < end:
            self._sleep(EVERY_SECONDS)
            with self._lock:
                waiting = [gpu for gpu in waiting if not gpu.has_moved(began)]

    def context(self) -> dict[str, Any]:
        """Return the state of every GPU now, by UUID; it takes many calls, so not inside a window."""
        return {} if self.closed else {gpu.board.uuid: gpu.state() for gpu in self.gpus}
