"""One thread that polls all meters which would miss something between two readings."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from energy.meters._meter import Meter
from energy.reading import Fault


class Sampler:
    """Poll meters at their own periods, until all are closed or `stop` is called.

    Threads do not survive a fork, so a child never polls. Deadlines are on the monotonic clock and missed
    ones are skipped: a late sampler polls once, not many times in a row.
    """

    def __init__(self, meters: Sequence[Meter]) -> None:
        self._due = {meter: time.monotonic() + period for meter in meters if (period := meter.period_seconds)}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="energy-sampler", daemon=True)

    def start(self) -> None:
        """Start the thread, if any meter needs it."""
        if self._due:
            self._thread.start()

    def stop(self) -> None:
        """End the thread and wait until it is gone."""
        self._stopped.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()

    @property
    def running(self) -> bool:
        """Whether this process polls."""
        return self._thread.is_alive()

    def _run(self) -> None:
        while self._due and not self._stopped.wait(max(0.0, min(self._due.values()) - time.monotonic())):
            self._poll_those_due(time.monotonic())

    def _poll_those_due(self, now: float) -> None:
        for meter, due in list(self._due.items()):
            if meter.closed:
                del self._due[meter]
            elif due <= now:
                self._poll(meter)
                self._due[meter] = self._next(due, meter.period_seconds or 1.0)

    def _poll(self, meter: Meter) -> None:
        start = time.monotonic()
        try:
            meter.poll()
        except Exception as problem:  # a bug in one meter must stop neither the others nor training
            seconds = time.monotonic() - start
            meter.note(Fault("unreadable", meter.name, "", start, seconds, None, f"poll failed: {problem!r}"))

    @staticmethod
    def _next(due: float, period: float) -> float:
        return max(due + period, time.monotonic() + period / 2)
