"""What a meter says of one thing at one instant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from energy.reading.sampling import Paces

MACHINE, PROCESS = BOUNDARIES = ("machine", "process")
WHOLES = ("machine", "module")  # they contain what has figures of its own


@dataclass(frozen=True)
class Count:
    """One cumulative count at one instant.

    domain: "gpu", "cpu" or "ram"; "machine" for all of it, seen from outside, and "module" for a GPU with the
        CPU and memory on its superchip (both are always witnesses).
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
        assert self.domain not in WHOLES or self.witness, f"a {self.domain} is never a part of a total"

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
