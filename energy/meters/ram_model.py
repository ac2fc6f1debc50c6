"""A model of memory where no counter of it can be read: so many watts per GiB.

It has two figures, which are never added: `machine`, of all memory that is installed (in a virtual machine:
that it was given), and `process`, of the memory that this process tree holds, over time.

A module draws most of its power whether it is used or not, so the watts of a GiB are a property of the
module:

| W per GB | of | source |
|---|---|---|
| 0.05 | a DDR4 module of 32 GB at rest, 1.6 W | assumed as the least |
| 0.284 | bare metal at AWS by RAPL, mean from idle to full load | Boavizta, documentation of its API, RAM |
| 0.37 | DDR4-2133 modules of 8 GB under load | Tom's Hardware, "Measuring DDR4 Power Consumption", 2014 |
| 0.392 | as Crucial (0.375) and Micron (0.408) state | Cloud Carbon Footprint, Methodology, Memory |

The figure is the geometric middle of the least and the most. A process holds what is resident of it. Pages
that several of its processes share are in the sum once for each: the truth lies between the greatest of them,
if they share all they can, and the sum.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil

from energy.meters._meter import Diagnosis, OwnedMeter
from energy.meters.cpu_model.seconds import PROC, Tree
from energy.reading import Count

DOMAINS = ("ram",)
WATTS_PER_GIB = (0.05, math.sqrt(0.05 * 0.4), 0.4)
PERIOD_SECONDS = 1.0
SOURCE = "ram_model"

Ends = tuple[float, float, float]


def open(  # noqa: A001 -- every meter file has one
    gpus: Sequence[str] | None = None,  # noqa: ARG001 -- as every meter
    *,
    proc: Path = PROC,
    installed_bytes: int | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> RamModel:
    """Begin to count; where there is no process table of Linux, that of the machine alone."""
    tree = Tree(proc, clock=clock) if (proc / "loadavg").exists() else None
    total = psutil.virtual_memory().total if installed_bytes is None else installed_bytes
    return RamModel(total / 2**30, tree, clock)


def diagnose(gpus: Sequence[str] | None = None) -> Diagnosis:  # noqa: ARG001 -- as every meter
    """Say how much memory there is, and what it is taken to draw."""
    gib = psutil.virtual_memory().total / 2**30
    low, middle, high = (gib * watts for watts in WATTS_PER_GIB)
    what = f"ram: {middle:.2g} W ({low:.2g} to {high:.2g}) for {gib:.0f} GiB, of a process by what it holds"
    return Diagnosis("ram_model", True, f"{what} (modelled)")


class RamModel(OwnedMeter):
    """Cumulative joules of the model, of this process tree and of the whole machine."""

    period_seconds = PERIOD_SECONDS

    def __init__(self, installed_gib: float, tree: Tree | None, clock: Callable[[], float]) -> None:
        super().__init__("ram_model")
        self._gib, self._tree, self._clock = installed_gib, tree, clock
        self._held: Ends = (0.0, 0.0, 0.0)  # GiB seconds of this process tree
        self._start_seconds = self._last_seconds = clock()
        self._last_gib = self._resident()
        boundaries = ("machine",) if tree is None else ("process", "machine")
        self._templates = {boundary: _template(boundary, installed_gib) for boundary in boundaries}

    def counts(self) -> tuple[Count, ...]:
        """Return the joules since the meter was opened: of this process tree, and of the machine."""
        with self._lock:
            if self.closed:
                reason = "the meter is closed"
                return tuple(
                    each.at(joules=None, bounds_joules=None, reason=reason)
                    for each in self._templates.values()
                )
            self._sample()
            return tuple(self._count(boundary) for boundary in self._templates)

    def _sample(self) -> None:
        """Add what was held since the last look: the mean of then and now, or either of them."""
        now, gib = self._clock(), self._resident()
        seconds, then = now - self._last_seconds, self._last_gib
        low, middle, high = self._held
        self._held = (
            low + seconds * min(then[0], gib[0]),
            middle + seconds * (then[1] + gib[1]) / 2,
            high + seconds * max(then[2], gib[2]),
        )
        self._last_seconds, self._last_gib = now, gib

    def _release(self) -> None:
        if self._tree is not None:
            self._tree.close()

    def _resident(self) -> Ends:
        """Return the GiB that this process tree holds: the least, and twice the sum, which is the most."""
        if self._tree is None:
            return 0.0, 0.0, 0.0
        sizes = [size / 2**30 for size in self._tree.resident_bytes()]
        whole = min(sum(sizes), self._gib)
        return min(max(sizes), whole), whole, whole

    def _count(self, boundary: str) -> Count:
        seconds = self._last_seconds - self._start_seconds
        held = self._held if boundary == "process" else (seconds * self._gib,) * 3
        low, joules, high = (watts * each for watts, each in zip(WATTS_PER_GIB, held, strict=True))
        return self._templates[boundary].at(
            joules=joules, bounds_joules=(low, high), covered_seconds=seconds, reason=None
        )


def _template(boundary: str, installed_gib: float) -> Count:
    model: dict[str, Any] = {
        "formula": "watts_per_gib * GiB * seconds",
        "watts_per_gib": list(WATTS_PER_GIB),
        "installed_gib": installed_gib,
        "gib": "resident" if boundary == "process" else "installed",
    }
    return Count(
        domain="ram",
        device="machine",
        source=SOURCE,
        kind="modelled",
        joules=None,
        covered_seconds=0.0,
        boundary=boundary,
        reason="not read yet",
        model=model,
    )
