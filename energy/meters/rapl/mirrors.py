"""Dies of one processor package that show one counter under several names.

AMD has one energy counter per package, and kernels that number dies show it once per die: 68 + 68 W for the
68 W of a Threadripper 1950X (codecarbon issue 1274). Intel's packages of several dies (Cascade Lake AP) have
one per die. So dies are compared: one counter read under two names always shows the same, while two counters
part. Different packages are never taken for one, whatever they show.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from energy.meters._meter import MeterUnavailable

if TYPE_CHECKING:
    from energy.meters.rapl.powercap import ZoneFile

ROUNDS = 5
PAUSE_SECONDS = 0.01  # ten updates of a counter; 50 ms in all, and only where there are dies
# Reads of one counter may be an update or two apart. Two counters so close would have to draw alike as well.
TOLERANCE_SHARE = 0.1


def without_mirrors(files: Sequence[ZoneFile], sleep: Callable[[float], None]) -> list[ZoneFile]:
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
