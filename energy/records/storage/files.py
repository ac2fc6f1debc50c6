"""Files that are on the disk whole, or not at all."""

import errno
import os
import tempfile
from pathlib import Path


def write_whole(path: Path, text: str, temporary: Path | None = None) -> None:
    """Write a file under a temporary name, wait for the disk, give it its name; on any failure leave neither.

    What is no regular file (a device, a pipe) is written into, and never replaced.

    Args:
        path: of the file; an earlier one of that name is replaced.
        text: what it shall hold.
        temporary: a file beside it that is ours already; default: one of this process.
    """
    if path.exists() and not path.is_file():
        path.write_text(text, encoding="utf-8")
        return
    unfinished = temporary or _name_unfinished(path)
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


def prove_output(path: Path) -> None:
    """Make the folder of a file; OSError where `write_whole` would fail: a folder, a long name, no rights."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if path.exists() and not path.is_file():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = _name_unfinished(path)
    with unfinished.open("wb") as file:
        file.write(b"\0")
    unfinished.unlink()


def _name_unfinished(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")
