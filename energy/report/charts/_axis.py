"""Domains and ticks: whole tenths of Dice, and 1, 2, 5 times powers of ten where an axis is logarithmic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from energy.report.page.choosing import one_two_five

LEAST_SPAN = 1e-300  # below, a sixth of it is no number that has a logarithm
MOST_TICKS = 9
# Beyond these no axis is read; nothing that was ever measured lies there.
LEAST, MOST = 1e-9, 1e12


@dataclass(frozen=True)
class Axis:
    """Where an axis begins and ends, and its ticks."""

    low: float
    high: float
    ticks: tuple[float, ...]
    log: bool = False

    @property
    def domain(self) -> list[float]:
        """The two ends."""
        return [self.low, self.high]

    def clamp(self, value: float) -> float:
        """Return the place on the axis that is nearest to a value."""
        return min(self.high, max(self.low, value))

    def pixel(self, value: float, length: float) -> float:
        """Return how far from the axis's beginning a value stands, of `length` pixels."""
        if self.log:
            return length * math.log(value / self.low) / math.log(self.high / self.low)
        return length * (value - self.low) / (self.high - self.low)

    def value(self, pixel: float, length: float) -> float:
        """Return the value that stands `pixel` from the axis's beginning."""
        share = pixel / length
        if self.log:
            return float(self.low * (self.high / self.low) ** share)
        return self.low + (self.high - self.low) * share


def shown(value: float | None) -> bool:
    """Tell whether a logarithmic axis can show a value."""
    return value is not None and LEAST <= value <= MOST


def bounded(value: float | None) -> bool:
    """Tell whether a linear axis can show a value."""
    return value is not None and abs(value) <= MOST


def logarithmic(values: Sequence[float]) -> Axis:
    """Return an axis around some values that are `shown`."""
    low, high = min(values) / 1.25, max(values) * 1.25
    ladder = one_two_five(low, high)
    inside = [tick for tick in ladder if low <= tick <= high]
    if len(inside) < 2:
        low, high, inside = ladder[0], ladder[-1], ladder
    if len(inside) > MOST_TICKS:
        powers = [tick for tick in inside if f"{tick:e}".startswith("1.000000")]
        inside = powers[:: -(-len(powers) // MOST_TICKS)]
    return Axis(low, high, tuple(inside), log=True)


def linear(values: Sequence[float], least: float | None = None, most: float | None = None) -> Axis:
    """Return an axis around some values, which ends at round figures, and not beyond `least` and `most`."""
    low, high = min(values), max(values)
    span = (high - low) or abs(high)
    step = _step(span if span > LEAST_SPAN else 1.0)
    begin, end = math.floor(low / step - 0.2) * step, math.ceil(high / step + 0.2) * step
    begin = begin if least is None or low < least else max(begin, least)
    end = end if most is None or high > most else min(end, most)
    count = round((end - begin) / step)
    return Axis(begin, end, tuple(round(begin + step * index, 12) for index in range(count + 1)))


def _step(span: float) -> float:
    """Return the round step of which about six fit into a span."""
    rough = span / 6
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1.0, 2.0, 5.0, 10.0) if factor * power >= rough)
