"""One stretch of time inside all meters, with readings at its edges and at every mark in between."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from types import TracebackType
from typing import Any

from energy.measuring import machine
from energy.meters import Meters, await_moves, context, read, settle
from energy.meters._meter import Meter
from energy.meters._watch import cost
from energy.reading import Energy, Reading
from energy.reading.sampling import Rhythm

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

    Before the first reading it waits until each counter that moves in steps has just moved, at most for one
    step (0.1 s on most boards), so that nothing of the work shares a step with what was before it. That is
    billed to nobody; a window inside another one does not wait. At its end nothing is waited for: the next
    move would mix the work with what comes after it.
    """

    def __init__(self, meters: Sequence[Meter], synchronize: Callable[[], None] | None = None) -> None:
        self.meters = meters
        self.synchronize = synchronize
        self.marks: list[Mark] = []
        self.rhythms: list[Rhythm] = []
        self.context_before: dict[str, Any] = {}
        self.context_after: dict[str, Any] = {}

    def __enter__(self) -> Window:
        with self._at_our_cost():
            self.peak_rss_known = machine.reset_peak_rss()
            self.state_before = machine.state(self.meters)
            self.context_before = context(self.meters)
            await_moves(self.meters)
        self._count(1)
        self.first = self._read()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.last = self._closing_reading()
        self._count(-1)
        with self._at_our_cost():
            self.state_after = machine.state(self.meters)
            self.context_after = context(self.meters)
            self.peak_rss_mib = machine.peak_rss_mib() if self.peak_rss_known else None
            if problem is None:  # else there is no repeat to be exact about, and a user waits
                self._settle()

    def mark(self, kind: str, **facts: Any) -> Energy:
        """Read the meters now and return the energy since the mark before (or the window's start).

        The fact `batch_seconds` says every how many seconds the work since then repeated itself (the time of
        an epoch's batches, divided by their number). A sensor that looks only part of the time may keep step
        with it, and where it does not, slow changes of power are known to be the work's own.

        Raises:
            ValueError: `batch_seconds` is no number of seconds above 0.
        """
        since = self.marks[-1].reading if self.marks else self.first
        reading = self._read()
        if (period := facts.get("batch_seconds")) is not None:
            if not 0 < period < math.inf:
                raise ValueError(f"batch_seconds is {period!r}, expected seconds above 0")
            self.rhythms.append(Rhythm(since.seconds, reading.seconds, period))
        self.marks.append(Mark(kind, reading, facts))
        return self.between(since, reading)

    def so_far(self) -> Energy:
        """Return the energy from the window's start to its latest mark."""
        return self.between(self.first, self.marks[-1].reading if self.marks else self.first)

    def between(self, earlier: Reading, later: Reading) -> Energy:
        """Return the energy between two readings of this window, with what is known of the work in it."""
        return later.since(earlier, self.rhythms)

    @cached_property
    def energy(self) -> Energy:
        """The energy of the whole window, once it is closed."""
        return self.between(self.first, self.last)

    def flags(self) -> tuple[str, ...]:
        """Name what speaks against this window: the meters' flags and the machine's."""
        found = {*self.energy.flags(), *machine.flags(self.state_before, self.state_after)}
        return tuple(sorted(found))

    def _count(self, more: int) -> None:
        if isinstance(self.meters, Meters):
            self.meters.windows += more

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
