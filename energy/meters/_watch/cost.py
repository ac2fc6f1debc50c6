"""What the instrument itself costs: the CPU and wall time of its readings, added up."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass
class Cost:
    """The sum of what was spent on measuring; what polling in the background costs, the sampler knows.

    readings: how often all meters were read.
    wall_seconds: by how much measuring delayed the work that was measured, or what came before and after it.
    cpu_seconds: CPU time of the threads that were delayed.
    """

    readings: int = 0
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0

    def since(self, start: tuple[float, float]) -> None:
        """Add the time since `start = now()`."""
        wall, cpu = now()
        self.wall_seconds += wall - start[0]
        self.cpu_seconds += cpu - start[1]


def now() -> tuple[float, float]:
    """Return wall and CPU seconds of this thread, from an arbitrary origin."""
    return time.perf_counter(), time.thread_time()
