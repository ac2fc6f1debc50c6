"""The law of a CPU's power: joules as a straight line in signals that only grow.

    joules = idle_watts x threads x seconds + sum over the signals of joules_per x signal

The signals are CPU seconds or, where something has been fitted to a counter, what was done in them:
instructions and last-level misses, or multiply-accumulates by data type and bytes moved. A straight line can
be subtracted exactly: windows of it add up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

CPU_SECONDS = "cpu_seconds"
# Counted by the processor itself.
INSTRUCTIONS, LLC_MISSES = COUNTED = ("instructions", "llc_misses")
# Told by the measured code: "macs_fp32" and so on are multiply-accumulates of a data type.
MACS, BYTES_MOVED = "macs_", "bytes_moved"

# A figure between the least and the most that it can be.
Ends = tuple[float, float, float]


@dataclass(frozen=True)
class Law:
    """What a hardware thread draws when idle (W), and the joules of one unit of each signal.

    Args:
        source: the name of this law in a record.
        origin: where its figures are from, in words.
        idle_watts: of one hardware thread: at least, the figure, at most.
        joules_per: by signal; the coefficients of one end belong together with that end of `idle_watts`.
    """

    source: str
    origin: str
    idle_watts: Ends
    joules_per: Mapping[str, Ends]

    def joules(self, threads: Ends, seconds: float, signals: Mapping[str, float]) -> Ends:
        """Return the joules of so many threads over so many seconds: at least, the figure, at most.

        Args:
            threads: whose idle power counts: at least, in the figure, at most.
            seconds: how long.
            signals: what was done meanwhile, in units of `joules_per`.
        """
        low, middle, high = (
            each * seconds * watts for each, watts in zip(threads, self.idle_watts, strict=True)
        )
        for name, joules in self.joules_per.items():
            amount = signals[name]
            low, middle, high = (
                low + joules[0] * amount,
                middle + joules[1] * amount,
                high + joules[2] * amount,
            )
        return min(low, middle), middle, max(middle, high)

    def as_json(self) -> dict[str, Any]:
        """Return all figures of the law."""
        return {
            "source": self.source,
            "origin": self.origin,
            "idle_watts_per_thread": list(self.idle_watts),
            "joules_per": {name: list(each) for name, each in self.joules_per.items()},
        }


def from_watts(source: str, origin: str, idle: Ends, full: Ends) -> Law:
    """Return the law of CPU time of a thread that draws `idle` watts when idle and `full` when it works.

    A busy thread adds what is between the two: joules = idle x (seconds - CPU seconds) + full x CPU seconds,
    which grows with both, so the least joules are those of both low ends.
    """
    low, middle, high = (max(0.0, worked - rested) for worked, rested in zip(full, idle, strict=True))
    return Law(source, origin, idle, {CPU_SECONDS: (low, middle, high)})


def read_law(data: Mapping[str, Any]) -> Law:
    """Return the law that `as_json` wrote.

    Raises:
        KeyError, TypeError, ValueError: it is none.
    """
    joules_per = {str(name): _ends(each) for name, each in data["joules_per"].items()}
    if CPU_SECONDS not in joules_per:
        raise ValueError(f"a law of {', '.join(joules_per)}: expected {CPU_SECONDS} among its signals")
    return Law(str(data["source"]), str(data["origin"]), _ends(data["idle_watts_per_thread"]), joules_per)


def _ends(values: Any) -> Ends:
    low, middle, high = map(float, values)
    return low, middle, high
