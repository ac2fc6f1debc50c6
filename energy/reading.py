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

One file, since it is one subtraction: what stands on its left (Count, Reading) and what comes out (Energy).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from energy.bounds import Bounds, Shown
from energy.fault import FLAGS, OF_THE_WINDOW, Fault
from energy.sampling import Paces, Rhythm

__all__ = ["Count", "DomainEnergy", "Energy", "Fault", "Reading"]

MACHINE, PROCESS = BOUNDARIES = ("machine", "process")
EDGE_SHARE = 0.01  # a window whose edges may be wrong by more than this share is too short
SAMPLING_SHARE = 0.05  # power changed so much between samples that they may have missed more than this
COVERAGE_SHARE = 0.99  # below it a figure has a hole that its reader should know about
KNOWN_SHARE = 0.5  # below it what was counted is no figure, but "at least" so much
JITTER_SECONDS = 0.05  # the meters of one reading are not read at one instant
AGREEMENT_SHARE = 0.05  # the gain error of an NVIDIA board (arXiv 2312.02741): two witnesses may differ by it


@dataclass(frozen=True)
class Count:
    """One cumulative count at one instant.

    domain: "gpu", "cpu" or "ram"; "machine" for all of it, seen from outside (always a witness).
    device: a GPU's UUID, "package-0", "machine" ...; several are joined by commas.
    source: how it was read ("nvml_counter", "nvml_power", "rapl", "codecarbon_cpu_load_model" ...).
    kind: "measured" or "modelled".
    boundary: of what `joules` are: "machine", what the box drew, or "process", what this process tree caused.
    joules: from an arbitrary origin; None if unknown at this instant, and `reason` says why.
    covered_seconds: cumulative time that `joules` accounts for.
    low_factor, high_factor: the truth lies between these multiples of joules (gain or model error).
    edge_joules: how much this instant may be stale by.
    resolution_seconds: the counter's own step.
    witness: never a headline figure, only a second opinion.
    last_joules: where the count stood when it became unknown.
    sampling_joules: cumulative; how much may have slipped between the samples that `joules` was made from at
        most, beside what `paces` tell.
    paces: all power that the sensor has shown, if it may miss some.
    pace: how many values of `paces` there were at this instant.
    model: the parameters of a modelled count.
    bounds_joules: cumulative joules, at least and at most, where factors of `joules` would not say it.
    """

    domain: str
    device: str
    source: str
    kind: str
    joules: float | None
    covered_seconds: float
    low_factor: float = 1.0
    high_factor: float = 1.0
    edge_joules: float = 0.0
    resolution_seconds: float = 0.0
    witness: bool = False
    reason: str | None = None
    last_joules: float | None = None
    sampling_joules: float = 0.0
    paces: Paces | None = field(default=None, repr=False, compare=False)
    pace: int = 0
    model: Mapping[str, Any] | None = None
    boundary: str = "machine"
    bounds_joules: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        assert self.kind in ("measured", "modelled"), self.kind
        assert self.boundary in BOUNDARIES, self.boundary
        assert self.joules is not None or self.reason, "an unknown count needs a reason"
        assert 0 <= self.low_factor <= 1 <= self.high_factor, (self.low_factor, self.high_factor)
        assert self.edge_joules >= 0, self.edge_joules
        assert self.domain != "machine" or self.witness, "the whole machine is never a part of a total"

    def at(self, **figures: Any) -> Count:
        """Return this count as of another instant, with other figures.

        As dataclasses.replace in a fifth of the time and unchecked: it is inside every window's edges.
        """
        count = object.__new__(Count)
        count.__dict__.update(self.__dict__, **figures)
        return count

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Return what makes this count the same one in every reading."""
        return self.domain, self.device, self.source, self.boundary


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
        return Energy(seconds, _with_witnesses(parts), faults)


@dataclass(frozen=True)
class DomainEnergy:
    """What one source counted on one device during a window.

    joules: None if unknown, and `reason` says why.
    coverage: share of the window that `joules` accounts for, 0 to 1.
    edge_joules: how much the worse of the window's edges may hide.
    bounds: what the band is made of; None if the figure is unknown.
    rivals: other measurements of the device: those that differ by more than can be explained widen the band.
    model: the parameters of a modelled figure.
    boundary: "machine" or "process", as of the count.
    """

    domain: str
    device: str
    source: str
    kind: str
    witness: bool
    joules: float | None
    coverage: float
    reason: str | None = None
    edge_joules: float = 0.0
    bounds: Bounds | None = field(default=None, repr=False)
    rivals: tuple[DomainEnergy, ...] = field(default=(), repr=False)
    model: Mapping[str, Any] | None = None
    boundary: str = "machine"

    @property
    def band(self) -> tuple[float, float] | None:
        """Where the truth lies (J), so that it holds each measurement of the device; None if nobody knows."""
        own = None if self.bounds is None else self.bounds.band
        if own is None:
            return None
        others = [other.band for other in self.rivals if _disagree(self, other)]
        bands = [own, *(band for band in others if band is not None)]
        return min(low for low, _ in bands), max(high for _, high in bands)

    @property
    def sampling_joules(self) -> float:
        """How much the sensor may have missed by chance (J), either way."""
        return 0.0 if self.bounds is None else self.bounds.slip.joules


@dataclass(frozen=True)
class Energy:
    """What all sources counted during a window of `seconds`, and what went wrong in it.

    Its headline is of one boundary: what the machine drew where any of it is measured, and what this process
    tree caused where all of it is modelled. Figures of the other boundary are witnesses, and in no sum.
    """

    seconds: float
    domains: tuple[DomainEnergy, ...]
    faults: tuple[Fault, ...] = ()

    def headline(self) -> tuple[DomainEnergy, ...]:
        """Return one figure per physical thing; the other figures are its witnesses."""
        return tuple(part for part in self.domains if not part.witness)

    def joules(self, domain: str | None = None) -> float | None:
        """Sum the headline figures, of one domain or of all; None if any is unknown or there is none."""
        parts = [part.joules for part in self._parts(domain)]
        known = [joules for joules in parts if joules is not None]
        return sum(known) if known and len(known) == len(parts) else None

    def band(self, domain: str | None = None) -> tuple[float, float] | None:
        """Return where the truth behind `joules` lies (J), or None if a part of it is unknown."""
        parts = [part.band for part in self._parts(domain)]
        known = [band for band in parts if band is not None]
        if not known or len(known) < len(parts):
            return None
        return sum(low for low, _ in known), sum(high for _, high in known)

    @property
    def kind(self) -> str | None:
        """Return "measured", "modelled" or "mixed"; None if nothing was metered."""
        kinds = {part.kind for part in self.headline()}
        return "mixed" if len(kinds) > 1 else next(iter(kinds), None)

    @property
    def boundary(self) -> str | None:
        """Return of what the headline is, "machine" or "process"; None if nothing was metered."""
        return next((part.boundary for part in self.headline()), None)

    def flags(self) -> tuple[str, ...]:
        """Name what speaks against these figures, in alphabetical order; empty if nothing does."""
        return tuple(sorted({*self._fault_flags(), *self._figure_flags()}))

    def disagreement(self, witness: DomainEnergy) -> float | None:
        """Return how far a second opinion lies from the headline: (witness - headline) / headline.

        None if either is unknown, if the headline is 0, or if no headline is of the same devices and
        boundary.
        """
        if witness.boundary != self.boundary:
            return None
        parts = [part.joules for part in self._parts(witness.domain) if _same_devices(part, witness)]
        known = [joules for joules in parts if joules is not None]
        if witness.joules is None or not sum(known) or len(known) < len(parts):
            return None
        return (witness.joules - sum(known)) / sum(known)

    def _parts(self, domain: str | None) -> list[DomainEnergy]:
        return [part for part in self.headline() if domain in (None, part.domain)]

    def _fault_flags(self) -> Iterator[str]:
        for fault in self.faults:
            concerned = fault.kind in OF_THE_WINDOW or any(
                fault.concerns(part.source, part.device) for part in self.headline()
            )
            if fault.kind in FLAGS and concerned:
                yield FLAGS[fault.kind]

    def _figure_flags(self) -> Iterator[str]:
        witnesses = [part for part in self.domains if part.witness]
        for part in self.headline():
            if part.joules is not None and part.edge_joules > EDGE_SHARE * part.joules:
                yield "window_too_short"
            if part.joules is not None and part.sampling_joules > SAMPLING_SHARE * part.joules:
                yield "undersampled"
            if part.bounds is not None and part.bounds.slip.aliased:
                yield "aliased"
            if part.coverage < COVERAGE_SHARE and (1 - part.coverage) * self.seconds > JITTER_SECONDS:
                yield "low_coverage"
            if any(_disagree(part, other) for other in part.rivals):
                yield "meters_disagree"
        if any(self._exceeds(whole) for whole in witnesses if whole.domain == "machine"):
            yield "meters_disagree"

    def _exceeds(self, whole: DomainEnergy) -> bool:
        """Say whether the parts were measured to draw more than the machine that they are parts of."""
        bands = [part.band for part in self.headline() if part.kind == "measured" and part.band]
        return whole.band is not None and sum(low for low, _ in bands) > whole.band[1]


def _same_devices(part: DomainEnergy, other: DomainEnergy) -> bool:
    """Say whether two figures are of the same hardware; "machine" is all CPUs, or all memory, of it."""
    devices, others = set(part.device.split(",")), set(other.device.split(","))
    return bool(devices & others) or (part.domain != "gpu" and "machine" in devices | others)


def _rivals(part: DomainEnergy, others: Iterable[DomainEnergy]) -> tuple[DomainEnergy, ...]:
    """Return the other measurements of the device that a figure is of."""
    if part.kind == "modelled":
        return ()
    of_it = (other for other in others if (other.domain, other.device) == (part.domain, part.device))
    return tuple(other for other in of_it if other is not part and other.kind == "measured")


def _disagree(part: DomainEnergy, other: DomainEnergy) -> bool:
    """Say whether two measurements of one device differ by more than gain, edges and sampling explain."""
    if part.joules is None or other.joules is None or min(part.coverage, other.coverage) < COVERAGE_SHARE:
        return False
    slack = 2 * (part.edge_joules + other.edge_joules) + part.sampling_joules + other.sampling_joules
    return abs(part.joules - other.joules) > AGREEMENT_SHARE * max(part.joules, other.joules) + slack


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


def _with_witnesses(parts: Iterable[DomainEnergy]) -> tuple[DomainEnergy, ...]:
    """Choose one source per thing: measured before modelled, ours before CodeCarbon's, counters first.

    All are of one boundary. The choice never looks at the figures: a source that became unknown is not
    replaced by one that guesses.
    """
    ranked = sorted(parts, key=lambda part: (part.witness, *_rank(part), part.device))
    boundary = _choose_boundary([part for part in ranked if not part.witness])
    chosen: list[DomainEnergy] = []
    for part in ranked:
        of_total = not part.witness and part.boundary == boundary
        if of_total and not any(_same_thing(part, other) for other in chosen):
            chosen.append(part)
    return tuple(
        replace(part, rivals=_rivals(part, ranked)) if part in chosen else replace(part, witness=True)
        for part in ranked
    )


def _choose_boundary(parts: Sequence[DomainEnergy]) -> str:
    """Return the boundary of a total: the machine, unless all is modelled, and that for the process, too."""
    if any(part.kind == "measured" for part in parts):
        return MACHINE
    of_process = {part.domain for part in parts if part.boundary == PROCESS}
    return PROCESS if {part.domain for part in parts} == of_process else MACHINE


def _rank(part: DomainEnergy) -> tuple[bool, bool, bool]:
    return part.kind == "modelled", part.source.startswith("codecarbon"), not part.source.endswith("_counter")


def _same_thing(part: DomainEnergy, other: DomainEnergy) -> bool:
    """Say whether two sources look at the same hardware; one source never counts the same thing twice."""
    return part.domain == other.domain and part.source != other.source and _same_devices(part, other)
