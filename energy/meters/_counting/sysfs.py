"""Numbers in the files of a kernel's drivers."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

from energy.meters._counting.sensors import Gone, NoValue

GONE = (errno.ENOENT, errno.ENODEV, errno.ENXIO)


def read_number(file: Path) -> float:
    """Read a whole number; by os.read, since opening a file object takes longer than the reading.

    Raises:
        NoValue: the file cannot be read, or holds something else.
        Gone: it has vanished.
    """
    try:
        descriptor = os.open(file, os.O_RDONLY)
        try:
            text = os.read(descriptor, 32).decode()
        finally:
            os.close(descriptor)
    except OSError as problem:
        if problem.errno in GONE:
            raise Gone(f"{file}: {problem} (the monitor is gone)") from None
        raise NoValue(f"{file}: {problem}") from None
    if not re.fullmatch(r"-?\d+\s*", text):
        raise NoValue(f"{file}: {text.strip()!r}, expected a whole number")
    return float(text)


def read_text(file: Path) -> str:
    """Return what a small file says; "" if it cannot be read."""
    try:
        return file.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""
