"""Say which meters work on this machine, and what to do about those that do not."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from energy import disk
from energy.commands._storage import add_storage

if TYPE_CHECKING:
    from energy.meters._meter import Diagnosis


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    add_storage(parser)


def run(args: argparse.Namespace) -> int:
    """Print the state of every meter and of the machine; 0 also where a meter is missing: no mistake."""
    # Opening every meter takes a second and their libraries; no other command needs it.
    from energy import meters

    print("\n".join(report(meters.diagnose(), args.storage)))
    return 0


def report(found: Sequence[Diagnosis], storage: Path) -> list[str]:
    """Return the lines to print about the meters `found`, the machine and the results folder."""
    return ["meters", *_meters(found), "", "machine", *_machine(), "", *_storage(storage)]


def _meters(found: Sequence[Diagnosis]) -> Iterator[str]:
    """Yield what each meter reads, or why it does not and what helps."""
    for meter in found:
        yield f"  {'works  ' if meter.works else 'missing'}  {meter.name}: {meter.what}"
        if meter.remedy and not meter.works:
            yield f"           remedy: {meter.remedy}"
    if not any(meter.works for meter in found):
        yield "  no meter works here: nothing can be measured until one of the remedies is applied"


def _machine() -> Iterator[str]:
    """Yield cores, threads and temperature sensors."""
    import psutil

    from energy import machine

    cores = machine.physical_cores()
    yield f"  cores: {cores} physical, {len(machine.allowed_cpus())} logical that this process may use"
    yield f"  threads: {cores}, one per physical core"
    sensors = psutil.sensors_temperatures() if hasattr(psutil, "sensors_temperatures") else {}
    named = ", ".join(f"{name} {len(readings)}" for name, readings in sensors.items())
    yield f"  temperature sensors: {named or 'none shown; temp_rise_c of the CPU will be unknown'}"


def _storage(folder: Path) -> Iterator[str]:
    """Yield whether results can be written, without creating the folder."""
    existing = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    try:
        disk.prove_writable(existing)
    except OSError as problem:
        yield f"results folder {folder}: cannot be written: {problem.strerror}; name another by --storage"
    else:
        yield f"results folder {folder}: writable{'' if existing == folder else ', will be created'}"
