"""What every meter is: cumulative counts, a list of faults, and a reason and a remedy if it cannot work."""

from __future__ import annotations

import os
import threading
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from energy.fault import in_order, keep
from energy.reading import Count, Fault


class MeterUnavailable(Exception):  # noqa: N818 -- the name is public and says what it is
    """A meter that cannot work here: `reason` says why, `remedy` what would change that.

    device: what is there all the same and draws power that this meter should have counted; "" if nothing is.
    """

    def __init__(self, reason: str, remedy: str, device: str = "") -> None:
        super().__init__(f"{reason} {remedy}".strip())
        self.reason = reason
        self.remedy = remedy
        self.device = device


class Meter(Protocol):
    """A source of cumulative joules, opened by `open(gpus)` of its file, owned by the process that did so.

    period_seconds: how often the sampler must call `poll` so that nothing is missed; None if it need not.
    slow: takes milliseconds to read, and is therefore read before the others.
    closed: the sampler forgets a meter that says so.

    Polling and reading are done by two threads. A signal handler may read in the middle of a reading, so
    the lock between them must be reentrant.
    """

    name: str
    pid: int
    period_seconds: float | None
    slow: bool
    closed: bool

    def poll(self) -> None:
        """Take a sample; called by the sampler's thread. Failing to read is a fault, not an exception."""

    def counts(self) -> tuple[Count, ...]:
        """Read now and return every count; called by any thread."""

    def faults(self) -> tuple[Fault, ...]:
        """Return all faults since the meter was opened, oldest first."""

    def note(self, fault: Fault) -> None:
        """Add a fault that somebody else observed."""

    def close(self) -> None:
        """Release what `open` took; closing twice does nothing."""


class OwnedMeter:
    """What meters have in common: the process that owns them, the lock of their two threads, noted faults.

    A meter says how it takes a sample, which faults it has seen, and what it gives back when it is closed.
    """

    slow = False
    period_seconds: float | None = None

    def __init__(self, name: str) -> None:
        self.name, self.pid, self.closed = name, os.getpid(), False
        self._lock = threading.RLock()
        self._noted: list[Fault] = []

    def poll(self) -> None:
        """Take a sample, unless the meter is closed."""
        with self._lock:
            if not self.closed:
                self._sample()

    def faults(self) -> tuple[Fault, ...]:
        """Return all faults since the meter was opened."""
        with self._lock:
            return in_order([*self._seen_faults(), *self._noted])

    def note(self, fault: Fault) -> None:
        """Keep a fault that somebody else observed."""
        keep(self._noted, fault)

    def close(self) -> None:
        """Ask no more, and give back what `open` took."""
        with self._lock:
            if not self.closed:
                self.closed = True
                self._release()

    def _sample(self) -> None:
        """Do nothing: there is nothing to sample."""

    def _seen_faults(self) -> Iterable[Fault]:
        return ()

    def _release(self) -> None:
        """Do nothing: nothing was taken."""


class Missing(OwnedMeter):
    """Stand for a device that should have been measured and cannot be: no total forgets its joules."""

    def __init__(self, domain: str, device: str, reason: str) -> None:
        super().__init__("missing")
        self._count = Count(domain, device, "missing", "measured", None, 0.0, reason=reason)

    def counts(self) -> tuple[Count, ...]:
        """Return the one unknown count."""
        return (self._count,)


@runtime_checkable
class Contextual(Protocol):
    """A meter that knows the state of its devices."""

    def context(self) -> dict[str, Any]:
        """Return the state of each device now (temperature_c, clocks ...), by device; JSON-able.

        Called just before and just after a window, never inside it.
        """


@runtime_checkable
class Stepping(Protocol):
    """A meter with counters that move in steps long enough to matter."""

    def await_moves(self) -> None:
        """Wait until the counters have moved, at most for one step; nothing is worked at meanwhile."""


@runtime_checkable
class Late(Protocol):
    """A meter whose figures arrive after the instant that they are of, as a logger's file does.

    patience_seconds: how long after an instant its figures are waited for.
    """

    patience_seconds: float

    def counts_at(self, seconds: float) -> tuple[Count, ...] | None:
        """Return the counts as of an earlier instant (monotonic clock); None if they are not known yet."""


@runtime_checkable
class Telling(Protocol):
    """A meter that wants to know what the measured code does.

    wants: the names of what it asks for, such as "macs_fp32"; empty where it can do without.
    """

    wants: Collection[str]

    def tell(self, amounts: Mapping[str, float]) -> None:
        """Add so much of what was done since it was last told."""


@dataclass(frozen=True)
class Diagnosis:
    """What `doctor` says of a meter: does it work here, what it reads or why not, and what to do.

    untested: it has been run on simulated or recorded devices only, never on real ones.
    """

    name: str
    works: bool
    what: str
    remedy: str | None = None
    untested: bool = False
