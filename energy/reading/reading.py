"""What a meter says, and what two of its readings mean.

A meter is a cumulative count of joules from an arbitrary origin; a window is one reading subtracted from a
later one. So windows nest and overlap freely, and nothing has to be told where one begins:

>>> def reading(seconds, joules):
...     count = Count("gpu", "GPU-0", "nvml_counter", "measured", joules, covered_seconds=seconds)
...     return Reading(seconds, (count,))
>>> window = reading(30.0, 5000.0) - reading(10.0, 1000.0)
>>> window.joules(), window.kind, window.flags()
(4000.0, 'measured', ())

What is unknown is None with a reason, never 0: one unknown part makes the total unknown.

`count.py` has what stands on the left of the subtraction, `spent.py` what comes out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from energy.fault import Fault
from energy.reading.bounds import Bounds, Shown
from energy.reading.count import Count
from energy.reading.sampling import Rhythm
from energy.reading.spent import JITTER_SECONDS, DomainEnergy, Energy, choose_headline

KNOWN_SHARE = 0.5  # below it what was counted is no figure, but "at least" so much


@dataclass(frozen=True)
class Reading:
    """All counts at one instant (monotonic clock), and every fault known by then.

    origin: what the counts were read from; joules of different origins have different zeros.
    """

    seconds: float
    counts: tuple[Count, ...]
    faults: tuple[Fault, ...] = ()
    origin: object = field(default=None, compare=False, repr=False)

    def __sub__(self, earlier: Reading) -> Energy:
        """Return the energy of the window from `earlier` to here, without a word about the work in it."""
        return self.since(earlier)

    def since(self, earlier: Reading, rhythms: Sequence[Rhythm] = ()) -> Energy:
        """Return the energy of the window from `earlier` to here; `rhythms` say how the work repeated itself.

        Raises:
            ValueError: the readings are in the wrong order, or of different meters.
        """
        if self.origin is not earlier.origin:
            raise ValueError(
                "the readings are of meters that were opened apart: subtract readings of the same"
            )
        seconds = self.seconds - earlier.seconds
        if seconds < 0:
            raise ValueError(
                f"the window would last {seconds:.3f} s: subtract the earlier reading from the later"
            )
        faults = tuple(fault for fault in self.faults if fault.touches(earlier.seconds, self.seconds))
        before = {count.key: count for count in earlier.counts}
        after = {count.key: count for count in self.counts}
        span = (earlier.seconds, self.seconds)
        parts = [
            _window(before.get(key), after.get(key), span, faults, rhythms) for key in {**before, **after}
        ]
        return Energy(seconds, choose_headline(parts), faults)


def _window(
    before: Count | None,
    after: Count | None,
    span: tuple[float, float],
    faults: Iterable[Fault],
    rhythms: Sequence[Rhythm],
) -> DomainEnergy:
    count, seconds = after or before, span[1] - span[0]
    assert count is not None
    covered = after.covered_seconds - before.covered_seconds if before and after else 0.0
    coverage = min(1.0, max(0.0, covered / seconds)) if seconds > 0 else 1.0
    reason = _why_unknown(before, after) or _why_too_little(before, after, coverage, seconds)
    part = DomainEnergy(
        count.domain,
        count.device,
        count.source,
        count.kind,
        count.witness,
        None,
        coverage,
        reason,
        model=count.model,
        boundary=count.boundary,
    )
    if reason or before is None or after is None or before.joules is None or after.joules is None:
        return part
    bounds = Bounds(
        after.joules - before.joules,
        min(before.low_factor, after.low_factor),
        max(before.high_factor, after.high_factor),
        before.edge_joules + after.edge_joules,
        after.sampling_joules - before.sampling_joules,
        _stake(count, faults),
        None if after.paces is None else Shown(after.paces, before.pace, after.pace, *span, rhythms),
        _modelled(before, after),
    )
    if count.witness and bounds.edges_joules > bounds.joules:
        edges = f"its edges ({bounds.edges_joules:.1f} J) exceed its value ({bounds.joules:.1f} J)"
        return replace(part, reason=f"{edges}: the window is too short for it")
    edge = max(before.edge_joules, after.edge_joules)  # stale at the start adds, stale at the end takes away
    return replace(part, joules=bounds.joules, edge_joules=edge, bounds=bounds)


def _modelled(before: Count, after: Count) -> tuple[float, float] | None:
    """Return the least and the most that a model says of a window."""
    if before.bounds_joules is None or after.bounds_joules is None:
        return None
    least, most = (
        late - early for early, late in zip(before.bounds_joules, after.bounds_joules, strict=True)
    )
    return least, most


def _stake(count: Count, faults: Iterable[Fault]) -> float | None:
    """Add up what the window's faults may have hidden from this count (they never add any)."""
    own = [fault.joules_at_stake for fault in faults if fault.concerns(count.source, count.device)]
    known = [joules for joules in own if joules is not None]
    return sum(known) if len(known) == len(own) else None


def _why_unknown(before: Count | None, after: Count | None) -> str | None:
    if before is None or after is None:
        return f"not read at the {'start' if before is None else 'end'} of the window"
    if before.joules is None:
        return before.reason
    if after.joules is None:
        return f"{after.reason}{_partial(before.joules, after.last_joules)}"
    if after.joules < before.joules:
        return f"the count went back from {before.joules:.3f} to {after.joules:.3f} J"
    return None


def _why_too_little(before: Count | None, after: Count | None, coverage: float, seconds: float) -> str | None:
    """Say what was counted where most of the window was not seen: no figure, but at least so much."""
    if coverage >= KNOWN_SHARE or (1 - coverage) * seconds <= JITTER_SECONDS:
        return None
    assert before is not None
    assert after is not None
    counted = (after.joules or 0.0) - (before.joules or 0.0)
    return f"only {coverage:.0%} of the window was seen: at least {counted:.1f} J"


def _partial(before_joules: float, last_joules: float | None) -> str:
    if last_joules is None or last_joules < before_joules:
        return ""
    return f"; {last_joules - before_joules:.3f} J had been counted in this window by then"
