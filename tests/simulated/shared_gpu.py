"""A GPU whose power limit several processes see: it is kept in a file, as a driver keeps it for all.

`install(folder)` writes a module `pynvml`, to be put on PYTHONPATH; `Shared(folder)` is the same board here.
"""

import time
from pathlib import Path

from tests.simulated.machine import Machine
from tests.simulated.nvml import Gpu, Library

MODULE = """
import sys
sys.path.insert(1, {root!r})
from tests.simulated.shared_gpu import Shared
sys.modules[__name__] = Shared({folder!r})
"""


class Shared(Library):
    """A library of one board."""

    def __init__(self, folder, **changes):
        machine = Machine()
        machine.now = time.monotonic
        super().__init__(machine, [Gpu(**changes)])
        self.file = Path(folder) / "limit_milliwatts"

    def nvmlDeviceGetPowerManagementLimit(self, gpu):
        return int(self.file.read_text()) if self.file.exists() else round(gpu.limit_watts * 1000)

    def nvmlDeviceSetPowerManagementLimit(self, gpu, milliwatts):
        super().nvmlDeviceSetPowerManagementLimit(gpu, milliwatts)
        new = self.file.with_suffix(".new")
        new.write_text(str(milliwatts))
        new.rename(self.file)  # nobody reads half a number

    @property
    def limit_watts(self):
        return self.nvmlDeviceGetPowerManagementLimit(self.gpus[0]) / 1000


def install(folder):
    root = str(Path(__file__).parents[2])
    (folder / "pynvml.py").write_text(MODULE.format(root=root, folder=str(folder)))
