"""How a record's joules were got: by which meters, measured or modelled, and how far the truth may lie."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from energy import interval


@dataclass(frozen=True)
class Provenance:
    """Tell what is behind a total.

    Args:
        kind: "measured", "modelled", or "mixed" if the total adds up both.
        sources: sources of the domains in the total, each with its kind, sorted.
        joules: mean total over the repeats; None if a part is unknown.
        band: joules between which the truth lies; None if unknown.
    """

    kind: str
    sources: tuple[tuple[str, str], ...]
    joules: float | None
    band: tuple[float, float] | None

    @property
    def factors(self) -> tuple[float, float] | None:
        """Return the band relative to the total; None if either is unknown, or the total is 0."""
        if self.band is None or not self.joules:
            return None
        return self.band[0] / self.joules, self.band[1] / self.joules


def of(record: Mapping[str, Any]) -> Provenance | None:
    """Return the provenance of a record's total energy; None if nothing was metered."""
    parts = [domain for domain in record["domains"] if not domain["witness"]]
    if not parts:
        return None
    kinds = {part["kind"] for part in parts}
    sources = sorted({(part["source"], part["kind"]) for part in parts})
    kind = kinds.pop() if len(kinds) == 1 else "mixed"
    # The record decides whether there is a total: without CPU or RAM, say, the sum of the rest is none.
    if record["metrics"].get("total_kj", {}).get("mean") is None:
        return Provenance(kind, tuple(sources), None, None)
    return Provenance(kind, tuple(sources), _total(parts), _band(parts))


def _total(parts: list[dict[str, Any]]) -> float | None:
    """Add up the means over the repeats."""
    if any(None in part["joules"] for part in parts):
        return None
    return sum(interval.mean(part["joules"]) for part in parts)


def _band(parts: list[dict[str, Any]]) -> tuple[float, float] | None:
    """Add up the ends: the errors of two meters need not cancel."""
    bands = [part["band"] for part in parts if part["band"] is not None]
    if len(bands) < len(parts):
        return None
    return sum(low for low, _ in bands), sum(high for _, high in bands)
