"""The system call that opens a performance event: of the processor's energy, or of its work.

Sources: perf_event_open(2), include/uapi/linux/perf_event.h.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct

SYSCALLS = {"x86_64": 298, "aarch64": 241}  # asm/unistd_64.h; asm-generic/unistd.h
# struct perf_event_attr as of PERF_ATTR_SIZE_VER0: type, size, config, period, sample type, read format,
# flags; the rest is zero
ATTRIBUTES = "=IIQQQQQIIQ"
NO_GROUP = -1
CLOSE_ON_EXEC = 8  # PERF_FLAG_FD_CLOEXEC


def open_perf_event(
    kind: int, config: int, *, thread: int, cpu: int, read_format: int = 0, flags: int = 0
) -> int:
    """Open one event and return its descriptor.

    Args:
        kind: type of the event.
        config: which of its type.
        thread: id of a thread; -1 for all processes.
        cpu: on which it counts; -1 for all.
        read_format: what a read returns beside the count.
        flags: bits of the attributes.

    Raises:
        ValueError: nobody has told us the number of the system call on this kind of machine.
        OSError: the kernel refused.
    """
    machine = platform.machine()
    if machine not in SYSCALLS:
        raise ValueError(f"nobody has told this meter how perf events are opened on {machine}")
    size = struct.calcsize(ATTRIBUTES)
    attributes = struct.pack(ATTRIBUTES, kind, size, config, 0, 0, read_format, flags, 0, 0, 0)
    library = ctypes.CDLL(None, use_errno=True)
    words = [ctypes.c_long(number) for number in (thread, cpu, NO_GROUP, CLOSE_ON_EXEC)]
    descriptor = library.syscall(ctypes.c_long(SYSCALLS[machine]), attributes, *words)
    if descriptor < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), f"perf_event_open(cpu={cpu})")
    return int(descriptor)
