"""A `pynvml`-shaped library over a simulated machine, with scripts for everything that goes wrong.

    library = Library(machine, [Gpu(0, uuid=..., bus=...), ...])

NVML's order is the order of the list; CUDA's is that of the PCI buses. The energy counter moves every
`step_seconds` and shows whole millijoules; power is the value at the counter's last move.
"""

import math
from dataclasses import dataclass, field
from types import SimpleNamespace

from tests.simulated.machine import Shape

NOT_SUPPORTED, NO_PERMISSION, UNINITIALIZED, LIBRARY_NOT_FOUND = 3, 4, 1, 12
GPU_IS_LOST, NOT_FOUND, UNKNOWN = 15, 6, 999

MESSAGES = {
    1: "Uninitialized",
    3: "Not Supported",
    4: "Insufficient Permissions",
    6: "Not Found",
    12: "NVML Shared Library Not Found",
    15: "GPU is lost",
    999: "Unknown Error",
}


class NVMLError(Exception):
    def __init__(self, value):
        super().__init__(MESSAGES[value])
        self.value = value


@dataclass
class Gpu:
    """One board, and what is wrong with it: times are seconds of the machine's clock."""

    uuid: str = "GPU-5c8a1e60-0b5e-4d1f-9c43-7f2b8a90d1e2"
    bus: int = 0x17
    name: str = "NVIDIA H200"
    shape: Shape | None = None  # None: the machine's
    step_seconds: float = 0.1
    gain: float = 1.0
    limit_watts: float = 700.0
    mig: tuple[str, ...] = ()
    instant: bool = True
    counter_error: int | None = None
    power_error: int | None = None
    lost_at: float = math.inf
    reset_at: float = math.inf
    stuck: tuple[float, float] = (math.inf, math.inf)
    zero_watts: tuple[float, float] = (math.inf, math.inf)
    failing_reads: int = 0  # the next so many reads of the counter answer "not supported"


@dataclass
class Library:
    machine: object
    gpus: list[Gpu] = field(default_factory=lambda: [Gpu()])
    init_error: int | None = None
    users: int = 0
    NVMLError: type = NVMLError

    def nvmlInit(self):
        if self.init_error is not None:
            raise NVMLError(self.init_error)
        self.users += 1

    def nvmlShutdown(self):
        if self.users == 0:
            raise NVMLError(UNINITIALIZED)
        self.users -= 1

    def nvmlDeviceGetCount(self):
        return len(self.gpus)

    def nvmlDeviceGetHandleByIndex(self, index):
        return self.gpus[index]

    def nvmlDeviceGetHandleByUUID(self, uuid):
        for gpu in self.gpus:
            if gpu.uuid == uuid:
                return gpu
            if uuid in gpu.mig:
                return SimpleNamespace(parent=gpu)
        raise NVMLError(NOT_FOUND)

    def nvmlDeviceGetDeviceHandleFromMigDeviceHandle(self, handle):
        return handle.parent

    def nvmlDeviceGetMigMode(self, gpu):
        return [1, 1] if gpu.mig else [0, 0]

    def nvmlDeviceGetUUID(self, gpu):
        return gpu.uuid

    def nvmlDeviceGetName(self, gpu):
        return gpu.name

    def nvmlDeviceGetPciInfo(self, gpu):
        return SimpleNamespace(domain=0, bus=gpu.bus, device=0, busId=f"00000000:{gpu.bus:02X}:00.0")

    def nvmlDeviceGetPowerManagementLimitConstraints(self, gpu):
        return [200_000, round(gpu.limit_watts * 1000)]

    def nvmlDeviceGetEnforcedPowerLimit(self, gpu):
        return round(gpu.limit_watts * 1000)

    def nvmlDeviceGetMemoryInfo(self, gpu):
        return SimpleNamespace(total=2**37, used=2**30, free=2**37 - 2**30)

    def nvmlDeviceGetUtilizationRates(self, gpu):
        return SimpleNamespace(gpu=100, memory=50)

    def nvmlDeviceGetTotalEnergyConsumption(self, gpu):
        self._alive(gpu, gpu.counter_error)
        if gpu.failing_reads:
            gpu.failing_reads -= 1
            raise NVMLError(NOT_SUPPORTED)
        return math.floor(1000 * gpu.gain * self._joules(gpu, self._tick(gpu)))

    def nvmlDeviceGetPowerUsage(self, gpu):
        self._alive(gpu, gpu.power_error)
        start, end = gpu.zero_watts
        if start <= self.machine.now() < end:
            return 0
        return round(1000 * gpu.gain * self.machine.watts(self._tick(gpu), gpu.shape))

    def nvmlDeviceGetFieldValues(self, gpu, fields):
        if not gpu.instant:
            self._alive(gpu, None)
            return [SimpleNamespace(nvmlReturn=NOT_SUPPORTED, value=SimpleNamespace(uiVal=0)) for _ in fields]
        watts = self.nvmlDeviceGetPowerUsage(gpu)
        return [SimpleNamespace(nvmlReturn=0, value=SimpleNamespace(uiVal=watts)) for _ in fields]

    def _alive(self, gpu, error):
        if self.users == 0:
            raise NVMLError(UNINITIALIZED)
        if self.machine.now() >= gpu.lost_at:
            raise NVMLError(GPU_IS_LOST)
        if error is not None:
            raise NVMLError(error)

    def _tick(self, gpu):
        """When the sensor last moved: its steps are counted from 3 ms past the full second."""
        phase = 0.003
        return math.floor((self.machine.now() - phase) / gpu.step_seconds) * gpu.step_seconds + phase

    def _joules(self, gpu, seconds):
        """What the counter holds: 400 kJ from before the machine was switched on; less after a reset."""
        start, end = gpu.stuck
        if start <= seconds < end:
            seconds = start
        if seconds >= gpu.reset_at:
            return self.machine.energy(gpu.reset_at, seconds, gpu.shape)
        return 400_000.0 + self.machine.energy(1000.0, seconds, gpu.shape)
