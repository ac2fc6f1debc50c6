"""Which power sensors of Linux's hwmon there are, and what each of them sees.

Most of them see a rail, a GPU, or one of several power supplies, and count for nothing here. These count:

- ACPI power meters (chip `power_meter`; Linux: Documentation/hwmon/acpi_power_meter). One whose firmware
  names no part is of the whole machine, as servers with Node Manager have it. NVIDIA Grace has one for each
  part of a socket, named in `power1_oem_info`: "Module" is Grace with its GPU, "Grace" the processor with its
  memory, "CPU" and "SysIO" parts of Grace (NVIDIA Grace Performance Tuning Guide, "Power Telemetry").
- `ibmpowernv` (IBM POWER, OPAL), label "System".
- `macsmc_hwmon` (Apple computers under Linux), label "Total System Power".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from energy.meters._counting.sensors import NoValue
from energy.meters._counting.sysfs import read_number, read_text

MICRO, MILLI = 1e-6, 1e-3
MAX_WATTS = 20_000.0  # more than eight superchips in one machine draw
ACPI = "power_meter"
WHOLE = (("ibmpowernv", "system"), ("macsmc_hwmon", "total system power"))
PART = re.compile(r"(module|grace|cpu|sysio) power socket (\d+)", re.IGNORECASE)
BUS = ("LNXSYBUS", "LNXSYSTM")  # the devices of ACPI that hold all others


@dataclass(frozen=True)
class PowerFile:
    """One sensor: its chip, what its firmware or driver says of it, its file, over how long it averages."""

    chip: str
    label: str
    file: Path
    average_seconds: float = 0.0

    @property
    def part(self) -> tuple[str, int] | None:
        """Return which part of which socket it sees, in small letters; None if it names none."""
        found = PART.fullmatch(self.label) if self.chip == ACPI else None
        return (found[1].lower(), int(found[2])) if found else None

    @property
    def is_whole(self) -> bool:
        """Whether it sees the whole machine."""
        if self.chip == ACPI:
            return not self.label and _measures_all(self.file.parent)
        return (self.chip, self.label.lower()) in WHOLE

    def watts(self) -> float:
        """Read the power.

        Raises:
            NoValue: it cannot be read, or shows what no machine draws.
            Gone: the sensor has vanished.
        """
        watts = read_number(self.file) * MICRO
        if not 0 < watts <= MAX_WATTS:
            raise NoValue(f"{self.file}: {watts:g} W, expected more than 0 and at most {MAX_WATTS:g} W")
        return watts


def list_sensors(root: Path) -> list[PowerFile]:
    """Return all power sensors under /sys/class/hwmon, in the order of the chips' numbers."""
    chips = sorted(root.glob("hwmon*"), key=lambda path: int("0" + re.sub(r"\D", "", path.name)))
    return [sensor for chip in chips for sensor in _of_chip(chip)]


def _of_chip(chip: Path) -> Iterator[PowerFile]:
    name = read_text(chip / "name") or read_text(chip / "device" / "name")
    # Older kernels put the files of an ACPI meter into the folder of its device.
    folders = (chip, chip / "device") if name == ACPI else (chip,)
    for folder in folders:
        numbers = sorted({re.sub(r"\D", "", file.name) for file in folder.glob("power[0-9]*_[ai]*")})
        for number in numbers:
            start = folder / f"power{number}"
            files = [file for what in ("average", "input") if (file := _file(start, what)).exists()]
            if not files or read_text(_file(start, "is_battery")) == "1":
                continue
            label = read_text(_file(start, "label")) or read_text(_file(start, "oem_info"))
            interval = read_text(_file(start, "average_interval"))
            means = interval.isdigit() and files[0].name.endswith("average")
            yield PowerFile(name, label, files[0], float(interval) * MILLI if means else 0.0)


def _file(start: Path, what: str) -> Path:
    return start.with_name(f"{start.name}_{what}")


def _measures_all(folder: Path) -> bool:
    """Say whether an ACPI meter measures the system's bus; one that does not say measures the machine."""
    measured = [link.name for link in (folder / "measures").glob("*")]
    return not measured or any(name.startswith(BUS) for name in measured)
