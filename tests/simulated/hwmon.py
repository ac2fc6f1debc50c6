"""Trees of real files as hwmon's power sensors show them, whose power follows a simulated machine.

Layouts and names: Linux, drivers/hwmon/acpi_power_meter.c (files in the folder of the device, or in newer
kernels of the chip), ibmpowernv.c, amdgpu_pm.c, corsair-psu.c; for Grace the `_PMC` of NVIDIA's firmware.
"""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Chip:
    """One hwmon folder: the driver's name, and its sensors' names with their share of the power.

    oem: whether the names stand in `power1_oem_info`; below: whether the files are in the device's folder.
    """

    name: str
    sensors: dict
    what: str = "average"
    oem: bool = False
    below: bool = False
    measures: tuple = ()
    battery: bool = False


def grace(socket=0, grace=0.5, cpu=0.3, sysio=0.1, module=1.0):
    """The sensors of a GH200: the module is Grace and its GPU, and Grace more than its processor's rails."""
    names = {"Module": module, "Grace": grace, "CPU": cpu, "SysIO": sysio}
    return [
        Chip("power_meter", {f"{name} Power Socket {socket}": share}, oem=True, below=True)
        for name, share in names.items()
        if share is not None
    ]


GPU = Chip("amdgpu", {"PPT": 0.4})
RAIL = Chip("ina226", {"": 0.1}, what="input")
SUPPLY = Chip("corsairpsu", {"power total": 1.0}, what="input")
SERVER = Chip("power_meter", {"": 1.0}, oem=True, below=True)
NEW_SERVER = Chip("power_meter", {"": 1.0}, oem=True)
POWER9 = Chip("ibmpowernv", {"System": 1.0, "Chip 0 Vdd": 0.4}, what="input")


@dataclass
class Tree:
    """Write `chips` under `root` now; `now` brings their values up to the machine's time."""

    root: Path
    machine: object
    chips: list
    reads: int = 0
    written: dict = field(default_factory=dict)

    def __post_init__(self):
        for number, chip in enumerate(self.chips):
            folder = self.folder(number)
            folder.mkdir(parents=True)
            (self.root / f"hwmon{number}" / "name").write_text(f"{chip.name}\n")
            for place, label in enumerate(chip.sensors, 1):
                if label or chip.oem:
                    (folder / f"power{place}_{'oem_info' if chip.oem else 'label'}").write_text(f"{label}\n")
                (folder / f"power{place}_average_interval").write_text("1000\n")
                if chip.battery:
                    (folder / f"power{place}_is_battery").write_text("1\n")
            for name in chip.measures:
                (folder / "measures").mkdir(exist_ok=True)
                (folder / "measures" / name).symlink_to(folder)
        self.now()

    def folder(self, number):
        return self.root / f"hwmon{number}" / ("device" if self.chips[number].below else ".")

    def file(self, number, place=1):
        return self.folder(number) / f"power{place}_{self.chips[number].what}"

    def now(self):
        """Return the machine's time: the clock to hand to the meter."""
        for number, chip in enumerate(self.chips):
            for place, share in enumerate(chip.sensors.values(), 1):
                file, value = self.file(number, place), round(1e6 * share * self.machine.watts())
                if self.written.get(file) != value and file.parent.exists() and not file.is_dir():
                    file.write_text(f"{value}\n")
                    self.written[file] = value
        return self.machine.now()
