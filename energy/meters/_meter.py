"""What every meter is: cumulative counts, a list of faults, and a reason and a remedy if it cannot work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

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

    Whoever polls and whoever reads are two threads. A signal handler may read in the middle of a reading, so
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


@runtime_checkable
class Contextual(Protocol):
    """A meter that knows the state of its devices."""

    def context(self) -> dict[str, Any]:
        """Return the state of each device now (temperature_c, clocks ...), by device; JSON-able.

        Called just before and just after a window, never inside it.
        """


@runtime_checkable
class Late(Protocol):
    """A meter whose figures arrive after the instant that they are of, as a logger's file does.

    patience_seconds: how long after an instant its figures are waited for.
    """

    patience_seconds: float

    def counts_at(self, seconds: float) -> tuple[Count, ...] | None:
        """Return the counts as of an earlier instant (monotonic clock); None if they are not known yet."""


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
