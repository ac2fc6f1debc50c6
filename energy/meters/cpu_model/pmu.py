"""Instructions and last-level misses of this process tree, where the processor's own counters can be used.

Most virtual machines hide them (no PMU), and some containers forbid the system call. Only this program's own
instructions outside of the kernel are counted, which every user may do for himself where
kernel.perf_event_paranoid is 2 or less.

Sources: perf_event_open(2), include/uapi/linux/perf_event.h.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from energy.meters._counting.perf_event import open_perf_event
from energy.meters.cpu_model.law import INSTRUCTIONS, LLC_MISSES

PROC = Path("/proc")
HARDWARE = 0  # PERF_TYPE_HARDWARE
EVENTS = {INSTRUCTIONS: 1, LLC_MISSES: 3}  # PERF_COUNT_HW_INSTRUCTIONS, PERF_COUNT_HW_CACHE_MISSES
TIMES = 0b11  # PERF_FORMAT_TOTAL_TIME_ENABLED and _RUNNING: more events than counters take turns
INHERIT, EXCLUDE_KERNEL, EXCLUDE_HV = 1 << 1, 1 << 5, 1 << 6
ANY_CPU = -1

OpenEvent = Callable[[int, int], int]  # number of the event, thread id -> descriptor
ReadEvent = Callable[[int], bytes]


class NoCountersError(Exception):
    """The processor's counters cannot be used; says why."""


class Pmu:
    """Cumulative counts of all threads of this process, and of what they start from now on.

    Args:
        open_event: opens one event of one thread, for it and for all that it will start.
        read: returns what the kernel says of a descriptor: count, time enabled, time counted.
        threads: the ids of the threads that there are.

    Raises:
        NoCountersError: there are no such counters here, or not for this user.
    """

    def __init__(
        self,
        open_event: OpenEvent | None = None,
        read: ReadEvent | None = None,
        threads: Iterable[int] | None = None,
        close: Callable[[int], None] = os.close,
    ) -> None:
        self._read, self._close = read or _read, close
        self._files: dict[str, list[int]] = {name: [] for name in EVENTS}
        try:
            for thread in _threads() if threads is None else threads:
                for name, number in EVENTS.items():
                    self._files[name].append((open_event or _open)(number, thread))
        except OSError as problem:
            self.close()
            raise NoCountersError(f"the processor's counters cannot be used: {problem.strerror}") from problem

    def counts(self) -> Mapping[str, float]:
        """Return instructions and last-level misses since this was opened.

        Raises:
            NoCountersError: a counter was never given to us.
        """
        return {name: sum(map(self._count, files)) for name, files in self._files.items()}

    def close(self) -> None:
        """Close all events; closing twice does nothing."""
        for files in self._files.values():
            while files:
                self._close(files.pop())

    def _count(self, file: int) -> float:
        """Return a count, made up to the time in which others had the counter."""
        count, enabled, counted = struct.unpack("=QQQ", self._read(file))
        if enabled and not counted:
            raise NoCountersError("other programs hold all counters of the processor")
        return count * enabled / counted if counted else 0.0


def _threads() -> list[int]:
    return [int(task.name) for task in (PROC / "self/task").iterdir()]


def _read(file: int) -> bytes:
    return os.read(file, 24)


def _open(event: int, thread: int) -> int:
    """Open an event of a thread; OSError if the kernel refuses or its call is not known on this machine."""
    flags = INHERIT | EXCLUDE_KERNEL | EXCLUDE_HV
    try:
        return open_perf_event(HARDWARE, event, thread=thread, cpu=ANY_CPU, read_format=TIMES, flags=flags)
    except ValueError as unknown:
        raise OSError(0, str(unknown)) from None
