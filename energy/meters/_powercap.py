"""The zones of Linux powercap that count energy which no other zone counts."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from energy.meters._meter import MeterUnavailable

PLAUSIBLE_WATTS = 1000.0  # per package, where no constraint says what it may draw
BURST_FACTOR = 2.0  # short-term limits exceed a constraint's stated maximum
SAME_COUNTER_JOULES = 1.0  # two reads of one counter, some milliseconds apart
TELLING_JOULES = 1000.0  # below it, two different counters may still be equal because both were just reset


@dataclass(frozen=True)
class Zone:
    """One powercap zone that counts, with what it can draw and where it wraps."""

    path: Path
    domain: str
    device: str
    range_joules: float | None
    max_watts: float

    @property
    def wrap_seconds(self) -> float:
        """How fast the counter can wrap."""
        return self.range_joules / self.max_watts if self.range_joules else float("inf")

    def joules(self) -> float:
        """Read the counter; by os.read, since opening a file object takes longer than the reading."""
        descriptor = os.open(self.path / "energy_uj", os.O_RDONLY)
        try:
            return int(os.read(descriptor, 32)) / 1e6
        finally:
            os.close(descriptor)


def usable(root: Path) -> list[Zone]:
    """Return the zones that count something of their own and can be read.

    Raises:
        MeterUnavailable: there are no packages, or one of them is closed to this user.
    """
    zones = _zones(root)
    packages = [zone for zone in zones if zone.domain == "cpu"]
    if not packages:
        raise MeterUnavailable(
            f"There are no RAPL packages under {root}.",
            "Virtual machines and containers hide them; on bare metal, `sudo modprobe intel_rapl_msr`.",
        )
    for zone in packages:
        _check_readable(zone, root)
    return [zone for zone in zones if _counts(zone) and not _mirrors(zone, zones)]


def _zones(root: Path) -> list[Zone]:
    """Return the zones of packages and DRAM, without MMIO twins, in the order of their names."""
    paths = sorted(root.glob("intel-rapl*:*")) if root.is_dir() else []
    packages = {path: _name(path) for path in paths if path.name.count(":") == 1}
    zones = []
    for path, name in packages.items():
        if not name.startswith("package") or _is_twin(path, name, packages):
            continue
        zones.append(_zone(path, "cpu", name))
        drams = [
            child for child in paths if child.name.startswith(f"{path.name}:") and _name(child) == "dram"
        ]
        zones += [_zone(child, "ram", f"{name}/dram") for child in drams]
    return zones


def _is_twin(path: Path, name: str, packages: dict[Path, str]) -> bool:
    """Say whether an MMIO zone shows a package that another zone shows as well."""
    if "mmio" not in path.name:
        return False
    return any(other != path and packages[other] == name and "mmio" not in other.name for other in packages)


def _zone(path: Path, domain: str, device: str) -> Zone:
    limits = [_number(limit) / 1e6 for limit in path.glob("constraint_*_power*_uw")]  # maxima and set limits
    max_watts = max(limits, default=0.0) * BURST_FACTOR or PLAUSIBLE_WATTS
    return Zone(path, domain, device, _number(path / "max_energy_range_uj") / 1e6 or None, max_watts)


def _counts(zone: Zone) -> bool:
    """Say whether the zone's counter works: some machines have a DRAM zone that always shows 0."""
    return zone.domain == "cpu" or _number(zone.path / "energy_uj") > 0


def _mirrors(zone: Zone, zones: Iterable[Zone]) -> bool:
    """Say whether an earlier package shows the same counter, as the dies of one AMD package do.

    Counters of independent packages come within 1 J of each other once in 100 000 times (machines with
    mirrors: codecarbon issue 1274).
    """
    for other in zones:
        if other == zone:
            return False
        if other.domain != zone.domain:
            continue
        first, second = _number(other.path / "energy_uj") / 1e6, _number(zone.path / "energy_uj") / 1e6
        if min(first, second) > TELLING_JOULES and abs(first - second) <= SAME_COUNTER_JOULES:
            return True
    return False


def _check_readable(zone: Zone, root: Path) -> None:
    try:
        zone.joules()
    except PermissionError:
        raise MeterUnavailable(
            f"The RAPL counters are closed to this user ({zone.path / 'energy_uj'}).",
            f"`sudo chmod a+r {root}/intel-rapl*:*/energy_uj` opens them until the next boot; for good: "
            """`echo 'SUBSYSTEM=="powercap", ACTION=="add", RUN+="/bin/chmod a+r /sys%p/energy_uj"' """
            "| sudo tee /etc/udev/rules.d/70-rapl.rules`.",
        ) from None
    except (OSError, ValueError) as problem:
        raise MeterUnavailable(
            f"A RAPL counter cannot be read: {problem}.", "Containers mask them; measure outside."
        ) from None


def _name(path: Path) -> str:
    try:
        return (path / "name").read_text().strip()
    except OSError:
        return ""


def _number(path: Path) -> float:
    """Read a number, 0 if there is none: limits and ranges are optional."""
    try:
        return float(re.sub(r"\s", "", path.read_text()))
    except (OSError, ValueError):
        return 0.0
