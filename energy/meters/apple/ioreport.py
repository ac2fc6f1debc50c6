"""The "Energy Model" channels of Apple silicon, through the system's IOReport library; no rights are needed.

IOReport is private to Apple and undocumented. Which functions there are, and what they take, is known from
tools that use it: macmon (vladkens/macmon) and zeus-apple-silicon (ml-energy/zeus-apple-silicon). A sample is
a dictionary whose "IOReportChannels" are dictionaries that other functions take apart.

Not through zeus-apple-silicon itself (1.1.0): of a chip of several dies it keeps the last die's CPU and GPU
only, it cuts every unit to whole mJ, and it builds on macOS alone, where none of our tests runs.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import c_char_p, c_int, c_int64, c_long, c_uint32, c_uint64, c_void_p
from typing import Any, NamedTuple, Protocol

from energy.meters._meter import MeterUnavailable

GROUP = "Energy Model"
LIBRARIES = (
    "/usr/lib/libIOReport.dylib",
    "/System/Library/Frameworks/CoreFoundation.framework/CoreFoundation",
)
UTF8 = 0x08000100  # kCFStringEncodingUTF8
NAME_BYTES = 256


class Channel(NamedTuple):
    """One energy channel: `value` counts `unit` since boot."""

    name: str
    unit: str
    value: int


class Source(Protocol):
    """What shows the channels."""

    def read(self) -> list[Channel]:
        """Return every channel of the group now; raise OSError if there is no sample."""

    def close(self) -> None:
        """Release the subscription."""


def load() -> Source:
    """Subscribe to the energy channels of this machine.

    Raises:
        MeterUnavailable: this is no Mac with Apple silicon, or it shows no such channels.
    """
    if sys.platform != "darwin" or os.uname().machine != "arm64":
        raise MeterUnavailable(
            "This is no Mac with Apple silicon.",
            "This meter is for such Macs; under Rosetta, use a Python built for arm64.",
        )
    try:
        return IOReport(*(ctypes.CDLL(path) for path in LIBRARIES))
    except OSError as problem:
        raise MeterUnavailable(
            f"IOReport cannot be used: {problem}.", "Report it with the version of macOS."
        ) from None


class IOReport:
    """A subscription to the energy channels."""

    def __init__(self, report: Any, core: Any) -> None:
        self._report, self._core = report, core
        _declare(report, core)
        self._wanted, self._subscription = self._subscribed()

    def read(self) -> list[Channel]:
        """Return every channel of the group now; raise OSError if there is no sample."""
        sample = self._report.IOReportCreateSamples(self._subscription, self._wanted, None)
        if not sample:
            raise OSError("IOReport gives no sample")
        try:
            return list(self._channels(sample))
        finally:
            self._core.CFRelease(sample)

    def close(self) -> None:
        """Release the subscription."""
        self._core.CFRelease(self._subscription)
        self._core.CFRelease(self._wanted)

    def _subscribed(self) -> tuple[Any, Any]:
        with self._string(GROUP) as group:
            found = self._report.IOReportCopyChannelsInGroup(group, None, 0, 0, 0)
        if not found:
            raise OSError(f"there is no group {GROUP!r}")
        size = self._core.CFDictionaryGetCount(found)
        wanted = self._core.CFDictionaryCreateMutableCopy(None, size, found)
        self._core.CFRelease(found)
        granted = c_void_p()
        subscription = self._report.IOReportCreateSubscription(None, wanted, ctypes.byref(granted), 0, None)
        if not subscription:
            self._core.CFRelease(wanted)
            raise OSError(f"no subscription to {GROUP!r}")
        return wanted, subscription

    def _channels(self, sample: Any) -> Iterator[Channel]:
        with self._string("IOReportChannels") as key:
            array = self._core.CFDictionaryGetValue(sample, key)
        for place in range(self._core.CFArrayGetCount(array) if array else 0):
            item = self._core.CFArrayGetValueAtIndex(array, place)
            name = self._text(self._report.IOReportChannelGetChannelName(item))
            unit = self._text(self._report.IOReportChannelGetUnitLabel(item))
            yield Channel(name, unit, self._report.IOReportSimpleGetIntegerValue(item, 0))

    @contextmanager
    def _string(self, text: str) -> Iterator[Any]:
        string = self._core.CFStringCreateWithCString(None, text.encode(), UTF8)
        try:
            yield string
        finally:
            self._core.CFRelease(string)

    def _text(self, string: Any) -> str:
        buffer = ctypes.create_string_buffer(NAME_BYTES)
        if not string or not self._core.CFStringGetCString(string, buffer, NAME_BYTES, UTF8):
            return ""
        return buffer.value.decode().strip()


def _declare(report: Any, core: Any) -> None:
    """Tell ctypes what the functions take and return: it would cut pointers to 32 bits."""
    pointer = c_void_p
    for library, name, result, *arguments in (
        (report, "IOReportCopyChannelsInGroup", pointer, pointer, pointer, c_uint64, c_uint64, c_uint64),
        (report, "IOReportCreateSubscription", pointer, pointer, pointer, pointer, c_uint64, pointer),
        (report, "IOReportCreateSamples", pointer, pointer, pointer, pointer),
        (report, "IOReportChannelGetChannelName", pointer, pointer),
        (report, "IOReportChannelGetUnitLabel", pointer, pointer),
        (report, "IOReportSimpleGetIntegerValue", c_int64, pointer, c_int),
        (core, "CFStringCreateWithCString", pointer, pointer, c_char_p, c_uint32),
        (core, "CFStringGetCString", ctypes.c_bool, pointer, c_char_p, c_long, c_uint32),
        (core, "CFDictionaryGetCount", c_long, pointer),
        (core, "CFDictionaryCreateMutableCopy", pointer, pointer, c_long, pointer),
        (core, "CFDictionaryGetValue", pointer, pointer, pointer),
        (core, "CFArrayGetCount", c_long, pointer),
        (core, "CFArrayGetValueAtIndex", pointer, pointer, c_long),
        (core, "CFRelease", None, pointer),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
