"""The zones of Linux powercap that count energy which no other zone counts.

AMD has one energy counter per package, and kernels that number dies show it once per die: 68 + 68 W for the
68 W of a Threadripper 1950X (codecarbon issue 1274). Intel's packages of several dies (Cascade Lake AP) have
one per die. So dies are compared: one counter read under two names always shows the same, while two counters
part. Different packages are never taken for one, whatever they show.
"""

from __future__ import annotations

import errno
import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from energy.meters._meter import MeterUnavailable
from energy.meters.rapl.help import explain_absent, explain_closed, explain_unreadable

# No package draws more, nor its memory: twice the greatest rated power (Xeon 6900P, EPYC 9965: 500 W). Stated
# limits are no bound: laptops of 15 W draw 45 W, and a DRAM zone that draws 12 W may say 1 W.
MOST_WATTS = 1000.0
MOST_PLATFORM_WATTS = 20_000.0
ROUNDS = 5
PAUSE_SECONDS = 0.01  # ten updates of a counter; 50 ms in all, and only where there are dies
# Reads of one counter may be an update or two apart. Two counters so close would have to draw alike as well.
TOLERANCE_SHARE = 0.1
PLATFORM = "platform"  # the domain of psys: what it holds beside the packages is the maker's choice
GONE = (errno.ENOENT, errno.ENODEV, errno.ENXIO)


@dataclass(frozen=True)
class Zone:
    """One zone that counts: its file, what it is called, what it counts and where it wraps."""

    file: Path
    name: str
    domain: str
    device: str
    range_joules: float | None

    @property
    def wrap_seconds(self) -> float:
        """How fast the counter can wrap."""
        return self.range_joules / self.most_watts if self.range_joules else float("inf")

    @property
    def most_watts(self) -> float:
        """What it can count at most."""
        return MOST_PLATFORM_WATTS if self.domain == PLATFORM else MOST_WATTS


