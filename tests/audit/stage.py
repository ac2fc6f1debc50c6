"""One simulated machine, dressed so that real tools take it for the one they run on.

Its GPUs are a module `pynvml`, its RAPL counters a powercap tree of real files, its clocks virtual. The
energy of any interval is known in closed form. In a tool only that is replaced which says where to look.
"""

import importlib
import os
import sys
import threading
import types
from dataclasses import replace

from tests.audit.virtual_time import Threading, VirtualTime
from tests.simulated.machine import Machine
from tests.simulated.nvml import LIBRARY_NOT_FOUND, NOT_FOUND, NOT_SUPPORTED, Library
from tests.simulated.powercap import Powercap

HOPPER = 9  # nvml.h, NVML_DEVICE_ARCH_HOPPER


class Stage:
    """The machine of one script, set up in `folder`, and the time on it."""

    def __init__(self, script, folder):
        self.machine, self.folder, self.script = Machine(), folder, script
        self.said = []  # what the tools have warned of
        self.gpus = [replace(gpu) for gpu in script.gpus]
        self.library = Library(self.machine, self.gpus, None if self.gpus else LIBRARY_NOT_FOUND)
        self.powercap_root = folder / "powercap"
        self.powercap_root.mkdir()
        self.powercap = self._powercap() if script.zones else None
        self.time = VirtualTime(self.machine, self.powercap.update if self.powercap else lambda: None)
        self.threading = threading if script.model else Threading(self.time)

    def take_over(self):
        """Let this process live on the stage; before any tool is imported."""
        sys.modules["pynvml"] = nvml_module(self.library, self.script.counter_shows)
        self._environ()
        if not self.script.model:
            self.time.install()
        for name in [name for name in sys.modules if name.partition(".")[0] == "energy"]:
            del sys.modules[name]  # it was imported with the real clocks

    def joules(self, start, end):
        """What the script's devices drew, exactly."""
        devices = self.gpus if self.script.domain == "gpu" else self.powercap.zones if self.powercap else []
        return sum(self.machine.energy(start, end, devices[index].shape) for index in self.script.billed)

    def _powercap(self):
        tree = Powercap(self.powercap_root, self.machine, [replace(zone) for zone in self.script.zones])
        link_as_in_sysfs(self.powercap_root)
        return tree

    def _environ(self):
        binaries, home = self.folder / "bin", self.folder / "home"
        binaries.mkdir()
        home.mkdir()
        if self.gpus and self.script.nvidia_smi:
            (binaries / "nvidia-smi").write_text("#!/bin/sh\n")
            (binaries / "nvidia-smi").chmod(0o755)
        for name in [
            name for name in os.environ if name.startswith(("CUDA", "CODECARBON", "ZEUS", "NVIDIA"))
        ]:
            del os.environ[name]
        os.environ.update(
            {"PATH": f"{binaries}:/usr/bin:/bin", "HOME": str(home), "TMPDIR": str(self.folder)}
        )
        os.environ.update(self.script.environ)
        os.chdir(home)


def nvml_module(library, counter_shows=1.0):
    """Return a module that has NVIDIA's constants and answers from the simulated library.

    counter_shows: the part of the energy that the counters show.
    """
    real = importlib.import_module("pynvml")
    module = types.ModuleType("pynvml")
    constants = {name: value for name, value in vars(real).items() if name.startswith("NVML_")}
    answers = {name: getattr(library, name) for name in dir(library) if name.startswith("nvml")}

    def by_index(index):
        if not 0 <= index < len(library.gpus):
            raise library.NVMLError(NOT_FOUND)
        return library.nvmlDeviceGetHandleByIndex(index)

    def counter(handle):
        return round(counter_shows * library.nvmlDeviceGetTotalEnergyConsumption(handle))

    def no_such_link(handle):
        raise library.NVMLError(NOT_SUPPORTED)

    module.__dict__.update(
        {
            **constants,
            "nvmlDeviceGetArchitecture": lambda handle: HOPPER,
            "nvmlDeviceGetC2cModeInfoV": no_such_link,
            "nvmlDeviceGetTemperatureV": lambda handle, sensor: 60,
            **answers,
            "nvmlDeviceGetHandleByIndex": by_index,
            "nvmlDeviceGetTotalEnergyConsumption": counter,
            "NVMLError": library.NVMLError,
            "NVMLError_NotSupported": type("NVMLError_NotSupported", (library.NVMLError,), {}),
            "_nvmlGetFunctionPointer": None,  # by which Zeus tells NVIDIA's bindings from another package
        }
    )
    return module


def link_as_in_sysfs(root):
    """Show each zone inside its parent too, as /sys/class/powercap does; tools differ in where they look."""
    for zone in sorted(root.glob("intel-rapl*:*")):
        control, _, rest = zone.name.partition(":")
        parent = root / control if ":" not in rest else root / zone.name.rpartition(":")[0]
        parent.mkdir(exist_ok=True)
        (parent / zone.name).symlink_to(zone, target_is_directory=True)
