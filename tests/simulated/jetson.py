"""Trees of real files as a Jetson's INA3221 monitors show them, whose power follows a simulated machine.

Labels and addresses of each module: its device tree (Linux: arch/arm64/boot/dts/nvidia/tegra*.dtsi) or, for
the older kernels, the Jetson Linux Developer Guide 32.7. The power of a rail is a share of the machine's.
"""

from dataclasses import dataclass, field
from pathlib import Path

MILLIVOLTS = 5000

AGX_ORIN = {
    "1-0040": {"VDD_GPU_SOC": 0.5, "VDD_CPU_CV": 0.3, "VIN_SYS_5V0": 0.2},
    "1-0041": {"NC": 0.0, "VDDQ_VDD2_1V8AO": 0.1},
}
ORIN_NX = {"1-0040": {"VDD_IN": 1.0, "VDD_CPU_GPU_CV": 0.6, "VDD_SOC": 0.2}}
AGX_XAVIER = {
    "1-0040": {"GPU": 0.4, "CPU": 0.2, "SOC": 0.1},
    "1-0041": {"CV": 0.05, "VDDRQ": 0.15, "SYS5V": 0.1},
}
XAVIER_NX = {"7-0040": {"VDD_IN": 1.0, "VDD_CPU_GPU_CV": 0.6, "VDD_SOC": 0.2}}
TX2 = {
    "0-0040": {"VDD_SYS_GPU": 0.3, "VDD_SYS_SOC": 0.1, "VDD_4V0_WIFI": 0.05},
    "0-0041": {"VDD_IN": 1.0, "VDD_SYS_CPU": 0.2, "VDD_SYS_DDR": 0.15},
    "0-0042": {"VDD_MUX": 0.4, "VDD_5V0_IO_SYS": 0.2, "VDD_3V3_SYS": 0.1},
}
NANO = {"6-0040": {"POM_5V_IN": 1.0, "POM_5V_GPU": 0.3, "POM_5V_CPU": 0.4}}


@dataclass
class Board:
    """Write `monitors` under `root` now; `now` brings their values up to the machine's time.

    layout: "hwmon" (mainline), "iio" (NVIDIA's 4.9 kernel) or "iio-parts" (voltage and current, no power).
    """

    root: Path
    machine: object
    monitors: dict
    layout: str = "hwmon"
    written: dict = field(default_factory=dict)

    def __post_init__(self):
        for address in self.monitors:
            self.folder(address).mkdir(parents=True)
            for place, label in enumerate(self.monitors[address]):
                name = f"in{place + 1}_label" if self.layout == "hwmon" else f"rail_name_{place}"
                (self.folder(address) / name).write_text(f"{label}\n")
        self.now()

    def folder(self, address):
        number = list(self.monitors).index(address)
        if self.layout == "hwmon":
            return self.root / "ina3221" / address / "hwmon" / f"hwmon{number + 3}"
        return self.root / "ina3221x" / address / f"iio:device{number}"

    def now(self):
        """Return the machine's time: the clock to hand to the meter."""
        for address, shares in self.monitors.items():
            for place, share in enumerate(shares.values()):
                for name, value in self.values(place, share * self.machine.watts()).items():
                    file = self.folder(address) / name
                    if self.written.get(file) != value and file.parent.exists() and not file.is_dir():
                        file.write_text(f"{value}\n")
                        self.written[file] = value
        return self.machine.now()

    def values(self, place, watts):
        milliamperes = round(1e6 * watts / MILLIVOLTS)
        if self.layout == "hwmon":
            return {f"in{place + 1}_input": MILLIVOLTS, f"curr{place + 1}_input": milliamperes}
        if self.layout == "iio":
            return {f"in_power{place}_input": round(1000 * watts)}
        return {f"in_voltage{place}_input": MILLIVOLTS, f"in_current{place}_input": milliamperes}

    def make_unreadable(self, address, name):
        """Put a folder in a file's place: that fails for root too, whom permissions do not stop."""
        (self.folder(address) / name).unlink()
        self.written.clear()
        (self.folder(address) / name).mkdir()

    def make_readable(self, address, name):
        (self.folder(address) / name).rmdir()
        self.now()

    def remove(self, address):
        """Take the monitor away, as unbinding its driver does."""
        for file in self.folder(address).iterdir():
            file.unlink()
        self.folder(address).rmdir()
