"""What comes out of a window: one figure per thing, its witnesses, its band, and what speaks against it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from energy.fault import FLAGS, OF_THE_WINDOW, Fault
from energy.reading.bounds import Bounds
from energy.reading.count import MACHINE, PROCESS, WHOLES

EDGE_SHARE = 0.01  # a window whose edges may be wrong by more than this share is too short
SAMPLING_SHARE = 0.05  # power changed so much between samples that they may have missed more than this
COVERAGE_SHARE = 0.99  # below it a figure has a hole that its reader should know about
JITTER_SECONDS = 0.05  # the meters of one reading are not read at one instant
AGREEMENT_SHARE = 0.05  # the gain error of an NVIDIA board (arXiv 2312.02741): two witnesses may differ by it


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
        """How much the sensor may have missed (J), by chance and because it kept step with the work."""
        if self.bounds is None:
            return 0.0
        slip = self.bounds.slip
        return slip.joules + max(slip.too_much, slip.too_little)


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
            if part.bounds is not None and part.bounds.slip.aliased:
                yield "aliased"
            elif part.joules is not None and part.sampling_joules > SAMPLING_SHARE * part.joules:
                yield "undersampled"
            if part.coverage < COVERAGE_SHARE and (1 - part.coverage) * self.seconds > JITTER_SECONDS:
                yield "low_coverage"
            if any(_disagree(part, other) for other in part.rivals):
                yield "meters_disagree"
        if any(self._exceeds(whole) for whole in witnesses if whole.domain in WHOLES):
            yield "meters_disagree"

    def _exceeds(self, whole: DomainEnergy) -> bool:
        """Say whether the parts were measured to draw more than the whole that they are parts of."""
        parts = [part for part in self.headline() if part.kind == "measured"]
        inside = [part for part in parts if whole.domain == "machine" or part.device == whole.device]
        bands = [part.band for part in inside if part.band]
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


def choose_headline(parts: Iterable[DomainEnergy]) -> tuple[DomainEnergy, ...]:
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
