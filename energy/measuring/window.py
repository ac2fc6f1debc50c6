"""One stretch of time inside all meters, with readings at its edges and at every mark in between."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any

from energy.measuring import machine
from energy.meters import Meters, context, read, settle
from energy.meters._meter import Meter
from energy.meters._watch import cost
from energy.reading import Energy, Reading

# CodeCarbon has no fresh figure sooner; to wait for one would bill the waiting to the case.
JUST_NOW_SECONDS = 0.055


@dataclass(frozen=True)
class Mark:
    """A reading in the middle of a window: what had just ended there, and what is known of it."""

    kind: str
    reading: Reading
    facts: dict[str, Any]


class Window:
    """Measure what happens between `with Window(meters) as window:` and the end of the block.

    `synchronize` is called before every reading, so that work queued on an accelerator falls into the window
    that queued it (`torch.cuda.synchronize`). Windows may nest and overlap; a window belongs to one thread.
    """

    def __init__(self, meters: Sequence[Meter], synchronize: Callable[[], None] | None = None) -> None:
        self.meters = meters
        self.synchronize = synchronize
        self.marks: list[Mark] = []
        self.context_before: dict[str, Any] = {}
        self.context_after: dict[str, Any] = {}

    def __enter__(self) -> Window:
        with self._at_our_cost():
            self.peak_rss_known = machine.reset_peak_rss()
            self.state_before = machine.state(self.meters)
            self.context_before = context(self.meters)
        self.first = self._read()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.last = self._closing_reading()
        with self._at_our_cost():
            self.state_after = machine.state(self.meters)
            self.context_after = context(self.meters)
            self.peak_rss_mib = machine.peak_rss_mib() if self.peak_rss_known else None
            if problem is None:  # else there is no repeat to be exact about, and a user waits
                self._settle()

    def mark(self, kind: str, **facts: Any) -> Energy:
        """Read the meters now and return the energy since the mark before (or the window's start)."""
        since = self.marks[-1].reading if self.marks else self.first
        reading = self._read()
        self.marks.append(Mark(kind, reading, facts))
        return reading - since

    def so_far(self) -> Energy:
        """Return the energy from the window's start to its latest mark."""
        return (self.marks[-1].reading if self.marks else self.first) - self.first

    @property
    def energy(self) -> Energy:
        """The energy of the whole window, once it is closed."""
        return self.last - self.first

    def flags(self) -> tuple[str, ...]:
        """Name what speaks against this window: the meters' flags and the machine's."""
        found = {*self.energy.flags(), *machine.flags(self.state_before, self.state_after)}
        return tuple(sorted(found))

    @contextmanager
    def _at_our_cost(self) -> Iterator[None]:
        """Add up the time that the block takes: it is no part of the window, but users wait for it."""
        start = cost.now()
        yield
        if isinstance(self.meters, Meters):
            self.meters.cost.since(start)

    def _settle(self) -> None:
        """Look again at what only became known after the window, such as a wall plug's log."""
        readings = settle(self.meters, [self.first, *(mark.reading for mark in self.marks), self.last])
        self.first, *middle, self.last = readings
        self.marks = [replace(mark, reading=now) for mark, now in zip(self.marks, middle, strict=True)]

    def _closing_reading(self) -> Reading:
        """Read now, unless the last mark was just made: then that is the end, and the rest clears up."""
        if self.marks and time.monotonic() - self.marks[-1].reading.seconds < JUST_NOW_SECONDS:
            return self.marks[-1].reading
        return self._read()

    def _read(self) -> Reading:
        if self.synchronize is not None:
            self.synchronize()
        return read(self.meters)
