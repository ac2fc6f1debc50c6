"""One thread that polls all meters which would miss something between two readings.

It stands aside while this process forks: from Python 3.12 on, `os.fork` warns if another thread is alive, and
DataLoader workers are forked by default on Linux before 3.14. So a fork costs the thread's end and a new
start: 0.5 ms were seen on a virtual machine, beside the 0.9 ms of the fork itself.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from energy.fault import Fault, keep
from energy.meters._meter import Meter
from energy.meters._watch import forks
from energy.meters._watch.guard import Guard

Watch = tuple[Callable[[], None], float]  # what to call, and how often (s)

PATIENCE_SECONDS = 1.0  # a fork waits no longer for a poll: one that hangs must not hang the workload
EXIT_SECONDS = (
    1.0  # a thread that was joined is gone for the kernel microseconds later, if there is a CPU for it
)
TASKS = Path("/proc/self/task")


class Sampler:
    """Poll meters at their own periods, until all are closed or `stop` is called.

    A forked child never polls. Deadlines are on the monotonic clock and missed ones are skipped: a late
    sampler polls once, not many times in a row.

    Args:
        meters: those without a `period_seconds` are left alone.
        watches: called at their periods while meters are polled; alone they are no reason for a thread.
        guard: asks the meters.

    Attributes:
        cpu_seconds: what the polling has cost.
        polls: how many polls and watches there were.
    """

    def __init__(
        self, meters: Sequence[Meter], watches: Sequence[Watch] = (), guard: Guard | None = None
    ) -> None:
        now = time.monotonic()
        self._meters = {meter: now + period for meter in meters if (period := meter.period_seconds)}
        self._guard = guard or Guard(self._meters)
        self._watches = {watch: now + watch[1] for watch in watches}
        self._faults: list[Fault] = []
        self._thread: _Thread | None = None
        self._wanted = False
        self._forks = 0  # under way: two threads may fork at once
        self._lock = threading.Lock()
        self.cpu_seconds = 0.0
        self.polls = 0
        forks.follow(self)

    def start(self) -> None:
        """Start the thread, if any meter needs it."""
        with self._lock:
            self._wanted = True
            self._begin()

    def stop(self) -> None:
        """End the thread and wait until it is gone."""
        with self._lock:
            self._wanted, thread = False, self._thread
        if thread is not None:
            thread.end()

    @property
    def running(self) -> bool:
        """Whether this process polls."""
        return self._thread is not None and self._thread.is_alive()

    def faults(self) -> tuple[Fault, ...]:
        """Return what went wrong with watches; the faults of a meter are noted with the meter."""
        return tuple(self._faults)

    def look(self, watch: Callable[[], None]) -> bool:
        """Call a watch and say whether it worked: one that fails is a fault, and stops nothing else."""
        start = time.monotonic()
        try:
            watch()
        except Exception as problem:
            seconds = time.monotonic() - start
            reason = f"a watch failed: {problem!r}"
            keep(self._faults, Fault("unreadable", "sampler", "", start, seconds, 0.0, reason))
            return False
        return True

    def before_fork(self) -> None:
        """End the thread, so that the fork finds none."""
        with self._lock:
            self._forks += 1
            thread = self._thread
        if thread is not None:
            thread.end(PATIENCE_SECONDS)

    def after_fork_in_parent(self) -> None:
        """Go on polling."""
        with self._lock:
            self._forks -= 1
            self._begin()

    def after_fork_in_child(self) -> None:
        """Forget the thread and its work: they are the parent's."""
        self._lock = threading.Lock()  # another thread of the parent may have held it
        self._wanted, self._thread, self._forks = False, None, 0

    def _begin(self) -> None:
        if self._wanted and self._meters and not self._forks:
            self._thread = _Thread(self, self._thread)
            self._thread.start()

    def _wait_seconds(self) -> float:
        return max(0.0, min((*self._meters.values(), *self._watches.values())) - time.monotonic())

    def _poll_those_due(self) -> None:
        now = time.monotonic()
        for meter, due in list(self._meters.items()):
            if meter.closed:
                del self._meters[meter]
            elif due <= now:
                self.polls += 1
                self._guard.poll(meter)
                self._meters[meter] = self._next(due, meter.period_seconds or 1.0)
        for watch, due in list(self._watches.items()):
            if due <= now:
                self._watches[watch] = self._next(due, watch[1])
                self.polls += 1
                if not self.look(watch[0]):  # it would fail every second, so once is enough
                    del self._watches[watch]

    @staticmethod
    def _next(due: float, period: float) -> float:
        return max(due + period, time.monotonic() + period / 2)


class _Thread(threading.Thread):
    """The sampler's thread from one fork to the next."""

    def __init__(self, sampler: Sampler, previous: _Thread | None) -> None:
        super().__init__(name="energy-sampler", daemon=True)
        self._sampler, self._previous = sampler, previous
        self._end = threading.Event()

    def run(self) -> None:
        """Poll until the end; a thread before this one that would not end is waited for, not doubled."""
        sampler = self._sampler
        if self._previous is not None:
            self._previous.join()
            self._previous = None
        before = sampler.cpu_seconds
        while sampler._meters and not self._end.wait(sampler._wait_seconds()):
            sampler._poll_those_due()
            sampler.cpu_seconds = before + time.thread_time()

    def end(self, patience_seconds: float | None = None) -> None:
        """Ask the thread to end and wait until the kernel has forgotten it, too."""
        self._end.set()
        if self is threading.current_thread():
            return
        self.join(patience_seconds)
        deadline = time.monotonic() + EXIT_SECONDS
        while not self.is_alive() and _is_known_to_the_kernel(self) and time.monotonic() < deadline:
            time.sleep(1e-5)


def _is_known_to_the_kernel(thread: threading.Thread) -> bool:
    return (TASKS / str(thread.native_id)).exists()
