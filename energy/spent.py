"""What the meters counted during a window, how far the truth may lie from it, and what speaks against it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from energy.fault import FLAGS, OF_THE_WINDOW, Fault

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
    band: where the truth lies (J); None if nobody can say.
    edge_joules, sampling_joules: how much the window's edges and the time between samples may hide.
    model: the parameters of a modelled figure.
    """

    domain: str
    device: str
    source: str
    kind: str
    witness: bool
    joules: float | None
    coverage: float
    band: tuple[float, float] | None
    reason: str | None = None
    edge_joules: float = 0.0
    sampling_joules: float = 0.0
    model: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Energy:
    """What all sources counted during a window of `seconds`, and what went wrong in it."""

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

    def flags(self) -> tuple[str, ...]:
        """Name what speaks against these figures, in alphabetical order; empty if nothing does."""
        return tuple(sorted({*self._fault_flags(), *self._figure_flags()}))

    def disagreement(self, witness: DomainEnergy) -> float | None:
        """Return how far a second opinion lies from the headline: (witness - headline) / headline.

        None if either is unknown, if the headline is 0, or if no headline is of the same devices.
        """
        parts = [part.joules for part in self._parts(witness.domain) if same_devices(part, witness)]
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
            if part.coverage < COVERAGE_SHARE and (1 - part.coverage) * self.seconds > JITTER_SECONDS:
                yield "low_coverage"
            if any(_disagree(part, other) for other in witnesses):
                yield "meters_disagree"
        if any(self._exceeds(whole) for whole in witnesses if whole.domain == "machine"):
            yield "meters_disagree"

    def _exceeds(self, whole: DomainEnergy) -> bool:
        """Say whether the parts were measured to draw more than the machine that they are parts of."""
        bands = [part.band for part in self.headline() if part.kind == "measured" and part.band]
        return whole.band is not None and sum(low for low, _ in bands) > whole.band[1]


def same_devices(part: DomainEnergy, other: DomainEnergy) -> bool:
    """Say whether two figures are of the same hardware; "machine" is all CPUs, or all memory, of it."""
    devices, others = set(part.device.split(",")), set(other.device.split(","))
    return bool(devices & others) or (part.domain != "gpu" and "machine" in devices | others)


def _disagree(part: DomainEnergy, other: DomainEnergy) -> bool:
    """Say whether two measurements of one device differ by more than gain, edges and sampling explain."""
    if (part.domain, part.device) != (other.domain, other.device) or "modelled" in (part.kind, other.kind):
        return False
    if part.joules is None or other.joules is None or min(part.coverage, other.coverage) < COVERAGE_SHARE:
        return False
    slack = 2 * (part.edge_joules + other.edge_joules) + part.sampling_joules + other.sampling_joules
    return abs(part.joules - other.joules) > AGREEMENT_SHARE * max(part.joules, other.joules) + slack
