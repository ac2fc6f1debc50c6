"""What an outside meter's log says while the sensors are recorded: its samples, by when they came."""

from __future__ import annotations

from collections.abc import Callable

from energy.meters import outside
from energy.meters._counting.sensors import NoValue
from energy.meters._recording import Raw, Raws
from energy.meters.outside.quantity import JOULES, WATTS

MILLI = 1e3
UNITS = {WATTS: "mW", JOULES: "mJ"}


def open_outside(source: str) -> Raws:
    """Follow a log as the meter outside does; of its name and place nothing is kept.

    Raises:
        MeterUnavailable: it cannot be read.
    """
    meter = outside.open(source=source)
    (state,) = meter.context().values()
    sensors = [Raw(f"outside/{kind}", UNITS[kind], _asking(meter, kind), state=True) for kind in meter.kinds]
    return Raws("outside", sensors, {"format": state["format"]}, meter.close)


def _asking(meter: outside.Outside, kind: str) -> Callable[[], int]:
    def ask() -> int:
        meter.poll()
        newest = meter.newest(kind)
        if newest is None:
            raise NoValue("no sample yet")
        return round(newest * MILLI)

    return ask
