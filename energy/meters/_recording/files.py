"""What the kernel's files show: zones of RAPL, power and temperatures of hwmon, a processor's clock."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from energy.meters._counting.sysfs import read_number, read_text
from energy.meters._meter import MeterUnavailable
from energy.meters._recording import Raw, Raws
from energy.meters.hwmon.sensors import PowerFile, list_sensors
from energy.meters.rapl.help import explain_absent, explain_closed

POWERCAP, HWMON = Path("/sys/class/powercap"), Path("/sys/class/hwmon")
CLOCKS = Path("/sys/devices/system/cpu/cpufreq")
THERMAL = ("coretemp", "k10temp", "zenpower", "cpu_thermal")
CONSTRAINT = re.compile(r"constraint_\d+_(max_power_uw|power_limit_uw|name)")


def open_powercap(root: Path = POWERCAP, system: Path = Path("/")) -> Raws:
    """Find every zone of RAPL, also those that no meter adds up.

    Raises:
        MeterUnavailable: there are none, or they are closed to this user.
    """
    zones = [path.parent for path in sorted(root.glob("intel-rapl*:*/energy_uj"))]
    if not zones:
        raise explain_absent(root, system)
    try:
        for zone in zones:
            (zone / "energy_uj").read_text()
    except OSError:
        raise explain_closed([zone / "energy_uj" for zone in zones], system) from None
    facts = [_zone(zone) for zone in zones]
    sensors = [_raw(f"powercap/{zone.name}/energy_uj", zone / "energy_uj", "uJ") for zone in zones]
    return Raws("powercap", sensors, {"zones": facts})


def open_hwmon(root: Path = HWMON) -> Raws:
    """Find every power sensor of hwmon, and the temperatures of processors.

    Raises:
        MeterUnavailable: there is neither.
    """
    powers = list_sensors(root)
    chips = [chip for chip in sorted(root.glob("hwmon*")) if read_text(chip / "name") in THERMAL]
    warm = [file for chip in chips for file in sorted(chip.glob("temp*_input"))]
    if not powers and not warm:
        raise MeterUnavailable(
            f"There are no sensors of power or of a processor's temperature under {root}.", ""
        )
    sensors = [_raw(f"hwmon/{number}", power.file, "uW") for number, power in enumerate(powers)]
    sensors += [
        _raw(f"hwmon/{number}", file, "mC", state=True) for number, file in enumerate(warm, len(powers))
    ]
    return Raws("hwmon", sensors, {"sensors": [*map(_power, powers), *map(_temperature, warm)]})


def open_clock(root: Path = CLOCKS) -> Raws:
    """Find the clock of the first processor.

    Raises:
        MeterUnavailable: the kernel does not tell it.
    """
    file = root / "policy0" / "scaling_cur_freq"
    if not file.exists():
        raise MeterUnavailable("The kernel does not tell the clock of the processor.", "")
    return Raws("cpufreq", [_raw("cpufreq/policy0/scaling_cur_freq", file, "kHz", state=True)], {})


def _raw(name: str, file: Path, unit: str, *, state: bool = False) -> Raw:
    return Raw(name, unit, lambda: int(read_number(file)), state)


def _power(power: PowerFile) -> dict[str, Any]:
    facts = {"chip": power.chip, "label": power.label, "file": power.file.name}
    return {**facts, "average_seconds": power.average_seconds}


def _temperature(file: Path) -> dict[str, Any]:
    label = read_text(file.with_name(file.name.replace("_input", "_label")))
    return {"chip": read_text(file.parent / "name"), "label": label, "file": file.name}


def _zone(zone: Path) -> dict[str, Any]:
    files = [file for file in sorted(zone.glob("constraint_*")) if CONSTRAINT.fullmatch(file.name)]
    texts = {file.name: read_text(file) for file in (zone / "name", zone / "max_energy_range_uj", *files)}
    return {"zone": zone.name, **texts}
