"""A device that no meter can read: its joules are unknown, so that no total forgets it."""

from __future__ import annotations

import os

from energy.reading import Count, Fault


class Missing:
    """Stand for a device that should have been measured and cannot be."""

    period_seconds: float | None = None
    slow = False

    def __init__(self, domain: str, device: str, reason: str) -> None:
        self.name = "missing"
        self.pid = os.getpid()
        self.closed = False
        self._count = Count(domain, device, "missing", "measured", None, 0.0, reason=reason)
        self._faults: tuple[Fault, ...] = ()

    def poll(self) -> None:
        """Do nothing: there is nothing to sample."""

    def counts(self) -> tuple[Count, ...]:
        """Return the one unknown count."""
        return (self._count,)

    def faults(self) -> tuple[Fault, ...]:
        """Return what others noted."""
        return self._faults

    def note(self, fault: Fault) -> None:
        """Keep a fault that somebody else observed."""
        self._faults += (fault,)

    def close(self) -> None:
        """Release nothing."""
        self.closed = True
