"""A `pynvml`-shaped library over a simulated machine, with scripts for everything that goes wrong.

    library = Library(machine, [Gpu(0, uuid=..., bus=...), ...])

NVML's order is the order of the list; CUDA's is that of the PCI buses. A board without a `sensor` has an
ideal one: the energy counter moves every `step_seconds` and shows whole millijoules; power is the value at
the counter's last move.
"""

import math
from dataclasses import dataclass, field
from types import SimpleNamespace

from tests.simulated.machine import Shape, Sum
from tests.simulated.sensors import Seen, Sensor

NOT_SUPPORTED, NO_PERMISSION, UNINITIALIZED, LIBRARY_NOT_FOUND = 3, 4, 1, 12
GPU_IS_LOST, NOT_FOUND, UNKNOWN, FUNCTION_NOT_FOUND = 15, 6, 999, 13
INVALID_ARGUMENT = 2

MESSAGES = {
    1: "Uninitialized",
    2: "Invalid Argument",
    3: "Not Supported",
    4: "Insufficient Permissions",
    6: "Not Found",
    12: "NVML Shared Library Not Found",
    13: "Function Not Found",
    15: "GPU is lost",
    999: "Unknown Error",
}


class NVMLError(Exception):
    def __init__(self, value):
        super().__init__(MESSAGES[value])
        self.value = value


@dataclass(frozen=True)
class Script:
    """What a call does from `start` until `end` (seconds of the machine's clock): fail, or take its time.

    call: the name of the NVML function, or "" for all that look at a board.
    """

    call: str = ""
    error: int | None = None
    slow_seconds: float = 0.0
    start: float = -math.inf
    end: float = math.inf


@dataclass
class Gpu:
    """One board, and what is wrong with it: times are seconds of the machine's clock."""

    uuid: str = "GPU-5c8a1e60-0b5e-4d1f-9c43-7f2b8a90d1e2"
    bus: int = 0x17
    name: str = "NVIDIA H200"
    shape: Shape | None = None  # None: the machine's
    module: Shape | None = None  # what its superchip draws beside it: CPU, memory
    scopes: tuple[int, ...] = (0, 1, 2)  # of power that it answers for, if it is on one
    counts_module: bool = True  # its energy counter is then of all that
    step_seconds: float = 0.1
    gain: float = 1.0
    limit_watts: float = 700.0  # default and highest; `set_watts` is what somebody has set
    set_watts: float | None = None
    cap_watts: float = math.inf  # what another mechanism keeps the board to, whatever is set
    mig: tuple[str, ...] = ()
    instant: bool = True
    counter_error: int | None = None
    power_error: int | None = None
    lost_at: float = math.inf
    reset_at: float = math.inf
    stuck: tuple[float, float] = (math.inf, math.inf)
    zero_watts: tuple[float, float] = (math.inf, math.inf)
    failing_reads: int = 0  # the next so many reads of the counter answer "not supported"
    sensor: Sensor | None = None
    architecture: int = 9  # nvml.h, NVML_DEVICE_ARCH_HOPPER
    scripts: list[Script] = field(default_factory=list)
    celsius: Shape | None = None
    throttling: list[tuple[float, float, int]] = field(default_factory=list)  # from, until, reasons
    sm_mhz: int = 1980
    memory_mhz: int = 3201
    utilization_pct: int = 100
    used_mib: int = 1024
    persistence: int = 1
    compute_pids: tuple[int, ...] = ()
    graphics_pids: tuple[int, ...] = ()


def preset_gpu(preset, sensor=None, **changes):
    """Return a board as one of the presets of `tests.simulated.sensors` has it."""
    return Gpu(
        name=preset.name,
        sensor=sensor or preset.sensor,
        instant=preset.instant,
        architecture=preset.architecture,
        limit_watts=preset.limit_watts,
        **changes,
    )


