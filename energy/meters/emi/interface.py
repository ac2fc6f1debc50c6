"""Windows' Energy Meter Interface: its requests, its structures, and the devices that answer them.

Structures and requests: Microsoft, emi.h ("Power Metering and Budgeting Reference"), versions 1 and 2 of the
interface. Parsing is plain functions of bytes; only `devices` needs Windows.
"""

from __future__ import annotations

import struct
import sys
from dataclasses import dataclass
from typing import Any, Protocol

# CTL_CODE(FILE_DEVICE_UNKNOWN, 0 to 3, METHOD_BUFFERED, FILE_READ_ACCESS)
GET_VERSION, GET_METADATA_SIZE, GET_METADATA, GET_MEASUREMENT = 0x224000, 0x224004, 0x224008, 0x22400C
INTERFACE = "{45BD8344-7ED6-49CF-A440-C276C933B053}"  # GUID_DEVICE_ENERGY_METER
PICOWATT_HOURS = 0  # EMI_MEASUREMENT_UNIT knows no other
JOULES_PER_PICOWATT_HOUR = 3600e-12
NAME_BYTES = 2 * 16  # WCHAR[EMI_NAME_MAX]
HEAD_V2 = 2 * NAME_BYTES  # HardwareOEM and HardwareModel, before HardwareRevision and ChannelCount
HEAD_V1 = 4 + 2 * NAME_BYTES  # MeasurementUnit before them
MEASUREMENT_BYTES = 16  # AbsoluteEnergy and AbsoluteTime, 64 bits each


class Device(Protocol):
    """One energy meter device."""

    path: str

    def ask(self, request: int, size: int) -> bytes:
        """Return at most `size` bytes of answer; raise OSError if it fails."""

    def close(self) -> None:
        """Release the device."""


@dataclass(frozen=True)
class Channel:
    """One counter of a device."""

    device: Device
    name: str
    place: int
    places: int

    def joules(self) -> float:
        """Ask for the energy since the counter began.

        Raises:
            OSError: the device does not answer.
            ValueError: its answer is too short.
        """
        answer = self.device.ask(GET_MEASUREMENT, MEASUREMENT_BYTES * self.places)
        return measured_joules(answer, self.places)[self.place]


def channels(device: Device) -> list[Channel]:
    """Return the channels of a device.

    Raises:
        OSError: the device does not answer.
        ValueError: its answer is of no version, unit or size known here.
    """
    (version,) = _unpack("<H", device.ask(GET_VERSION, 2), 0)
    (size,) = _unpack("<L", device.ask(GET_METADATA_SIZE, 4), 0)
    names = channel_names(version, device.ask(GET_METADATA, size))
    return [Channel(device, name, place, len(names)) for place, name in enumerate(names)]


def channel_names(version: int, metadata: bytes) -> list[str]:
    """Return the names in an EMI_METADATA_V1 or EMI_METADATA_V2.

    Raises:
        ValueError: another version, a unit other than picowatt-hours, or too few bytes.
    """
    if version == 1:
        (unit,) = _unpack("<i", metadata, 0)
        _, size = _unpack("<HH", metadata, HEAD_V1)
        return [_name(unit, metadata, HEAD_V1 + 4, size)]
    if version != 2:
        raise ValueError(f"EMI version {version}, expected 1 or 2")
    _, count = _unpack("<HH", metadata, HEAD_V2)
    names, offset = [], HEAD_V2 + 4
    for _ in range(count):
        unit, size = _unpack("<iH", metadata, offset)
        names.append(_name(unit, metadata, offset + 6, size))
        offset += 6 + size
    return names


def measured_joules(answer: bytes, places: int) -> list[float]:
    """Return the energy of each EMI_CHANNEL_MEASUREMENT_DATA in joules.

    Raises:
        ValueError: there are fewer than `places` of them.
    """
    counters = _unpack(f"<{2 * places}Q", answer, 0)
    return [energy * JOULES_PER_PICOWATT_HOUR for energy in counters[::2]]


def devices() -> list[Device]:
    """Open every energy meter of this machine; none if this is no Windows."""
    if sys.platform != "win32":
        return []
    from energy.meters.emi.windows import open_devices

    return list(open_devices(INTERFACE))


def _name(unit: int, metadata: bytes, offset: int, size: int) -> str:
    if unit != PICOWATT_HOURS:
        raise ValueError(f"EMI unit {unit}, expected {PICOWATT_HOURS} (picowatt-hours)")
    if len(metadata) < offset + size:
        raise ValueError(f"EMI metadata of {len(metadata)} bytes, expected at least {offset + size}")
    return metadata[offset : offset + size].decode("utf-16-le").partition("\0")[0]


def _unpack(layout: str, data: bytes, offset: int) -> tuple[Any, ...]:
    need = offset + struct.calcsize(layout)
    if len(data) < need:
        raise ValueError(f"an EMI answer of {len(data)} bytes, expected at least {need}")
    return struct.unpack_from(layout, data, offset)
