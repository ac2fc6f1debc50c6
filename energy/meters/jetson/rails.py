"""The power rails of a Jetson, as its INA3221 monitors show them in sysfs.

Two layouts: hwmon of the mainline driver (Linux: Documentation/hwmon/ina3221: `in1_label`, `in1_input` in mV,
`curr1_input` in mA) and the `iio:device` of NVIDIA's older kernels (`rail_name_0`, `in_power0_input` in mW,
or `in_voltage0_input` and `in_current0_input`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from energy.meters._counting.sensors import NoValue
from energy.meters._counting.sysfs import read_number

MILLI, MICRO = 1e-3, 1e-6
MAX_WATTS = 200.0  # more than any rail carries: the largest module, Jetson AGX Thor, is built for 130 W
NOISE_WATTS = 0.5  # a rail that is switched off shows the monitor's offset, which may be negative

# What each rail feeds, by the labels in the device trees (Linux: arch/arm64/boot/dts/nvidia/tegra*.dtsi; for
# Nano, TX2 NX and Xavier NX: Jetson Linux Developer Guide 32.7, "Clock Frequency and Power Management").
# An SoC rail (memory controller, interconnect, codecs) belongs to the processor, as in a RAPL package;
# so does CV, the vision accelerators, which most boards feed together with the CPU.
CPU = (
    *("CPU", "SOC", "CV"),  # AGX Xavier
    *("VDD_CPU_CV", "VDD_SOC"),  # AGX Orin; Xavier NX, Orin NX, Orin Nano and TX2 NX
    *("VDD_CPU", "POM_5V_CPU", "VDD_SYS_CPU", "VDD_SYS_SOC"),  # TX1, Nano, TX2
)
GPU = ("GPU", "VDD_GPU_SOC", "VDD_GPU", "POM_5V_GPU", "VDD_SYS_GPU")
RAM = ("VDDRQ", "VDDQ_VDD2_1V8AO", "VDD_SYS_DDR", "VDD_5V0_DDR")
# One rail for CPU and GPU. It counts as "cpu": otherwise a model of the CPU would be added on top of it.
JOINT = ("VDD_CPU_GPU_CV", "VDD_CPU_GPU")
WHOLE = ("VDD_IN", "POM_5V_IN")  # the module's supply, which contains all its other rails

DOMAINS = {
    **dict.fromkeys((*CPU, *JOINT), "cpu"),
    **dict.fromkeys(GPU, "gpu"),
    **dict.fromkeys(RAM, "ram"),
    **dict.fromkeys(WHOLE, "machine"),
}


@dataclass(frozen=True)
class Rail:
    """One rail, with the file of its power or those of its voltage and current, and their product's scale."""

    label: str
    files: tuple[Path, ...]
    scale: float

    @property
    def domain(self) -> str | None:
        """What the rail feeds; None for rails of the carrier board, and for the 5 V input of an AGX board."""
        return DOMAINS.get(self.label)

    def watts(self) -> float:
        """Read the power.

        Raises:
            NoValue: a file cannot be read, or shows what no rail carries.
            Gone: the monitor has vanished.
        """
        value = self.scale
        for file in self.files:
            value *= read_number(file)
        if not -NOISE_WATTS <= value <= MAX_WATTS:
            raise NoValue(f"{self.files[0]}: {value:g} W, expected 0 to {MAX_WATTS:g} W")
        return max(0.0, value)


def rails(root: Path) -> list[Rail]:
    """Return every labelled rail below the drivers' folder, each label once, in the order of their paths."""
    found: dict[str, Rail] = {}
    for driver in ("ina3221", "ina3221x"):
        for rail in (*_hwmon(root / driver), *_iio(root / driver)):
            found.setdefault(rail.label, rail)
    return list(found.values())


def _hwmon(driver: Path) -> Iterator[Rail]:
    for label in sorted(driver.glob("*/hwmon/hwmon*/in[123]_label")):
        number = label.name[2]
        files = (label.parent / f"in{number}_input", label.parent / f"curr{number}_input")
        yield Rail(_text(label), files, MILLI * MILLI)


def _iio(driver: Path) -> Iterator[Rail]:
    for label in sorted(driver.glob("*/iio:device*/rail_name_[0-9]")):
        number = label.name[-1]
        power = label.parent / f"in_power{number}_input"
        parts = tuple(label.parent / f"in_{what}{number}_input" for what in ("voltage", "current"))
        yield Rail(_text(label), (power,), MILLI) if power.exists() else Rail(_text(label), parts, MICRO)


def _text(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError as problem:
        return f"unreadable: {problem}"
