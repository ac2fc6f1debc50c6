"""Open, read and close meters."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, cast

from energy.meters._meter import Contextual, Diagnosis, Late, Meter, MeterUnavailable, Missing, Stepping
from energy.meters._registry import OutsideFile, meter_file
from energy.meters._registry import names as meter_names
from energy.meters._watch import claims, clocks, cost
from energy.meters._watch.claims import Claims, billed
from energy.meters._watch.clocks import ClockWatch
from energy.meters._watch.cost import Cost
from energy.meters._watch.guard import Guard
from energy.meters._watch.sampler import Sampler
from energy.reading import Count, Fault, Reading

__all__ = [
    "Diagnosis",
    "Meter",
    "MeterUnavailable",
    "Meters",
    "await_moves",
    "close",
    "context",
    "diagnose",
    "meter_names",
    "open_meters",
    "read",
    "settle",
]

SETTLING_SECONDS = 0.05  # between two looks at a log that has not arrived
CPU_MODEL = "cpu_model"
# By meter, what `open` is told beside the GPUs.
Told = Mapping[str, Mapping[str, Any]]


class Meters(list[Meter]):
    """Open meters and the thread that polls them; `with open_meters() as meters:` closes them.

    Attributes:
        sampler: polls the meters, the clocks and the claims.
        clocks: tells whether the host slept, its clock was set, or this process stood still.
        claims: tells whether others on this machine bill the same devices.
        cost: what all this has cost so far.
        windows: how many are open.
        guard: asks the meters, and makes faults and unknown counts of what they raise.
    """

    def __init__(self, meters: Iterable[Meter] = ()) -> None:
        super().__init__(meters)
        self.origin = object()
        self.clocks = ClockWatch()
        self.guard = Guard(self)
        self.claims = Claims(billed(count for counts in self.guard.known.values() for count in counts))
        watches = [(self.clocks.poll, clocks.PERIOD_SECONDS), (self.claims.look, claims.PERIOD_SECONDS)]
        self.sampler = Sampler(self, watches, self.guard)
        self.cost = Cost()
        self.windows = 0

    def faults(self) -> tuple[Fault, ...]:
        """Return all faults since the meters were opened: theirs, and those of the window as a whole."""
        return _faults(self) + self.clocks.faults() + self.claims.faults() + self.sampler.faults()

    def look_around(self) -> None:
        """See what the clocks and the others have done since the last poll."""
        self.sampler.look(self.clocks.look)
        self.sampler.look(self.claims.look_if_changed)

    def close(self) -> None:
        """Stop polling and release what the meters hold."""
        for meter in self:
            meter.close()
        self.sampler.stop()
        self.claims.close()

    def __enter__(self) -> Meters:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        close(self)


def open_meters(
    names: str | Sequence[str] = "auto",
    gpus: Sequence[str] | None = None,
    outside: str | None = None,
    *,
    cpu_watts: tuple[float, float] | None = None,
    fitted: Sequence[Mapping[str, Any]] = (),
    tells: Collection[str] = (),
) -> Meters:
    """Open the meters named, start the thread that polls them, and return them.

    Args:
        names: "auto" for all that work here, or names: "nvml,rapl" or ["nvml", "rapl"].
        gpus: UUIDs of the GPUs to measure; () for none, None for those that CUDA_VISIBLE_DEVICES allows.
        outside: the log of a meter of the whole machine, a path or "!command" (see `meters/outside.py`).
        cpu_watts: what all processors of this machine draw, idle and at full load, for the model of the CPU.
        fitted: laws of CPUs that `calibrate --fit` has left, for the same.
        tells: the signals of such laws that the measured code will tell.

    Raises:
        MeterUnavailable: a meter that was asked for by name does not work, or none does.
        ValueError: there is no meter of that name, or `cpu_watts` are given to none.
    """
    known = {"watts": cpu_watts, "fitted": fitted, "tells": tells}
    told = {CPU_MODEL: {name: value for name, value in known.items() if value}}
    opened = _open_all(gpus, told) if names == "auto" else _open_named(_split(names), gpus, told)
    if cpu_watts is not None and CPU_MODEL not in {meter.name for meter in opened}:
        close(opened)
        raise ValueError(f"--energy-cpu-watts is for the meter {CPU_MODEL}, which is not among those opened")
    if outside is not None:
        opened.append(_open_outside(outside, opened))
    if not opened:
        raise MeterUnavailable(
            "No meter works here.", "`python -m energy doctor` says what each of them lacks."
        )
    result = Meters(sorted(opened, key=lambda meter: not meter.slow))
    result.sampler.start()
    return result


def read(meters: Sequence[Meter]) -> Reading:
    """Read all meters, slow ones first, and stamp the reading when the last has answered.

    The order is the same every time, so that the time it takes to read one meter shifts both ends of its
    window alike. CodeCarbon is the slow one (about 1 ms; up to 55 ms if it was read just before) and comes
    first, so that the counters are read within microseconds of the time stamp. A meter that fails has unknown
    counts and a fault: nothing of it leaves through the code that is measured.

    Raises:
        RuntimeError: called in a forked child, where no thread polls the meters.
    """
    began, pid = cost.now(), os.getpid()
    for meter in meters:
        if meter.pid != pid:
            raise RuntimeError(
                f"the meter {meter.name} was opened by process {meter.pid} and is read by its child "
                f"{pid}: read it in the parent, or open meters of its own in the child"
            )
    counts: list[Count] = []
    guard = _guard(meters)
    for meter in meters:
        counts += guard.counts(meter)
    seconds = time.monotonic()
    if not isinstance(meters, Meters):
        return Reading(seconds, tuple(counts), _faults(meters))
    meters.look_around()
    meters.cost.readings += 1
    meters.cost.since(began)
    return Reading(seconds, tuple(counts), meters.faults(), meters.origin)


def await_moves(meters: Sequence[Meter]) -> None:
    """Wait until the counters that move in steps have just moved, at most for one step.

    For the start of a window before which nothing is worked at. Inside another window it does not wait: that
    one would be billed for it.
    """
    if isinstance(meters, Meters) and meters.windows:
        return
    for meter in meters:
        if isinstance(meter, Stepping):
            meter.await_moves()


def settle(meters: Sequence[Meter], readings: Sequence[Reading]) -> list[Reading]:
    """Return the readings with what has become known since: counts of late meters, and all faults.

    Waits until the late meters know the last of the readings, but no longer than their patience. What they
    do not know by then stays unknown.
    """
    guard, late = _guard(meters), [meter for meter in meters if isinstance(meter, Late)]
    for meter in late:
        _await(guard, meter, readings[-1].seconds)
    known = [_settled(guard, late, reading) for reading in readings]
    faults = meters.faults() if isinstance(meters, Meters) else _faults(meters)
    return [replace(reading, faults=faults) for reading in known]


def context(meters: Sequence[Meter]) -> dict[str, Any]:
    """Return the state of the meters' devices now, by device; takes milliseconds, so not inside a window."""
    guard = _guard(meters)
    return {
        device: state
        for meter in meters
        if isinstance(meter, Contextual)
        for device, state in guard.context(meter).items()
    }


