"""Say which meters work on this machine, and what to do about those that do not."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from energy.commands._options import add_storage
from energy.records.storage import files as disk

if TYPE_CHECKING:
    from energy.meters._meter import Diagnosis


BOUNDARIES = {
    "process": "what this process tree caused, since all of it is modelled; where a counter (RAPL, NVML) "
    "sees any of it, a total is of the machine",
    "machine": "what the box drew, for all programs, since a counter sees a part of it; where all is "
    "modelled, a total is of the process",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    add_storage(parser)


def run(args: argparse.Namespace) -> int:
    """Print the state of every meter and of the machine; 0 also where a meter is missing: no mistake."""
    # Opening every meter takes a second and their libraries; no other command needs it.
    from energy import meters

    print("\n".join([*report(meters.diagnose(), args.storage), "", *_boundary()]))
    return 0


def report(found: Sequence[Diagnosis], storage: Path) -> list[str]:
    """Return the lines to print about the meters `found`, the machine and the results folder."""
    return [*_meters(found), "", "machine", *_machine(), *_clocks(), *_claims(), "", *_storage(storage)]


def _meters(found: Sequence[Diagnosis]) -> Iterator[str]:
    """Yield the meters that work, then those that do not: a line for each, and below it what helps."""
    width = max((len(meter.name) for meter in found), default=0)
    yield f"meters that work here: {sum(meter.works for meter in found)} of {len(found)}"
    for meter in found:
        if meter.works:
            yield _line(meter, width)
    if not any(meter.works for meter in found):
        yield "  none: nothing can be measured until one of the remedies below is applied"
    if all(meter.works for meter in found):
        return
    yield from ("", "meters that do not")
    for meter in found:
        if not meter.works:
            yield _line(meter, width)
            yield from (f"  {'':{width}}    {line}" for line in _remedy(meter))


def _boundary() -> Iterator[str]:
    """Yield what a total would be of here, by opening the meters that work."""
    from energy.meters import MeterUnavailable, open_meters, read

    try:
        with open_meters() as meters:
            now = read(meters)
    except MeterUnavailable:
        return  # that no meter works has been said above
    found = (now - now).boundary
    yield f"a total here is of the {found}: {BOUNDARIES[str(found)]}"


def _line(meter: Diagnosis, width: int) -> str:
    """Say what a meter reads, or why it does not, in one line whatever a library's message looks like."""
    untested = " (untested on hardware)" if meter.untested else ""
    return f"  {meter.name:{width}}  {' '.join(meter.what.split())}{untested}"


def _remedy(meter: Diagnosis) -> Iterator[str]:
    """Yield the lines of a remedy; commands stay on lines of their own, to be copied."""
    for number, line in enumerate((meter.remedy or "").splitlines()):
        yield line if number else f"remedy: {line}"


def _machine() -> Iterator[str]:
    """Yield cores, threads and temperature sensors."""
    import psutil

    from energy.measuring import machine

    cores = machine.physical_cores()
    yield f"  cores: {cores} physical, {len(machine.allowed_cpus())} logical that this process may use"
    yield f"  threads: {cores}, one per physical core"
    sensors = psutil.sensors_temperatures() if hasattr(psutil, "sensors_temperatures") else {}
    named = ", ".join(f"{name} {len(readings)}" for name, readings in sensors.items())
    yield f"  temperature sensors: {named or 'none shown; temp_rise_c of the CPU will be unknown'}"


def _clocks() -> Iterator[str]:
    """Yield what the clocks of this system can tell of a window, by reading them."""
    from energy.meters._watch.clocks import ClockWatch

    yield "  clocks: steps of the wall clock and pauses of the process are seen"
    yield f"  suspend: {ClockWatch().unknown or 'seen, by the boot-time clock'}"


def _claims() -> Iterator[str]:
    """Yield which other programs bill devices of this machine now, without claiming any."""
    from energy.meters._watch import claims

    try:
        billing = claims.find_billing()
    except OSError as problem:
        yield f"  other programs that meter: unknown: {claims.FOLDER}: {problem.strerror or problem}"
        return
    for claim in billing:
        devices = ", ".join(device.partition(":")[2] for device in claim.devices)
        yield f"  process {claim.pid} ({claim.program}) bills {devices}: wait for its end"
    if not billing:
        yield "  other programs that meter: none"


def _storage(folder: Path) -> Iterator[str]:
    """Yield whether results can be written, without creating the folder."""
    existing = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    try:
        disk.prove_writable(existing)
    except OSError as problem:
        yield f"results folder {folder}: cannot be written: {problem.strerror}; name another by --storage"
    else:
        yield f"results folder {folder}: writable{'' if existing == folder else ', will be created'}"
