"""Watch the clocks: did the machine sleep, was the wall clock set, did this process stand still?

    watch = ClockWatch()
    Sampler(meters, watches=[(watch.poll, PERIOD_SECONDS)])   # every half second, in the sampler's thread
    watch.look()                                              # at each reading, in any thread
    watch.faults(), watch.suspended_seconds, watch.stepped_seconds, watch.unknown

Three clocks tell. CLOCK_BOOTTIME runs on while the machine is suspended and CLOCK_MONOTONIC does not, and the
two are alike otherwise; the wall clock differs from them by a constant unless somebody sets it, for all three
are slewed together (Linux: clock_gettime(2)). That a poll comes late tells that the process did not run.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from energy.fault import Fault, keep

PERIOD_SECONDS = 0.5
LATE_SECONDS = 1.0  # a busy machine delays a poll by less
TOLERANCE_SECONDS = 0.1  # no suspend is shorter, and no smaller step of the wall clock matters
SLEW = 1e-3  # adjtime(3) slews by at most 5e-4, which the monotonic clocks outside Linux do not follow
SPREAD_SECONDS = 1e-3  # clocks that took longer to read were interrupted in between
TRIES = 5
NO_BOOT_CLOCK = (
    "this system has no CLOCK_BOOTTIME: a suspend shows as a step of its wall clock, or not at all"
)


class Instant(NamedTuple):
    """All clocks at one instant; boot_seconds and main_cpu_seconds are None where the system has none.

    main_cpu_seconds: CPU time of the main thread.
    """

    monotonic_seconds: float
    boot_seconds: float | None
    wall_seconds: float
    main_cpu_seconds: float | None


def now() -> Instant:
    """Read all clocks within a millisecond of each other; of five tries the best."""
    best_spread, best = float("inf"), None
    for _ in range(TRIES):
        spread, instant = _try()
        if best is None or spread < best_spread:
            best_spread, best = spread, instant
        if spread < SPREAD_SECONDS:
            break
    assert best is not None
    return best


def _try() -> tuple[float, Instant]:
    started = time.monotonic()
    boot = time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else None
    wall = time.time()
    monotonic = time.monotonic()
    return monotonic - started, Instant(monotonic, boot, wall, _main_cpu_seconds())


def _main_cpu_seconds() -> float | None:
    thread = threading.main_thread().ident
    if thread is None or not hasattr(time, "pthread_getcpuclockid"):
        return None
    return time.clock_gettime(time.pthread_getcpuclockid(thread))


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


class ClockWatch:
    """Compare the clocks from look to look, and keep what speaks against them as faults.

    The faults concern no device and hide no joules. Each says between which two looks it happened, on the
    monotonic clock. That does not count a suspend: how long it was, its reason and `suspended_seconds` say.

    "paused": a poll was more than a second late, and the main thread was not computing instead (a C function
    that keeps the interpreter's lock delays our thread, too). So every stop (SIGSTOP, frozen container) of
    1.5 s or more is seen, most from 1 s on; a process that gets hardly any CPU time stands still as well.

    Begin to watch just before the polling starts: the first poll is expected a period later.

    Args:
        period_seconds: how often `poll` is called, if it is.
        clocks: reads them all.

    Attributes:
        suspended_seconds: how long the machine has slept since the watch began.
        stepped_seconds: by how much the wall clock was set, forwards minus backwards.
    """

    def __init__(self, period_seconds: float = PERIOD_SECONDS, clocks: Callable[[], Instant] = now) -> None:
        self.suspended_seconds = 0.0
        self.stepped_seconds = 0.0
        self._period_seconds = period_seconds
        self._clocks = clocks
        self._lock = threading.RLock()  # a signal handler may read in the middle of a reading
        self._faults: list[Fault] = []
        self._seen = clocks()
        self._due_seconds = self._seen.monotonic_seconds + period_seconds
        self._polled = False  # without a thread that polls, nothing is late

    @property
    def unknown(self) -> str | None:
        """What this system cannot tell; None if it can tell everything."""
        return NO_BOOT_CLOCK if self._seen.boot_seconds is None else None

    def poll(self) -> None:
        """Compare the clocks; called every `period_seconds`."""
        self._compare(polled=True)

    def look(self) -> None:
        """Compare the clocks; called at any time, so that a window that closes before the next poll knows."""
        self._compare(polled=False)

    def faults(self) -> tuple[Fault, ...]:
        """Return all faults since the watch began, oldest first."""
        with self._lock:
            return tuple(self._faults)

    def _compare(self, polled: bool) -> None:
        with self._lock:
            before, self._seen = self._seen, self._clocks()
            self._polled = self._polled or polled
            self._suspend(before, self._seen)
            self._step(before, self._seen)
            late = self._is_late()
            if late:
                self._pause(before, self._seen)
            if polled or late:
                self._due_seconds = self._seen.monotonic_seconds + self._period_seconds

    def _suspend(self, before: Instant, after: Instant) -> None:
        if before.boot_seconds is None or after.boot_seconds is None:
            return
        asleep = (after.boot_seconds - before.boot_seconds) - _seconds(before, after)
        if asleep > TOLERANCE_SECONDS:
            self.suspended_seconds += asleep
            self._fault("suspend", before, after, f"the machine was suspended for {asleep:.1f} s")

    def _step(self, before: Instant, after: Instant) -> None:
        since, until = before.monotonic_seconds, after.monotonic_seconds
        if before.boot_seconds is not None and after.boot_seconds is not None:
            since, until = before.boot_seconds, after.boot_seconds
        offsets = before.wall_seconds - since, after.wall_seconds - until
        if step := find_step(*offsets, until - since, TOLERANCE_SECONDS):
            self.stepped_seconds += step
            cause = "" if after.boot_seconds is not None else " (set, or the machine was suspended)"
            self._fault("clock_step", before, after, f"the wall clock went {step:+.1f} s{cause}")

    def _pause(self, before: Instant, after: Instant) -> None:
        idle = _seconds(before, after)
        if before.main_cpu_seconds is not None and after.main_cpu_seconds is not None:
            idle -= after.main_cpu_seconds - before.main_cpu_seconds
        if idle > LATE_SECONDS + self._slack_seconds(before):
            reason = "this process stood still (stopped, frozen, or kept from the CPU)"
            self._fault("paused", before, after, reason)

    def _is_late(self) -> bool:
        return self._polled and self._seen.monotonic_seconds - self._due_seconds > LATE_SECONDS

    def _slack_seconds(self, before: Instant) -> float:
        """Return how long the main thread may have waited in peace before the poll was due."""
        return max(0.0, self._due_seconds - before.monotonic_seconds)

    def _fault(self, kind: str, before: Instant, after: Instant, reason: str) -> None:
        fault = Fault(kind, "clock", "", before.monotonic_seconds, _seconds(before, after), 0.0, reason)
        last = self._faults[-1] if self._faults else None
        if last is not None and last.kind == kind == "paused" and _touch(last, fault):
            self._faults[-1] = last.joined(fault)
        else:
            keep(self._faults, fault)


def _seconds(before: Instant, after: Instant) -> float:
    return after.monotonic_seconds - before.monotonic_seconds


def _touch(last: Fault, fault: Fault) -> bool:
    return fault.at_seconds - (last.at_seconds + last.seconds) < 1e-6