@dataclass(eq=False)
class ZoneFile:
    """A zone's counter behind a kept descriptor, whose reading costs a tenth of opening it each time.

    renewed: the last reading is the first from another file than the one before.
    """

    zone: Zone
    renewed: bool = False
    _descriptor: int = field(default=-1, repr=False)

    def joules(self) -> float:
        """Read the counter, of the file that is there now if the one that was read so far is gone.

        Raises:
            OSError: it is gone (`errno` in GONE) or closed.
            ValueError: it shows no number.
        """
        if self._descriptor >= 0:
            try:
                joules = self._read()
            except OSError as problem:
                if problem.errno not in GONE:
                    raise
                self.close()
            else:
                self.renewed = False
                return joules
        return self._renew()

    def close(self) -> None:
        """Close the descriptor; closing twice does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1

    def _renew(self) -> float:
        """Open the file that is there now and read it, unless its zone has become another."""
        if _name(self.zone.file.parent) != self.zone.name:  # numbers may be given out anew
            raise OSError(errno.ENODEV, "no such zone any more", str(self.zone.file.parent))
        self._descriptor = os.open(self.zone.file, os.O_RDONLY)
        self.renewed = True
        try:
            return self._read()
        except (OSError, ValueError):
            self.close()
            raise

    def _read(self) -> float:
        text = os.pread(self._descriptor, 32, 0)
        if not os.fstat(self._descriptor).st_nlink:  # sysfs says ENODEV; an ordinary file would live on
            raise OSError(errno.ENODEV, "the file was removed", str(self.zone.file))
        if not text.strip().isdigit():
            raise ValueError(f"the file shows {text!r}, expected a number of microjoules")
        return int(text) / 1e6


def open_zones(
    root: Path, sleep: Callable[[float], None] = time.sleep, system: Path = Path("/")
) -> list[ZoneFile]:
    """Open the zones that count something of their own.

    Raises:
        MeterUnavailable: there are no packages, or one of them is closed to this user.
    """
    zones = _zones(root)
    if not any(zone.domain == "cpu" for zone in zones):
        raise explain_absent(root, system)
    files = [ZoneFile(zone) for zone in zones]
    try:
        chosen = _without_mirrors([file for file in files if _counts(file)], sleep)
    except PermissionError:
        _close(files)
        raise explain_closed([zone.file for zone in zones], system) from None
    except (OSError, ValueError) as problem:
        _close(files)
        raise explain_unreadable(problem, system) from None
    _close([file for file in files if file not in chosen])
    return chosen


def _counts(file: ZoneFile) -> bool:
    """Read a counter, and say whether it works: some machines have a DRAM zone that shows 0, or nothing."""
    if file.zone.domain == "cpu":
        file.joules()
        return True
    try:
        return file.joules() > 0
    except PermissionError:
        if file.zone.domain == PLATFORM:  # a witness: it may be closed where the others were opened
            return False
        raise
    except (OSError, ValueError):
        return False


def _close(files: Sequence[ZoneFile]) -> None:
    for file in files:
        file.close()


def _zones(root: Path) -> list[Zone]:
    """Return the zones of packages and DRAM, without MMIO twins, in the order of their numbers."""
    try:
        paths = sorted(root.glob("intel-rapl*:*"), key=_place_of)
    except OSError:  # a folder that is none, that nobody may look into, or whose links go round in circles
        paths = []
    packages = {path: _name(path) for path in paths if path.name.count(":") == 1}
    zones: list[Zone] = []
    for path, name in packages.items():
        if not name.startswith(("package", "psys")) or _is_twin(path, name, packages):
            continue
        # No two zones of one control type have one name; if they had, one would hide the other's joules.
        taken = any(zone.device == name for zone in zones)
        domain = PLATFORM if name.startswith("psys") else "cpu"
        package = _zone(path, domain, f"{name}@{path.name}" if taken else name)
        zones.append(package)
        children = [child for child in paths if child.name.startswith(f"{path.name}:")]
        zones += [
            _zone(child, "ram", f"{package.device}/dram") for child in children if _name(child) == "dram"
        ]
    return zones


def _place_of(path: Path) -> tuple[str, list[tuple[int, str]]]:
    """Return what orders zones: Linux counts them in hexadecimal (drivers/powercap/powercap_sys.c)."""
    kind, *numbers = path.name.split(":")
    return kind, [(int(n, 16) if re.fullmatch("[0-9a-f]+", n) else -1, n) for n in numbers]


def _is_twin(path: Path, name: str, packages: dict[Path, str]) -> bool:
    """Say whether an MMIO zone shows a package that another zone shows as well."""
    if "mmio" not in path.name:
        return False
    return any(other != path and packages[other] == name and "mmio" not in other.name for other in packages)


def _zone(path: Path, domain: str, device: str) -> Zone:
    return Zone(path / "energy_uj", _name(path), domain, device, _range_joules(path / "max_energy_range_uj"))


def _name(path: Path) -> str:
    """Return what the zone is called; "" for one that does not say, which therefore counts as nothing."""
    try:
        return (path / "name").read_text(errors="replace").strip()
    except OSError:
        return ""


def _range_joules(path: Path) -> float | None:
    """Read where the counter wraps; None if that is not told: then a fall is a reset."""
    try:
        text = path.read_text(errors="replace").strip()
    except OSError:
        return None
    return int(text) / 1e6 or None if re.fullmatch("[0-9]+", text) else None


def _without_mirrors(files: Sequence[ZoneFile], sleep: Callable[[float], None]) -> list[ZoneFile]:
    """Leave out zones that show the counter of an earlier zone of their package.

    Raises:
        MeterUnavailable: dies show the same, and it stands still: they may be one counter or several.
    """
    suspects = [file for file in files if sum(_alike(file, other) for other in files) > 1]
    rows = _watch(suspects, sleep)
    kept: list[ZoneFile] = []
    for file in files:
        if not any(_alike(file, other) and _same(rows[id(file)], rows[id(other)], file) for other in kept):
            kept.append(file)
    return kept


def _alike(file: ZoneFile, other: ZoneFile) -> bool:
    """Say whether two zones may show one counter: same domain, same package."""
    return _package(file) == _package(other)


def _package(file: ZoneFile) -> tuple[str, str]:
    return file.zone.domain, re.sub(r"(package-\d+).*", r"\1", file.zone.device)


def _watch(files: Sequence[ZoneFile], sleep: Callable[[float], None]) -> dict[int, list[float]]:
    """Read all, several times, in turns."""
    rows: dict[int, list[float]] = {id(file): [] for file in files}
    for turn in range(ROUNDS if files else 0):
        if turn:
            sleep(PAUSE_SECONDS)
        for file in files:
            rows[id(file)].append(file.joules())
    return rows


def _same(first: Sequence[float], second: Sequence[float], file: ZoneFile) -> bool:
    """Say whether two rows of readings are of one counter."""
    apart = max(_distance(a, b, file.zone.range_joules) for a, b in zip(first, second, strict=True))
    moved = max(_distance(row[0], row[-1], file.zone.range_joules) for row in (first, second))
    if not apart and not moved:
        raise MeterUnavailable(
            f"Dies of one package show the same RAPL counter, which stands still ({file.zone.file}).",
            "Nobody can say whether they are one counter or several: use the meter outside.",
        )
    return apart <= TOLERANCE_SHARE * moved


def _distance(a: float, b: float, range_joules: float | None) -> float:
    """Return how far apart two counts are; one of them may just have wrapped."""
    apart = abs(a - b)
    return min(apart, range_joules - apart) if range_joules else apart