def close(meters: Sequence[Meter]) -> None:
    """Stop polling and release what the meters hold; in a forked child do nothing, they are the parent's."""
    if any(meter.pid != os.getpid() for meter in meters):
        return
    if isinstance(meters, Meters):
        meters.close()
    else:
        for meter in meters:
            meter.close()


def diagnose(gpus: Sequence[str] | None = None) -> tuple[Diagnosis, ...]:
    """Try every meter and say which work here, and what to do about those that do not."""
    return tuple(meter_file(name).diagnose(gpus) for name in meter_names())


def _faults(meters: Iterable[Meter]) -> tuple[Fault, ...]:
    faults: list[Fault] = []
    for meter in meters:
        faults += meter.faults()
    return tuple(faults)


def _split(names: str | Sequence[str]) -> list[str]:
    parts = names.split(",") if isinstance(names, str) else names
    return [part.strip() for part in parts if part.strip()]


def _guard(meters: Sequence[Meter]) -> Guard:
    return meters.guard if isinstance(meters, Meters) else Guard()


def _await(guard: Guard, meter: Late, seconds: float) -> None:
    while guard.counts_at(meter, seconds) is None and time.monotonic() < seconds + meter.patience_seconds:
        time.sleep(SETTLING_SECONDS)


def _settled(guard: Guard, late: Sequence[Late], reading: Reading) -> Reading:
    known = {count.key: count for meter in late for count in guard.counts_at(meter, reading.seconds) or ()}
    return replace(reading, counts=tuple(known.get(count.key, count) for count in reading.counts))


def _open_outside(source: str, opened: Sequence[Meter]) -> Meter:
    file = cast(OutsideFile, meter_file("outside"))
    try:
        return file.open(source=source)
    except BaseException:
        close(opened)
        raise


def _open_all(gpus: Sequence[str] | None, told: Told) -> list[Meter]:
    opened: list[Meter] = []
    problems: dict[str, MeterUnavailable] = {}
    for name in meter_names():
        try:
            opened.append(meter_file(name).open(gpus, **told.get(name, {})))
        except MeterUnavailable as problem:
            if "gpu" in meter_file(name).DOMAINS:
                problems[name] = problem
        except BaseException:
            close(opened)
            raise
    there = {name: problem for name, problem in problems.items() if problem.device}
    devices = ",".join(gpus if gpus is not None else (problem.device for problem in there.values()))
    # What tells us nothing tells CodeCarbon nothing either, and it takes that for 0 J.
    ours = [meter for meter in opened if meter.name != "codecarbon"]
    if opened and devices and not _measures_gpus(ours):
        reasons = " ".join(f"{name}: {problem}" for name, problem in (there or problems).items())
        opened.append(Missing("gpu", devices, reasons or "no meter knows these GPUs"))
    return opened


def _measures_gpus(meters: Iterable[Meter]) -> bool:
    return any(count.domain == "gpu" for meter in meters for count in meter.counts())


def _open_named(wanted: Sequence[str], gpus: Sequence[str] | None, told: Told) -> list[Meter]:
    # A misspelt name fails before anything is opened.
    files = {name: meter_file(name) for name in sorted(set(wanted))}
    opened: list[Meter] = []
    try:
        for name, file in files.items():
            opened.append(file.open(gpus, **told.get(name, {})))
    except BaseException:
        close(opened)
        raise
    if gpus and not _measures_gpus(opened):
        opened.append(Missing("gpu", ",".join(gpus), "none of the meters asked for reads these GPUs"))
    return opened