@dataclass
class Library:
    machine: object
    gpus: list[Gpu] = field(default_factory=lambda: [Gpu()])
    init_error: int | None = None
    is_root: bool = True
    users: int = 0
    NVMLError: type = NVMLError
    calls: dict[str, int] = field(default_factory=dict)  # how often each question about a board was asked
    _seen: dict[tuple, Seen] = field(default_factory=dict)

    def nvmlInit(self):
        if self.init_error is not None:
            raise NVMLError(self.init_error)
        self.users += 1

    def nvmlShutdown(self):
        if self.users == 0:
            raise NVMLError(UNINITIALIZED)
        self.users -= 1

    def nvmlSystemGetDriverVersion(self):
        return "570.86.15"

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

    def nvmlDeviceGetArchitecture(self, gpu):
        self._ask(gpu, "nvmlDeviceGetArchitecture")
        return gpu.architecture

    def nvmlDeviceGetPciInfo(self, gpu):
        return SimpleNamespace(domain=0, bus=gpu.bus, device=0, busId=f"00000000:{gpu.bus:02X}:00.0")

    def nvmlDeviceGetPowerManagementLimitConstraints(self, gpu):
        return [200_000, round(gpu.limit_watts * 1000)]

    def nvmlDeviceGetEnforcedPowerLimit(self, gpu):
        self._ask(gpu, "nvmlDeviceGetEnforcedPowerLimit")
        return min(self.nvmlDeviceGetPowerManagementLimit(gpu), round(min(gpu.cap_watts, 1e6) * 1000))

    def nvmlDeviceGetPowerManagementDefaultLimit(self, gpu):
        return round(gpu.limit_watts * 1000)

    def nvmlDeviceGetPowerManagementLimit(self, gpu):
        return round((gpu.limit_watts if gpu.set_watts is None else gpu.set_watts) * 1000)

    def nvmlDeviceSetPowerManagementLimit(self, gpu, milliwatts):
        self._ask(gpu, "nvmlDeviceSetPowerManagementLimit", None if self.is_root else NO_PERMISSION)
        lowest, highest = self.nvmlDeviceGetPowerManagementLimitConstraints(gpu)
        if not lowest <= milliwatts <= highest:
            raise NVMLError(INVALID_ARGUMENT)
        gpu.set_watts = milliwatts / 1000

    def nvmlDeviceGetMemoryInfo(self, gpu):
        self._ask(gpu, "nvmlDeviceGetMemoryInfo")
        used = gpu.used_mib * 2**20
        return SimpleNamespace(total=2**37, used=used, free=2**37 - used)

    def nvmlDeviceGetUtilizationRates(self, gpu):
        self._ask(gpu, "nvmlDeviceGetUtilizationRates")
        return SimpleNamespace(gpu=gpu.utilization_pct, memory=50)

    def nvmlDeviceGetTemperature(self, gpu, sensor):
        self._ask(gpu, "nvmlDeviceGetTemperature")
        assert sensor == 0, "NVML_TEMPERATURE_GPU is the only sensor"
        return 42 if gpu.celsius is None else round(self.machine.watts(shape=gpu.celsius))

    def nvmlDeviceGetClockInfo(self, gpu, clock):
        self._ask(gpu, "nvmlDeviceGetClockInfo")
        return {1: gpu.sm_mhz, 2: gpu.memory_mhz}[clock]

    def nvmlDeviceGetPersistenceMode(self, gpu):
        self._ask(gpu, "nvmlDeviceGetPersistenceMode")
        return gpu.persistence

    def nvmlDeviceGetCurrentClocksEventReasons(self, gpu):
        self._ask(gpu, "nvmlDeviceGetCurrentClocksEventReasons")
        return self._reasons(gpu)

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, gpu):
        self._ask(gpu, "nvmlDeviceGetCurrentClocksThrottleReasons")
        return self._reasons(gpu)

    def nvmlDeviceGetComputeRunningProcesses(self, gpu):
        self._ask(gpu, "nvmlDeviceGetComputeRunningProcesses")
        return [SimpleNamespace(pid=pid, usedGpuMemory=2**29) for pid in gpu.compute_pids]

    def nvmlDeviceGetGraphicsRunningProcesses(self, gpu):
        self._ask(gpu, "nvmlDeviceGetGraphicsRunningProcesses")
        return [SimpleNamespace(pid=pid, usedGpuMemory=2**25) for pid in gpu.graphics_pids]

    def nvmlDeviceGetTotalEnergyConsumption(self, gpu):
        self._ask(gpu, "nvmlDeviceGetTotalEnergyConsumption", gpu.counter_error)
        if gpu.failing_reads:
            gpu.failing_reads -= 1
            raise NVMLError(NOT_SUPPORTED)
        return self._millijoules(gpu)

    def nvmlDeviceGetPowerUsage(self, gpu):
        self._ask(gpu, "nvmlDeviceGetPowerUsage", gpu.power_error)
        return self._milliwatts(gpu, self._whole(gpu))

    def nvmlDeviceGetFieldValues(self, gpu, fields):
        self._ask(gpu, "nvmlDeviceGetFieldValues", gpu.power_error if gpu.instant else None)
        return [self._field(gpu, field) for field in fields]

    def _field(self, gpu, field):
        """Answer for a field, or for a field and its scope: 0 the GPU, 1 its module, 2 its memory."""
        number, scope = field if isinstance(field, tuple) else (field, 0)
        assert number in (185, 186), "NVML_FI_DEV_POWER_AVERAGE, NVML_FI_DEV_POWER_INSTANT"
        there = gpu.scopes if gpu.module else (0,)
        error = gpu.power_error or (0 if gpu.instant and scope in there and scope < 2 else NOT_SUPPORTED)
        shape = self._whole(gpu) if scope == 1 else gpu.shape
        value = SimpleNamespace(uiVal=0 if error else self._milliwatts(gpu, shape))
        return SimpleNamespace(nvmlReturn=error, value=value)

    def _whole(self, gpu):
        """What the energy counter and the power usage are of."""
        own = gpu.shape or self.machine.shape
        return Sum(own, gpu.module) if gpu.module else gpu.shape

    def _ask(self, gpu, call, error=None):
        """Fail or dawdle as the board's scripts say."""
        self.calls[call] = self.calls.get(call, 0) + 1
        if self.users == 0:
            raise NVMLError(UNINITIALIZED)
        for script in gpu.scripts:
            if script.call in ("", call) and script.start <= self.machine.now() < script.end:
                self.machine.advance(script.slow_seconds)
                error = script.error if error is None else error
        if self.machine.now() >= gpu.lost_at:
            raise NVMLError(GPU_IS_LOST)
        if error is not None:
            raise NVMLError(error)

    def _reasons(self, gpu):
        now, reasons = self.machine.now(), 0
        for start, end, bits in gpu.throttling:
            reasons |= bits if start <= now < end else 0
        return reasons

    def _milliwatts(self, gpu, shape):
        start, end = gpu.zero_watts
        now = self.machine.now()
        if start <= now < end:
            return 0
        if gpu.sensor:
            return round(1000 * self._sensor(gpu, shape).watts(now))
        return round(1000 * gpu.gain * self.machine.watts(self._tick(gpu, now), shape))

    def _millijoules(self, gpu):
        """What the counter holds: 400 kJ from before the machine was switched on; less after a reset."""
        start, end = gpu.stuck
        now = self.machine.now()
        seconds = start if start <= now < end else now
        before = 400_000.0
        if seconds >= gpu.reset_at:
            before = -self._counted(gpu, gpu.reset_at)
        return math.floor(1000 * (before + self._counted(gpu, seconds)) + 1e-6)

    def _counted(self, gpu, seconds):
        shape = self._whole(gpu) if gpu.counts_module else gpu.shape
        if gpu.sensor:
            return self._sensor(gpu, shape).joules(seconds)
        return gpu.gain * self.machine.energy(1000.0, self._tick(gpu, seconds), shape)

    def _sensor(self, gpu, shape):
        if (id(gpu), shape) not in self._seen:
            self._seen[id(gpu), shape] = Seen(gpu.sensor, self.machine, shape)
        return self._seen[id(gpu), shape]

    def _tick(self, gpu, seconds):
        """When the ideal sensor last moved: its steps are counted from 3 ms past the full second."""
        phase = 0.003
        return math.floor((seconds - phase) / gpu.step_seconds) * gpu.step_seconds + phase
