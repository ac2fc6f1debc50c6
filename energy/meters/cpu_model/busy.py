"""The CPU seconds of the whole machine, as the kernel adds them up over all CPUs.

Time that the hypervisor gave to others ("steal") is not ours, and time that waits for a disk is idle; time of
guests is in that of their hosts already. Source: proc(5), /proc/stat.
"""

from __future__ import annotations

import os
from pathlib import Path

from energy.meters.cpu_model.seconds import TICK_SECONDS

BUSY = (1, 2, 3, 6, 7)  # user, nice, system, irq, softirq; "cpu" itself is word 0
# Each of the sums is cut to whole ticks.
STEP_SECONDS = len(BUSY) * TICK_SECONDS


class Machine:
    """Cumulative CPU seconds of all CPUs; they never fall.

    Args:
        proc: where the kernel shows its statistics.
    """

    def __init__(self, proc: Path) -> None:
        self._file = os.open(proc / "stat", os.O_RDONLY)
        self._most = 0.0

    def seconds(self) -> float:
        """Return the CPU seconds of the machine since it was started."""
        words = os.pread(self._file, 256, 0).split(b"\n", 1)[0].split()
        # The kernel's sums of tickless CPUs may go back by a tick.
        self._most = max(self._most, sum(int(words[place]) for place in BUSY) * TICK_SECONDS)
        return self._most

    def close(self) -> None:
        """Close the file; closing twice does nothing."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
