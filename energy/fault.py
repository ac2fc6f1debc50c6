"""What can go wrong with a measurement, the flag that says so, and which flags make a figure unusable."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

# Fault kind -> validity flag. "unreadable" has none: the next attempt made it good.
FLAGS: Mapping[str, str] = MappingProxyType(
    {
        "gap": "gap",
        "stuck": "gap",
        "reset": "reset",
        "lost": "lost_device",
        "shared": "shared_device",
        "double": "billed_twice",
        "throttled": "throttled",
        "suspend": "host_suspended",
        "clock_step": "clock_step",
        "paused": "paused",
    }
)
# Flags whose harm is in the figure's band already: they are told. With any other the figure cannot be used.
COLLAPSED = "collapsed"  # it finds nothing of the brain, or brain everywhere: measured, and learnt nothing
NOTES = ("aliased", COLLAPSED, "low_coverage", "meters_disagree", "undersampled", "window_too_short")
OPEN_ENDED = ("lost", "shared")  # faults that last from their instant on, if no length is given
OF_THE_DEVICE = ("shared", "double", "throttled")  # whatever source reads it
OF_THE_WINDOW = ("suspend", "clock_step", "paused")  # whatever was read
# A sensor that fails every other second for a day would make 43 000 faults, which each reading would have to
# look through and each record to hold.
MOST_FAULTS = 100
JOINED = " (several, joined)"


@dataclass(frozen=True)
class Fault:
    """What went wrong with one source, from `at_seconds` (monotonic clock) on, for `seconds`.

    kind: "gap" (an interval nobody counted), "reset" (a counter that began anew), "lost" (the device is gone
    for good), "stuck" (a counter that stopped), "unreadable" (a failed attempt that the next one made good),
    "shared" (others use the device too), "double" (others bill the device too), "throttled" (a GPU was slowed
    down), "suspend" (the host slept), "clock_step" (the wall clock was set), "paused" (this process stood
    still).
    joules_at_stake: at most this much is missing from the figure because of it; None if nobody can say.
    """

    kind: str
    source: str
    device: str
    at_seconds: float
    seconds: float
    joules_at_stake: float | None
    reason: str

    def concerns(self, source: str, devices: str) -> bool:
        """Say whether the fault is of this count (whose devices are joined by commas).

        One without a device is of every count of its meter, and one of the device is of whatever reads it.
        """
        if not self.device:
            return source.startswith(self.source)
        if self.kind in OF_THE_DEVICE:
            return bool(set(self.device.split(",")) & set(devices.split(",")))
        return (self.source, self.device) == (source, devices)

    def touches(self, start_seconds: float, end_seconds: float) -> bool:
        """Say whether the fault reaches into the window."""
        endless = self.kind in OPEN_ENDED and not self.seconds
        ends = float("inf") if endless else self.at_seconds + self.seconds
        return self.at_seconds <= end_seconds and ends >= start_seconds

    def joined(self, later: Fault) -> Fault:
        """Return one fault for this and a later one of its kind; what lies between them belongs to it."""
        ends = max(self.at_seconds + self.seconds, later.at_seconds + later.seconds)
        stakes = (self.joules_at_stake, later.joules_at_stake)
        stake = None if None in stakes else sum(joules for joules in stakes if joules is not None)
        return replace(self, seconds=ends - self.at_seconds, joules_at_stake=stake)


def in_order(faults: Iterable[Fault]) -> tuple[Fault, ...]:
    """Return the faults as they happened, oldest first."""
    return tuple(sorted(faults, key=_at_seconds))


def keep(faults: list[Fault], fault: Fault) -> None:
    """Append a fault; if there are too many then, join pairs of the older half that are of one kind.

    So a list stays short, the latest faults stay as they were, and no joule at stake is forgotten: a window
    has a wider band and more flags than it might, never less.
    """
    faults.append(fault)
    if len(faults) > MOST_FAULTS:
        half = len(faults) // 2
        faults[:half] = _in_pairs(faults[:half])


def _at_seconds(fault: Fault) -> float:
    return fault.at_seconds


def _in_pairs(faults: Iterable[Fault]) -> list[Fault]:
    kept: list[Fault] = []
    waiting: dict[tuple[str, str, str], int] = {}  # where the one is that has no partner yet
    for fault in faults:
        key = (fault.kind, fault.source, fault.device)
        place = waiting.pop(key, None)
        if place is not None:
            pair = kept[place].joined(fault)
            kept[place] = replace(pair, reason=pair.reason.removesuffix(JOINED) + JOINED)
        else:
            if fault.seconds or fault.kind not in OPEN_ENDED:  # the end of what has none cannot be named
                waiting[key] = len(kept)
            kept.append(fault)
    return kept
