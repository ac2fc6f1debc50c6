"""Virtual time for real tools: their threads sleep on a simulated machine's clock, one after another.

`install` replaces the clocks and `sleep` of the `time` module, so it belongs into a process of its own, and
must come before whatever is to be deceived is imported. Then only the main thread lets time pass, by
`advance`: it wakes each sleeping thread when its moment has come, and goes on when that thread sleeps again
or has ended. So minutes pass in milliseconds, and the same way every time.
"""

import math
import threading
import time

PATIENCE_SECONDS = 30.0  # real ones, for a thread to go back to sleep: only a bug takes so long
LOOK_SECONDS = 1e-6  # what it takes to look at a clock: no two looks see the same time
EPOCH_SECONDS = 1_795_000_000.0  # the wall clock is this far ahead of the monotonic one: late in 2026
REAL_CLOCK_GETTIME = time.clock_gettime


class VirtualTime:
    """The clocks of a machine; `moved` is called whenever they have moved."""

    def __init__(self, machine, moved=lambda: None):
        self._machine, self._moved = machine, moved
        self._wall_ahead, self._asleep_seconds = EPOCH_SECONDS, 0.0
        self._main = threading.current_thread()
        self._before = set(threading.enumerate())  # of other tests in this process: real time is theirs
        self._changed = threading.Condition()
        self._sleepers = {}  # thread: when it wants to be woken

    def install(self):
        """Replace the clocks of this process."""
        time.monotonic = time.perf_counter = self._monotonic
        time.time = lambda: self._monotonic() + self._wall_ahead
        time.sleep = self.sleep
        time.monotonic_ns = time.perf_counter_ns = lambda: round(time.monotonic() * 1e9)
        time.time_ns = lambda: round(time.time() * 1e9)
        time.clock_gettime = self._clock_gettime

    def now(self):
        """The monotonic clock, without looking at it."""
        return self._machine.seconds

    def step(self, seconds):
        """Set the wall clock, as an administrator or a time server does."""
        self._wall_ahead += seconds

    def suspend(self, seconds):
        """Let the host sleep: the monotonic clock stands still, the others go on."""
        self._wall_ahead += seconds
        self._asleep_seconds += seconds

    def stall(self, seconds):
        """Let time pass while this process stands still, as between SIGSTOP and SIGCONT."""
        self._settle()
        self._move(self.now() + seconds)

    def advance(self, seconds):
        """Let time pass; every thread that wants to be woken by then is, in the right order."""
        end = self.now() + seconds
        while (thread := self._next_due(end)) is not None:
            with self._changed:
                self._move(self._sleepers.pop(thread))
                self._changed.notify_all()
        self._move(end)

    def sleep(self, seconds):
        """Stand in for `time.sleep`."""
        if threading.current_thread() is self._main:
            self.advance(seconds)
        else:
            self.doze(seconds, lambda: False)

    def doze(self, seconds, woken):
        """Sleep in any thread but the main one; `woken` may end it early."""
        me = threading.current_thread()
        with self._changed:
            if not woken():
                self._sleepers[me] = self.now() + seconds
                self._changed.notify_all()
                self._changed.wait_for(lambda: woken() or me not in self._sleepers)
                self._sleepers.pop(me, None)

    def wake(self):
        """Let every sleeper look whether it is woken."""
        with self._changed:
            self._changed.notify_all()

    def _monotonic(self):
        self._machine.seconds += LOOK_SECONDS
        return self._machine.seconds

    def _move(self, seconds):
        self._machine.seconds = max(seconds, self._machine.seconds)
        self._moved()

    def _next_due(self, end):
        self._settle()
        due = [thread for thread, wake in self._sleepers.items() if wake <= end]
        return min(due, key=lambda thread: (self._sleepers[thread], thread.name), default=None)

    def _settle(self):
        """Wait until every other thread sleeps or has ended."""
        for _ in range(round(PATIENCE_SECONDS / 0.001)):
            with self._changed:
                others = set(threading.enumerate()) - self._before
                if others <= set(self._sleepers):
                    return
                self._changed.wait(0.001)
        raise AssertionError(
            f"these threads do not sleep on the virtual clock: {others - set(self._sleepers)}"
        )

    def _clock_gettime(self, clock):
        ahead = {
            time.CLOCK_MONOTONIC: 0.0,
            time.CLOCK_REALTIME: self._wall_ahead,
            getattr(time, "CLOCK_BOOTTIME", None): self._asleep_seconds,
        }
        return self._monotonic() + ahead[clock] if clock in ahead else REAL_CLOCK_GETTIME(clock)


class Threading:
    """Stands in for the module `threading` in a module whose threads are to live in virtual time."""

    def __init__(self, virtual):
        self._virtual = virtual

    def __getattr__(self, name):
        return getattr(threading, name)

    def Event(self):
        return Event(self._virtual)

    def Timer(self, interval, function):
        return Timer(self._virtual, interval, function)


class Event:
    """`threading.Event` whose waiters wait in virtual time."""

    def __init__(self, virtual):
        self._virtual, self._flag = virtual, False

    def is_set(self):
        return self._flag

    def set(self):
        self._flag = True
        self._virtual.wake()

    def wait(self, timeout=None):
        self._virtual.doze(math.inf if timeout is None else timeout, self.is_set)
        return self._flag


class Timer(threading.Thread):
    """`threading.Timer` in virtual time."""

    def __init__(self, virtual, interval, function):
        super().__init__()
        self._interval, self._function, self._cancelled = interval, function, Event(virtual)

    def run(self):
        if not self._cancelled.wait(self._interval):
            self._function()

    def cancel(self):
        self._cancelled.set()
