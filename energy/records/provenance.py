"""How a record's joules were got, and of what: meters, measured or modelled, how far the truth may lie."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from energy.records.metrics import METRICS

# What is, or is derived from, an energy: its error is the meter's, and it is measured or modelled as that is.
ENERGY_UNITS = ("kJ", "J", "1/kJ", "W", "g")

# What a total is of. The last was one, before the other two were kept apart: a sum over both.
PROCESS, MACHINE, BOTH = BOUNDARIES = ("process", "machine", "process+machine")
# Models that know how long a CPU worked, and nothing of what it did.
FROM_CPU_TIME = ("cpu_seconds_model", "codecarbon_cpu_load_model")

_PARTS = {"gpu_kj": "gpu", "cpu_kj": "cpu", "ram_kj": "ram"}
_WITNESSES = {"codecarbon_kj": "codecarbon", "outside_kj": "outside_"}


@dataclass(frozen=True)
class Provenance:
    """Tell what is behind a total.

    Args:
        kind: "measured", "modelled", or "mixed" if the total adds up both.
        boundary: what it is of, one of BOUNDARIES.
        sources: sources of the domains in the total, each with its kind, sorted.
        joules: mean total over the repeats; None if a part is unknown.
        band: joules between which the truth lies; None if unknown.
    """

    kind: str
    boundary: str
    sources: tuple[tuple[str, str], ...]
    joules: float | None
    band: tuple[float, float] | None

    @property
    def told_kind(self) -> str:
        """How it was got, for people: "modelled from CPU time" says that it knows no more than that."""
        return describe_kind(self.kind, (source for source, _ in self.sources))

    @property
    def factors(self) -> tuple[float, float] | None:
        """Return the band relative to the total; None if either is unknown, or the total is 0."""
        if self.band is None or not self.joules:
            return None
        return self.band[0] / self.joules, self.band[1] / self.joules


def find_provenance(record: Mapping[str, Any]) -> Provenance | None:
    """Return the provenance of a record's total energy; None if nothing was metered."""
    parts = [domain for domain in record["domains"] if not domain["witness"]]
    if not parts:
        return None
    kinds = {part["kind"] for part in parts}
    sources = sorted({(part["source"], part["kind"]) for part in parts})
    kind = kinds.pop() if len(kinds) == 1 else "mixed"
    boundary = find_boundary(parts) or MACHINE
    # The record decides whether there is a total: without CPU or RAM, say, the sum of the rest is none.
    if record["metrics"].get("total_kj", {}).get("mean") is None:
        return Provenance(kind, boundary, tuple(sources), None, None)
    return Provenance(kind, boundary, tuple(sources), _total(parts), _band(parts))


def find_boundary(domains: Iterable[Mapping[str, Any]]) -> str | None:
    """Return what the total of a record's domains is of; None if nothing was metered."""
    found = {domain["boundary"] for domain in domains if not domain["witness"]}
    return BOTH if len(found) > 1 else next(iter(found), None)


def describe_kind(kind: str, sources: Iterable[str]) -> str:
    """Say how joules were got.

    >>> describe_kind("modelled", ["cpu_seconds_model", "ram_model"]), describe_kind("measured", ["rapl"])
    ('modelled from CPU time', 'measured')
    """
    by_time = kind == "modelled" and any(source in FROM_CPU_TIME for source in sources)
    return "modelled from CPU time" if by_time else kind


def kind_of(record: Mapping[str, Any], metric: str) -> str | None:
    """Return whether a metric of a record is measured, modelled or a mix of both.

    A part of the energy is what its own meters are, everything else what the total is. None for what is no
    energy, and where nothing was metered.
    """
    known = METRICS.get(metric)
    if known is None or known.unit not in ENERGY_UNITS:
        return None
    kinds = {domain["kind"] for domain in record["domains"] if _is_behind(domain, metric)}
    return "mixed" if len(kinds) > 1 else next(iter(kinds), None)


def boundary_of(record: Mapping[str, Any], metric: str) -> str | None:
    """Return what an energy of a record is of; None for what is no energy, and where nothing was metered."""
    if kind_of(record, metric) is None:
        return None
    found = {domain["boundary"] for domain in record["domains"] if _is_behind(domain, metric)}
    return BOTH if len(found) > 1 else next(iter(found), None)


def _is_behind(domain: Mapping[str, Any], metric: str) -> bool:
    if metric in _WITNESSES:
        return str(domain["source"]).startswith(_WITNESSES[metric])
    return not domain["witness"] and domain["domain"] == _PARTS.get(metric, domain["domain"])


def _total(parts: list[dict[str, Any]]) -> float | None:
    """Add up the means over the repeats."""
    if any(None in part["joules"] for part in parts):
        return None
    return sum(fmean(part["joules"]) for part in parts)


def _band(parts: list[dict[str, Any]]) -> tuple[float, float] | None:
    """Add up the ends: the errors of two meters need not cancel."""
    bands = [part["band"] for part in parts if part["band"] is not None]
    if len(bands) < len(parts):
        return None
    return sum(low for low, _ in bands), sum(high for _, high in bands)
