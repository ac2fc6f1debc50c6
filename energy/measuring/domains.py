"""Where each joule of a record comes from: one entry per source and device, with a figure per repeat."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Any

from energy.reading import DomainEnergy, Energy
from energy.records.repeats import NOT_ALWAYS

Key = tuple[str, str, str]


def of(energies: Sequence[Energy]) -> list[dict[str, Any]]:
    """Return the provenance of the figures of some repeats; a source that one did not see is null in it."""
    seen = dict.fromkeys(_key(part) for energy in energies for part in energy.domains)
    headline = {_key(part) for energy in energies for part in energy.headline()}
    return [_entry(key, energies, key not in headline) for key in seen]


def mean_band(bands: Sequence[tuple[float, float] | None]) -> list[float] | None:
    """Return the mean lower and the mean upper end; None if one of the bands is unknown."""
    known = [band for band in bands if band is not None]
    return [fmean(ends) for ends in zip(*known, strict=True)] if known and len(known) == len(bands) else None


def _entry(key: Key, energies: Sequence[Energy], witness: bool) -> dict[str, Any]:
    """Return one source's figures: joules by repeat, the band as its mean over the repeats."""
    parts = [_part(energy, key) for energy in energies]
    known = [part for part in parts if part is not None]
    domain, device, source = key
    joules = [None if part is None else part.joules for part in parts]
    reason = next((part.reason for part in known if part.reason), None)
    return {
        "domain": domain,
        "device": device,
        "source": source,
        "kind": known[0].kind,
        "witness": witness,
        "joules": joules,
        "coverage": min(part.coverage for part in known),
        "band": mean_band([None if part is None else part.band for part in parts]),
        "reason": reason or (NOT_ALWAYS if None in joules else None),
        "disagreement": _disagreements(parts, energies) if witness else None,
        "model": known[0].model,
    }


def _disagreements(parts: Sequence[DomainEnergy | None], energies: Sequence[Energy]) -> list[float | None]:
    """Return by repeat how far this second opinion lies from the headline, as a share of it."""
    return [
        None if part is None else energy.disagreement(part)
        for part, energy in zip(parts, energies, strict=True)
    ]


def _part(energy: Energy, key: Key) -> DomainEnergy | None:
    return next((part for part in energy.domains if _key(part) == key), None)


def _key(part: DomainEnergy) -> Key:
    return part.domain, part.device, part.source
