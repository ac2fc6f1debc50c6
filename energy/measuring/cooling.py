"""Wait before a window until what is measured has cooled: a chip that is hot draws more for the same work.

(Leakage rises with temperature: Price et al. 2014, "Optimizing performance-per-watt on GPUs in high
performance computing: temperature, frequency and voltage effects", arXiv 1407.8116.) What is waited for lies
outside every window, so it is in nobody's figure.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from energy.measuring import machine
from energy.meters import context
from energy.meters._meter import Meter

FLAG = "warm_start"
# Ours: a board's fan lets it idle a few degrees higher once the chassis is warm, however long one waits.
TOLERANCE_C = 10.0
MOST_SECONDS = 300.0
POLL_SECONDS = 1.0
# Sensors show whole degrees. What has not fallen by one in so long is as cool as this room makes it.
STUCK_SECONDS = 60.0
CPU = "cpu"
# Limits that a chip can be asked for: below a room, or where it would shut down, nobody can mean.
MIN_C, MAX_C = 10, 110

Temperatures = Mapping[str, float]


@dataclass(frozen=True)
class Cooling:
    """What became of the wait before a window; temperatures in °C, of the device that is furthest from cool.

    waited_seconds: 0 where nothing had to cool.
    """

    device: str
    limit_c: float
    before_c: float
    after_c: float
    waited_seconds: float

    @property
    def excess_c(self) -> float:
        """By how much it is too warm."""
        return self.after_c - self.limit_c

    @property
    def is_cool(self) -> bool:
        """Whether the limit was reached."""
        return self.excess_c <= 0

    def as_json(self) -> dict[str, Any]:
        """Return it as a JSON-able mapping."""
        return asdict(self)


@dataclass
class Cooler:
    """Waits before windows.

    Args:
        read: the temperatures now (°C) by device; empty where none is known.
        say: tells the user.
        limit_c: every device must be as cool; None: within TOLERANCE_C of what it was before the first case.
        most_seconds: no wait is longer; 0: no waiting at all.
        now: a clock (s).
        sleep: lets it go on.
    """

    read: Callable[[], Temperatures]
    say: Callable[[str], None]
    limit_c: float | None = None
    most_seconds: float = MOST_SECONDS
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    limits: Temperatures = field(init=False)
    open_windows: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        first = self.read() if self.most_seconds > 0 else {}
        limit = self.limit_c
        self.limits = {name: start + TOLERANCE_C if limit is None else limit for name, start in first.items()}

    @contextmanager
    def around(self) -> Iterator[Cooling | None]:
        """Wait, then stand around a window; inside another one nothing is waited for, it would be billed."""
        cooling = self.wait() if not self.open_windows else None
        self.open_windows += 1
        try:
            yield cooling
        finally:
            self.open_windows -= 1

    def wait(self) -> Cooling | None:
        """Wait until all devices are cool or it takes too long; None where no temperature is known."""
        start = fell_at = self.now()
        before = self._temperatures()
        if not before:
            return None
        first = latest = self._warmest(before)
        if not first.is_cool:
            self.say(_announcement(first, self.most_seconds))
        lowest = first.excess_c
        while not latest.is_cool and self._has_time(start, fell_at):
            self.sleep(POLL_SECONDS)
            # A sensor that no longer answers has not said that it is cool.
            latest = self._warmest(before | self._temperatures())
            if latest.excess_c <= lowest - 1:
                lowest, fell_at = latest.excess_c, self.now()
        return replace(latest, before_c=before[latest.device], waited_seconds=self.now() - start)

    def _has_time(self, start: float, fell_at: float) -> bool:
        return self.now() - start < self.most_seconds and self.now() - fell_at < STUCK_SECONDS

    def _warmest(self, now_c: Temperatures) -> Cooling:
        """Return the device that is furthest above its limit."""
        name = max(now_c, key=lambda name: now_c[name] - self.limits[name])
        return Cooling(name, self.limits[name], now_c[name], now_c[name], 0.0)

    def _temperatures(self) -> dict[str, float]:
        """Return what is known now of the devices that have a limit."""
        known = self.read() if self.limits else {}
        return {name: value for name, value in known.items() if name in self.limits}


def temperatures(meters: Sequence[Meter]) -> dict[str, float]:
    """Return the temperatures (°C) of the GPUs that are measured, or the CPU's where there is none."""
    states = context(meters).items()
    gpus = {name: state["temperature_c"] for name, state in states if state.get("temperature_c") is not None}
    if gpus:
        return gpus
    cpu = machine.temperature_c()
    return {} if cpu is None else {CPU: cpu}


def check(limit_c: float | None, most_seconds: float) -> None:
    """Refuse what cannot be meant; ValueError names the option."""
    if limit_c is not None and not MIN_C <= limit_c <= MAX_C:
        raise ValueError(f"--energy-cool-to {limit_c:g}: expected °C, {MIN_C} to {MAX_C}")
    if not (math.isfinite(most_seconds) and most_seconds >= 0):
        raise ValueError(f"--energy-cool-max {most_seconds:g}: expected seconds, 0 (no waiting) or more")


def _announcement(warm: Cooling, most_seconds: float) -> str:
    what = f"{warm.device} has {warm.after_c:.0f} °C; waiting for {warm.limit_c:.0f} °C"
    return f"energy: {what}, at most {most_seconds:.0f} s (--energy-cool-to, --energy-cool-max)"
