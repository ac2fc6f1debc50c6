"""One meter that breaks stops neither the others nor what is measured: its failure becomes a fault.

The one place where anything that a meter raises is caught: in a reading, a look at a late log, a question for
the state of its devices, the polling thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from energy.meters._meter import Contextual, Late, Meter
from energy.reading import Count, Fault

T = TypeVar("T")


class Guard:
    """Asks meters, and knows what stands for the answer of one that fails.

    Args:
        meters: asked once now, so that a count that cannot be read later is unknown rather than forgotten.

    Attributes:
        known: what each counted then.
    """

    def __init__(self, meters: Iterable[Meter] = ()) -> None:
        self.known: dict[Meter, tuple[Count, ...]] = {}
        for meter in meters:
            self.known[meter] = self.counts(meter)

    def counts(self, meter: Meter) -> tuple[Count, ...]:
        """Return what the meter counts now; all of it unknown if it fails."""
        return self._ask(meter, meter.counts, lambda reason: self._unknown(meter, reason))

    def counts_at(self, meter: Late, seconds: float) -> tuple[Count, ...] | None:
        """Return what a late meter counted at an instant; None if it does not know yet, or fails."""
        return self._ask(meter, lambda: meter.counts_at(seconds), lambda _: None)

    def context(self, meter: Contextual) -> dict[str, Any]:
        """Return the state of the meter's devices; empty if it fails."""
        nothing: dict[str, Any] = {}
        return self._ask(meter, meter.context, lambda _: nothing)

    def poll(self, meter: Meter) -> None:
        """Let the meter take a sample; what a failed poll misses, nobody can say."""
        self._ask(meter, meter.poll, lambda _: None, joules_at_stake=None)

    def _ask(
        self,
        meter: Any,
        question: Callable[[], T],
        otherwise: Callable[[str], T],
        joules_at_stake: float | None = 0.0,
    ) -> T:
        start = time.monotonic()
        try:
            return question()
        except Exception as problem:  # whatever it is: training must go on
            reason = f"{meter.name} failed: {problem!r}"
            seconds = time.monotonic() - start
            for source in sorted({count.source for count in self._unknown(meter, reason)}):
                meter.note(Fault("unreadable", source, "", start, seconds, joules_at_stake, reason))
            return otherwise(reason)

    def _unknown(self, meter: Meter, reason: str) -> tuple[Count, ...]:
        """Return the meter's counts without joules; one of a domain of its own if it has never answered."""
        known = self.known.get(meter)
        if not known:
            return (Count(meter.name, meter.name, meter.name, "measured", None, 0.0, reason=reason),)
        return tuple(count.at(joules=None, reason=reason, last_joules=count.last_joules) for count in known)
