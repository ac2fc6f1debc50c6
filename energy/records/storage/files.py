"""Files that are on the disk whole, or not at all."""

import os
import tempfile
from pathlib import Path


def write_whole(path: Path, text: str, temporary: Path | None = None) -> None:
    """Write a file under a temporary name, wait for the disk, give it its name; on any failure leave neither.

    Args:
        path: of the file; an earlier one of that name is replaced.
        text: what it shall hold.
        temporary: a file beside it that is ours already; default: one of this process.
    """
    unfinished = temporary or path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with unfinished.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException:  # Ctrl-C too: nothing half-written stays
        unfinished.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the entries of a folder survive a power cut; Windows has no such call, and needs none."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def prove_writable(folder: Path) -> None:
    """Create and remove a file in `folder`; OSError if that fails, which rights alone do not tell."""
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(b"\0")
