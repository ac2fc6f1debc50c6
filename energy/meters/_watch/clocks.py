"""Watch the clocks: did the machine sleep, was the wall clock set, did this process stand still?

    watch = ClockWatch()
    Sampler(meters, watches=[(watch.poll, PERIOD_SECONDS)])   # every half second, in the sampler's thread
    watch.look()                                              # at each reading, in any thread
    watch.faults(), watch.unknown

CLOCK_BOOTTIME runs on while the machine is suspended and CLOCK_MONOTONIC does not; the wall clock differs
from them by a constant unless somebody sets it, for all three are slewed together (clock_gettime(2)).

A poll that comes late tells that our thread did not run. Either the process was stopped (SIGSTOP, a frozen
container, no CPU time), or another thread kept the interpreter's lock. A thread that waits for that lock asks
again every `sys.getswitchinterval()` (CPython, Python/ceval_gil.c), which the kernel counts as switches of
our thread; a process that stands still has none.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from energy.fault import Fault, keep

PERIOD_SECONDS = 0.5
LATE_SECONDS = 1.0  # a busy machine delays a poll by less
TOLERANCE_SECONDS = 0.1  # no suspend is shorter, and no smaller step of the wall clock matters
SLEW = 1e-3  # adjtime(3) slews by at most 5e-4, which the monotonic clocks outside Linux do not follow
SWITCH_FACTOR = 2.0  # a wait for the interpreter's lock takes up to twice its interval on a busy machine
TASKS = Path("/proc/self/task")
NO_BOOT_CLOCK = (
    "this system has no CLOCK_BOOTTIME: a suspend shows as a step of its wall clock, or not at all"
)


class Instant(NamedTuple):
    """All clocks at one instant; boot_seconds and main_cpu_seconds are None where the system has none.

    main_cpu_seconds: CPU time of the main thread.
    spread_seconds: how long it took to read the clocks, by which they may seem to be apart.
    """

    monotonic_seconds: float
    boot_seconds: float | None
    wall_seconds: float
    main_cpu_seconds: float | None
    spread_seconds: float = 0.0


def now() -> Instant:
    """Read all clocks."""
    started = time.monotonic()
    boot = time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else None
    wall = time.time()
    monotonic = time.monotonic()
    return Instant(monotonic, boot, wall, _main_cpu_seconds(), monotonic - started)


def find_step(before_offset: float, after_offset: float, seconds: float, tolerance_seconds: float) -> float:
    """Return by how many seconds the wall clock was set; 0 if it was slewed at most.

    Args:
        before_offset: wall clock minus monotonic clock, at the earlier instant.
        after_offset: the same at the later one.
        seconds: between the two.
        tolerance_seconds: no smaller step counts as one.
    """
    step = after_offset - before_offset
    return step if abs(step) > tolerance_seconds + SLEW * seconds else 0.0


def count_switches(thread: int) -> int | None:
    """Return how often the kernel has switched a thread of ours (native id); None if it does not tell."""
    try:
        lines = (TASKS / str(thread) / "status").read_text().splitlines()
    except OSError:
        return None
    found = [int(line.split()[1]) for line in lines if "ctxt_switches" in line]
    return sum(found) if found else None


class ClockWatch:
    """Compare the clocks from look to look, and keep what speaks against them as faults.

    The faults concern no device and hide no joules. Each says between which two looks it happened, on the
    monotonic clock. That does not count a suspend: how long it was, the reason says.

    Every stop of 1.5 s or more is seen, most from 1 s on, unless our thread was waiting for the interpreter's
    lock just before; a process that gets hardly any CPU time stands still as well.

    Begin to watch just before the polling starts: the first poll is expected a period later.

    Args:
        period_seconds: how often `poll` is called, if it is.
        clocks: reads them all.
        switches: how often a thread was switched.
    """

    def __init__(
        self,
        period_seconds: float = PERIOD_SECONDS,
        clocks: Callable[[], Instant] = now,
        switches: Callable[[int], int | None] = count_switches,
    ) -> None:
        self._period_seconds = period_seconds
        self._clocks, self._switches = clocks, switches
        self._lock = threading.RLock()  # a signal handler may read in the middle of a reading
        self._faults: list[Fault] = []
        self._seen = clocks()
        self._due_seconds = self._seen.monotonic_seconds + period_seconds
        self._poller: tuple[int, int | None] | None = (
            None  # the polling thread and its switches, once it polls
        )

    @property
    def unknown(self) -> str | None:
        """What this system cannot tell; None if it can tell everything."""
        return NO_BOOT_CLOCK if self._seen.boot_seconds is None else None

    def poll(self) -> None:
        """Compare the clocks; called every `period_seconds`, by one thread."""
        with self._lock:
            thread = threading.get_native_id()
            self._poller = self._poller or (thread, None)
            self._compare()
            self._poller = thread, self._switches(thread)
            self._due_seconds = self._seen.monotonic_seconds + self._period_seconds

    def look(self) -> None:
        """Compare the clocks; called at any time, so that a window that closes before the next poll knows."""
        with self._lock:
            self._compare()

    def faults(self) -> tuple[Fault, ...]:
        """Return all faults since the watch began, oldest first."""
        with self._lock:
            return tuple(self._faults)

    def _compare(self) -> None:
        before, self._seen = self._seen, self._clocks()
        self._find_suspend(before, self._seen)
        self._find_step(before, self._seen)
        # Without a thread that polls, nothing is late.
        if self._poller and self._seen.monotonic_seconds - self._due_seconds > LATE_SECONDS:
            self._find_pause(before, self._seen)
            self._due_seconds = self._seen.monotonic_seconds + self._period_seconds

    def _find_suspend(self, before: Instant, after: Instant) -> None:
        if before.boot_seconds is None or after.boot_seconds is None:
            return
        asleep = (after.boot_seconds - before.boot_seconds) - _seconds(before, after)
        if asleep > _tolerance(before, after):
            self._note("suspend", before, after, f"the machine was suspended for {asleep:.1f} s")

    def _find_step(self, before: Instant, after: Instant) -> None:
        since, until = (clock.boot_seconds or clock.monotonic_seconds for clock in (before, after))
        offsets = before.wall_seconds - since, after.wall_seconds - until
        if step := find_step(*offsets, until - since, _tolerance(before, after)):
            cause = "" if after.boot_seconds is not None else " (set, or the machine was suspended)"
            self._note("clock_step", before, after, f"the wall clock went {step:+.1f} s{cause}")

    def _find_pause(self, before: Instant, after: Instant) -> None:
        # How long the process is known to have run: in peace until the poll was due, then by what was seen.
        ran = max(0.0, self._due_seconds - before.monotonic_seconds)
        if before.main_cpu_seconds is not None and after.main_cpu_seconds is not None:
            ran = max(ran, after.main_cpu_seconds - before.main_cpu_seconds)
        if _seconds(before, after) - max(ran, self._waited_seconds()) > LATE_SECONDS:
            reason = "this process stood still (stopped, frozen, or kept from the CPU)"
            self._note("paused", before, after, reason)

    def _waited_seconds(self) -> float:
        """Return how long our thread can have waited for the interpreter's lock since its last poll."""
        assert self._poller is not None
        thread, before = self._poller
        after = self._switches(thread)
        waits = 0 if before is None or after is None else after - before
        return waits * SWITCH_FACTOR * sys.getswitchinterval()

    def _note(self, kind: str, before: Instant, after: Instant, reason: str) -> None:
        start, seconds = before.monotonic_seconds, _seconds(before, after)
        keep(self._faults, Fault(kind, "clock", "", start, seconds, 0.0, reason))


def _main_cpu_seconds() -> float | None:
    thread = threading.main_thread().ident
    if thread is None or not hasattr(time, "pthread_getcpuclockid"):
        return None
    return time.clock_gettime(time.pthread_getcpuclockid(thread))


def _seconds(before: Instant, after: Instant) -> float:
    return after.monotonic_seconds - before.monotonic_seconds


def _tolerance(before: Instant, after: Instant) -> float:
    return TOLERANCE_SECONDS + before.spread_seconds + after.spread_seconds
