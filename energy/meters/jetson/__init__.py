"""NVIDIA Jetson boards through their INA3221 power monitors: one integral of sampled power per rail.

Which rails there are depends on the module (`_rails.py`). The supply of the whole module contains the others:
it is a witness of domain "machine" and never added to them. Where CPU and GPU share one rail (Xavier NX, Orin
NX, Orin Nano, TX2 NX), nobody can tell them apart: it is the "cpu" figure, and the GPU's own is unknown.

Untested on hardware: the tests replay trees of files with the labels of each module.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from energy.meters._counting.follow import Integral
from energy.meters._counting.sensors import PERIOD_SECONDS, Sensor, SensorMeter
from energy.meters._meter import Diagnosis, MeterUnavailable, Missing
from energy.meters.jetson.rails import JOINT, MAX_WATTS, Rail, rails
from energy.reading import Count

DOMAINS = ("cpu", "gpu", "ram", "machine")
ROOT = Path("/sys/bus/i2c/drivers")
# Assumed, no vendor states it for a board: shunts of 1 % (NVIDIA DG-09840, fig. 5-14) and an INA3221 with
# an offset of 80 uV and steps of 40 uV (TI SBOS576) across 2 to 20 mOhm.
GAIN = (0.95, 1.05)


def open(  # noqa: A001 -- every meter file has one
    gpus: Sequence[str] | None = None,
    *,
    root: Path = ROOT,
    clock: Callable[[], float] = time.monotonic,
) -> Jetson:
    """Open all rails that feed the processor, its GPU or its memory; () leaves out the GPU's.

    Args:
        gpus: the UUID of the board's only GPU names its rail in the record; None names it by its label.
        root: the folder of the I2C drivers.
        clock: monotonic seconds.

    Raises:
        MeterUnavailable: this is no Jetson, or its monitors cannot be read.
    """
    if not root.is_dir():
        raise _no_jetson(root)
    found = rails(root)
    counted = [rail for rail in found if rail.domain and (rail.domain != "gpu" or gpus is None or gpus)]
    if not counted:
        raise _no_jetson(root)
    meter = Jetson(counted, [rail for rail in found if not rail.domain], gpus, clock)
    if all(count.joules is None for count in meter.counts()):
        reason = meter.counts()[0].reason
        raise MeterUnavailable(
            f"The INA3221 monitors cannot be read: {reason}.",
            "Let this user read the files, or run on the board itself rather than in a container.",
        )
    return meter


def diagnose(gpus: Sequence[str] | None = None, *, root: Path = ROOT) -> Diagnosis:
    """Say which rails count here, and which do not, or why there are none."""
    try:
        meter = open(gpus, root=root)
    except MeterUnavailable as problem:
        return Diagnosis("jetson", False, problem.reason, problem.remedy, untested=True)
    meter.close()
    return Diagnosis("jetson", True, meter.describe(), untested=True)


class Jetson(SensorMeter):
    """Cumulative joules of every rail."""

    def __init__(
        self,
        counted: Sequence[Rail],
        left_out: Sequence[Rail],
        gpus: Sequence[str] | None,
        clock: Callable[[], float],
    ) -> None:
        self._rails, self._left_out = tuple(counted), tuple(left_out)
        joint = [rail.label for rail in counted if rail.label in JOINT]
        self._unknown = _inseparable(gpus, joint[0]) if gpus and joint else None
        sensors = [Sensor(_integral(rail, gpus), rail.watts) for rail in counted]
        super().__init__("jetson", sensors, clock, slow=True)  # a register takes half a millisecond over I2C

    def counts(self) -> tuple[Count, ...]:
        """Read every rail now and return the joules since the meter was opened."""
        unknown = () if self._unknown is None else self._unknown.counts()
        return super().counts() + unknown

    def describe(self) -> str:
        """Say what each rail counts as, and which rails do not count."""
        counted = ", ".join(f"{rail.domain}: {rail.label}" for rail in self._rails)
        left_out = ", ".join(rail.label for rail in self._left_out)
        return counted + (f" (not counted: {left_out})" if left_out else "")


def _integral(rail: Rail, gpus: Sequence[str] | None) -> Integral:
    low, high = GAIN
    domain = rail.domain or ""
    device = gpus[0] if domain == "gpu" and gpus and len(gpus) == 1 else rail.label
    witness = domain == "machine"
    template = Count(
        domain, device, "ina3221", "measured", None, 0.0, low, high, witness=witness, reason="not read yet"
    )
    return Integral(template, MAX_WATTS, gap_seconds=3 * PERIOD_SECONDS)


def _inseparable(gpus: Sequence[str], rail: str) -> Missing:
    reason = f"the GPU and the CPU share the rail {rail}, whose joules stand under cpu"
    return Missing("gpu", ",".join(gpus), reason)


def _no_jetson(root: Path) -> MeterUnavailable:
    return MeterUnavailable(
        f"There is no INA3221 monitor with a Jetson's rails under {root}.",
        "This meter is for NVIDIA Jetson modules; the Nano 2GB has no monitor.",
    )
