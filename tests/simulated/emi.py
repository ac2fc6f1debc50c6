"""Windows energy meter devices that answer with bytes laid out as Microsoft's emi.h describes them."""

import math
import struct
from dataclasses import dataclass, field

from tests.simulated.machine import Constant, Shape

JOULES_PER_PICOWATT_HOUR = 3.6e-9


def wide(text, characters=None):
    """Return null-terminated UTF-16, filled up to so many characters."""
    raw = (text + "\0").encode("utf-16-le")
    return raw if characters is None else raw.ljust(2 * characters, b"\0")


def metadata_v1(name, unit=0):
    """EMI_METADATA_V1: unit, OEM[16], model[16], revision, size of the name in bytes, name."""
    raw = wide(name)
    return (
        struct.pack("<i", unit) + wide("OEM", 16) + wide("Model", 16) + struct.pack("<HH", 1, len(raw)) + raw
    )


def metadata_v2(*names, unit=0):
    """EMI_METADATA_V2: OEM[16], model[16], revision, number; each: unit, size of the name, name."""
    raw = wide("Microsoft", 16) + wide("RAPL", 16) + struct.pack("<HH", 1, len(names))
    for name in names:
        raw += struct.pack("<iH", unit, len(wide(name))) + wide(name)
    return raw


@dataclass
class Channel:
    name: str
    shape: Shape | None = None  # None: the machine's
    start_joules: float = 50_000.0
    reset_at: float = math.inf


@dataclass
class Meter:
    """One device: version 2, so many channels; what goes wrong is at times of the machine's clock."""

    machine: object
    channels: list = field(default_factory=lambda: [Channel("RAPL_Package0_PKG")])
    version: int = 2
    unit: int = 0
    path: str = r"\\?\ACPI#INTC1234#0#{45bd8344-7ed6-49cf-a440-c276c933b053}"
    error: int | None = None
    short: bool = False
    closed: bool = False

    def ask(self, request, size):
        if self.error is not None:
            raise OSError(self.error, f"Windows error {self.error}", self.path)
        answer = {0x224000: self.version_bytes, 0x224004: self.size_bytes, 0x224008: self.metadata}.get(
            request, self.measurement
        )()
        assert len(answer) <= size, "the caller's buffer is too small"
        return answer[:-1] if self.short else answer

    def version_bytes(self):
        return struct.pack("<H", self.version)

    def size_bytes(self):
        return struct.pack("<L", len(self.metadata()))

    def metadata(self):
        names = [channel.name for channel in self.channels]
        return (
            metadata_v1(*names, unit=self.unit) if self.version == 1 else metadata_v2(*names, unit=self.unit)
        )

    def measurement(self):
        hundred_nanoseconds = round(self.machine.now() * 1e7)
        return b"".join(
            struct.pack("<QQ", round(self.joules(channel) / JOULES_PER_PICOWATT_HOUR), hundred_nanoseconds)
            for channel in self.channels
        )

    def joules(self, channel):
        """The counter moves every millisecond."""
        seconds = math.floor(self.machine.now() * 1000) / 1000
        if seconds >= channel.reset_at:
            return self.machine.energy(channel.reset_at, seconds, channel.shape)
        return channel.start_joules + self.machine.energy(1000.0, seconds, channel.shape)

    def close(self):
        self.closed = True


def laptop(machine):
    """One device per metered component, as Windows 11 has them."""
    return [
        Meter(machine, [Channel("RAPL_Package0_Core0_CORE", Constant(11.0))]),
        Meter(
            machine,
            [
                Channel("RAPL_Package0_PKG"),
                Channel("RAPL_Package0_DRAM", Constant(4.0)),
                Channel("RAPL_Package0_PP0", Constant(30.0)),
                Channel("RAPL_Package0_PP1", Constant(2.0)),
            ],
        ),
    ]
