"""The energy meters of a Windows machine, found through cfgmgr32 and asked through DeviceIoControl.

Microsoft: CM_Get_Device_Interface_ListW (cfgmgr32.h), CreateFileW (fileapi.h), DeviceIoControl (ioapiset.h).
Never run on Windows: the tests put functions of their own in the libraries' place.
"""

from __future__ import annotations

import ctypes
import uuid
from ctypes import c_int, c_uint32, c_void_p, c_wchar_p
from typing import Any

GENERIC_READ, SHARE_READ_WRITE, OPEN_EXISTING = 0x80000000, 0x3, 3
PRESENT = 0  # CM_GET_DEVICE_INTERFACE_LIST_PRESENT
INVALID_HANDLE = c_void_p(-1).value


class WindowsDevice:
    """One energy meter, held open for reading."""

    def __init__(self, kernel: Any, path: str) -> None:
        self.path, self._kernel = path, kernel
        self._handle = kernel.CreateFileW(path, GENERIC_READ, SHARE_READ_WRITE, None, OPEN_EXISTING, 0, None)
        if self._handle in (None, INVALID_HANDLE):
            raise _error(path)

    def ask(self, request: int, size: int) -> bytes:
        """Return the answer to a request without input; raise OSError if it fails."""
        answer, length = ctypes.create_string_buffer(size), c_uint32(0)
        if not self._kernel.DeviceIoControl(
            self._handle, request, None, 0, answer, size, ctypes.byref(length), None
        ):
            raise _error(self.path)
        return answer.raw[: length.value]

    def close(self) -> None:
        """Close the handle."""
        self._kernel.CloseHandle(self._handle)


def open_devices(interface: str) -> list[WindowsDevice]:
    """Open every device that is present with this interface.

    Raises:
        OSError: a device refuses to be opened; those that did not are closed again.
    """
    kernel = _library("kernel32")
    kernel.CreateFileW.restype = c_void_p
    kernel.CreateFileW.argtypes = [c_wchar_p, c_uint32, c_uint32, c_void_p, c_uint32, c_uint32, c_void_p]
    kernel.DeviceIoControl.restype = c_int
    kernel.DeviceIoControl.argtypes = [c_void_p, c_uint32, *[c_void_p, c_uint32] * 2, c_void_p, c_void_p]
    kernel.CloseHandle.argtypes = [c_void_p]
    opened: list[WindowsDevice] = []
    try:
        for path in _paths(_library("cfgmgr32"), interface):
            opened.append(WindowsDevice(kernel, path))
    except OSError:
        for device in opened:
            device.close()
        raise
    return opened


def _paths(manager: Any, interface: str) -> list[str]:
    guid = ctypes.create_string_buffer(uuid.UUID(interface).bytes_le, 16)
    size = c_uint32(0)
    if manager.CM_Get_Device_Interface_List_SizeW(ctypes.byref(size), guid, None, PRESENT) or not size.value:
        return []
    text = ctypes.create_unicode_buffer(size.value)
    if manager.CM_Get_Device_Interface_ListW(guid, None, text, size, PRESENT):
        return []
    return [
        path for path in "".join(text[: size.value]).split("\0") if path
    ]  # a list that ends with an empty string


def _library(name: str) -> Any:
    load: Any = getattr(ctypes, "WinDLL")  # noqa: B009 -- other platforms' ctypes, and their type stubs, lack it
    return load(name, use_last_error=True)


def _error(path: str) -> OSError:
    code: Any = getattr(ctypes, "get_last_error")()  # noqa: B009 -- as above
    return OSError(code, f"Windows error {code}", path)
