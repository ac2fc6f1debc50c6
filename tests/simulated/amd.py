"""An `amdsmi`-shaped library over a simulated machine: functions, keys, units and errors of amdsmi 7.0.

amdsmi's order is that of the PCI addresses; HIP's is each GPU's `hip`. The counter is in units of so many
microjoules (`resolution`) and moves every `step_seconds`; power is in whole watts, new with every move.
"""

import math
from dataclasses import dataclass, field
from enum import IntEnum

from tests.simulated.machine import Shape

NOT_SUPPORTED, NO_PERMISSION, BUSY, NOT_FOUND, NOT_INIT, DRIVER_NOT_LOADED = 2, 10, 30, 31, 32, 34
MESSAGES = {
    2: "AMDSMI_STATUS_NOT_SUPPORTED - Feature not supported",
    10: "AMDSMI_STATUS_NO_PERM - Permission Denied",
    30: "AMDSMI_STATUS_BUSY - Device busy",
    31: "AMDSMI_STATUS_NOT_FOUND - Device Not found",
    32: "AMDSMI_STATUS_NOT_INIT - Device not initialized",
    34: "AMDSMI_STATUS_DRIVER_NOT_LOADED - Driver not loaded",
}
MICROJOULES = 15.259  # per count: amdsmi's documentation of gpu_metrics


class AmdSmiException(Exception):
    pass


class AmdSmiLibraryException(AmdSmiException):
    def __init__(self, code):
        super().__init__(code)
        self.code = code

    def get_error_code(self):
        return self.code

    def get_error_info(self):
        return MESSAGES[self.code]


class InitFlags(IntEnum):
    INIT_AMD_GPUS = 2


class VramType(IntEnum):
    HBM3 = 4
    DDR4 = 12
    GDDR6 = 18


@dataclass(eq=False)
class Gpu:
    """One GPU, and what is wrong with it: times are seconds of the machine's clock."""

    uuid: str = "9eff74a1-0000-1000-80ee-2fbd1a51c5ac"
    address: str = "0000:0c:00.0"
    hip: int | str = 0
    hip_uuid: str = "GPU-eeae2fbd1a51c5ac"
    name: str = "AMD Instinct MI300X"
    memory: int = VramType.HBM3
    shape: Shape | None = None  # None: the machine's
    step_seconds: float = 0.01
    cap: int = 750_000_000
    resolution: float = MICROJOULES
    counts_per_joule: float = 1e6 / MICROJOULES
    power_key: str = "current_socket_power"
    energy_error: int | None = None
    power_error: int | None = None
    silent: bool = False  # the second die of an MI250: everything is 0
    stuck: bool = False
    lost_at: float = math.inf
    reset_at: float = math.inf
    old: bool = False  # amdsmi before 6.2.1

    @property
    def device(self):
        """What a count calls it."""
        return f"GPU-{self.uuid}"


@dataclass
class Library:
    machine: object
    gpus: list = field(default_factory=lambda: [Gpu()])
    init_error: int | None = None
    users: int = 0
    enumerates: bool = True
    AmdSmiException: type = AmdSmiException
    AmdSmiLibraryException: type = AmdSmiLibraryException
    AmdSmiInitFlags: type = InitFlags
    AmdSmiVramType: type = VramType

    def amdsmi_init(self, flag):
        assert flag == InitFlags.INIT_AMD_GPUS
        if self.init_error is not None:
            raise AmdSmiLibraryException(self.init_error)
        self.users += 1

    def amdsmi_shut_down(self):
        assert self.users > 0
        self.users -= 1

    def amdsmi_get_processor_handles(self):
        return list(self.gpus)

    def amdsmi_get_gpu_device_bdf(self, gpu):
        return gpu.address

    def amdsmi_get_gpu_device_uuid(self, gpu):
        return gpu.uuid

    def amdsmi_get_gpu_enumeration_info(self, gpu):
        if not self.enumerates:
            raise AmdSmiLibraryException(NOT_SUPPORTED)
        return {"drm_render": 128, "drm_card": 0, "hsa_id": 1, "hip_id": gpu.hip, "hip_uuid": gpu.hip_uuid}

    def amdsmi_get_gpu_asic_info(self, gpu):
        return {"market_name": gpu.name, "vendor_id": "0x1002"}

    def amdsmi_get_gpu_vram_info(self, gpu):
        return {"vram_type": int(gpu.memory), "vram_size": 196592}

    def amdsmi_get_power_cap_info(self, gpu):
        return {"power_cap": gpu.cap, "max_power_cap": gpu.cap}

    def amdsmi_get_energy_count(self, gpu):
        self._alive(gpu, gpu.energy_error)
        counts = 0 if gpu.silent else math.floor(self._joules(gpu) * gpu.counts_per_joule)
        key = "power" if gpu.old else "energy_accumulator"
        return {
            key: counts,
            "counter_resolution": gpu.resolution,
            "timestamp": round(1e9 * self.machine.now()),
        }

    def amdsmi_get_power_info(self, gpu):
        self._alive(gpu, gpu.power_error)
        answer = {"current_socket_power": "N/A", "average_socket_power": "N/A"}
        watts = 0 if gpu.silent else round(self.machine.watts(self._tick(gpu), gpu.shape))
        return answer | {gpu.power_key: watts, "gfx_voltage": "N/A", "power_limit": gpu.cap}

    def _alive(self, gpu, error):
        if self.users == 0:
            raise AmdSmiLibraryException(NOT_INIT)
        if self.machine.now() >= gpu.lost_at:
            raise AmdSmiLibraryException(NOT_FOUND)
        if error is not None:
            raise AmdSmiLibraryException(error)

    def _tick(self, gpu):
        """When the sensor last moved: its steps are counted from 3 ms past the full second."""
        return math.floor((self.machine.now() - 0.003) / gpu.step_seconds) * gpu.step_seconds + 0.003

    def _joules(self, gpu):
        """What the counter holds: 400 kJ from before the machine was switched on; less after a reset."""
        seconds = 1000.0 if gpu.stuck else self._tick(gpu)
        if seconds >= gpu.reset_at:
            return self.machine.energy(gpu.reset_at, seconds, gpu.shape)
        return 400_000.0 + self.machine.energy(1000.0, seconds, gpu.shape)
