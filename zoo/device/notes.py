"""Notes of lowered power limits, and the keepers that hold them.

A note is on the disk before its limit is touched: {"uuid", "before_milliwatts", "lowered_milliwatts"}. Its
keeper, a child process, holds a lock on it for as long as it lives. A note that nobody holds is a leftover:
somebody killed the training and its keeper, and the next run undoes what it says.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from zoo.device import nvml
from zoo.device.keeper import put_back

KEEPER_SECONDS = 10.0  # for two questions to the driver


def folder() -> Path:
    """Return the folder of the notes: the user's own, as only who may set a limit can undo it."""
    from platformdirs import user_state_path

    return user_state_path("joulebench") / "power_limits"


@contextmanager
def kept(note: dict[str, Any]) -> Iterator[None]:
    """Have a note and a keeper in place before the block changes the limit, and the limit back after it.

    Raises:
        PowerLimitError: another process has lowered the limit of this GPU, or there can be no keeper.
        NVMLError: the limit could not be put back; the note stays for the next run.
    """
    path = folder() / f"{note['uuid']}.json"
    keeper = _start_keeper(path, note)
    try:
        yield
    finally:
        # Told, as the pipe's end may be open in a loader's worker; told once, whatever else interrupts here.
        keeper.communicate(b"\n", timeout=KEEPER_SECONDS)
        if path.exists():  # the keeper was killed, or could not
            _undo(path, note)


def undo_leftovers() -> list[str]:
    """Put back the limits whose notes nobody holds; return the UUIDs of their GPUs.

    Raises:
        PowerLimitError: NVML does not start.
        NVMLError: the limit could not be put back; the note stays.
    """
    found = sorted(folder().glob("*.json"))
    return [path.stem for path in found if _undone(path)]


def _undone(path: Path) -> bool:
    try:
        file = path.open()
    except FileNotFoundError:
        return False  # its keeper has just ended well
    with file:
        if not _locked(file) or not path.exists():
            return False
        text = file.read()
    if text.endswith("}"):
        _undo(path, json.loads(text))
    else:  # its writer died while writing, and had changed nothing
        path.unlink()
    return True


def _undo(path: Path, note: dict[str, Any]) -> None:
    with nvml.opened() as library:
        put_back(library, note)
    path.unlink()


def _start_keeper(path: Path, note: dict[str, Any]) -> subprocess.Popen[bytes]:
    with _written(path, note) as file:
        script = Path(__file__).with_name("keeper.py")
        keeper = subprocess.Popen(  # noqa: S603 - our own script
            [sys.executable, "-P", str(script), str(path), str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            pass_fds=[file.fileno()],  # and with it the lock, which lasts until both have closed it
        )
        if keeper.stdout.readline() == b"ready\n":
            return keeper
    said = keeper.communicate()[1].decode(errors="replace").strip()
    path.unlink()
    raise nvml.PowerLimitError(f"nobody could be found to put the power limit back, so it was left: {said}")


@contextmanager
def _written(path: Path, note: dict[str, Any]) -> Iterator[IO[str]]:
    """Have the note on the disk, and locked."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        file = path.open("x")
    except FileExistsError:
        raise nvml.PowerLimitError(
            f"another process has lowered the power limit of {note['uuid']} ({path}); let it end first"
        ) from None
    with file:
        _locked(file)
        json.dump(note, file)
        file.flush()
        os.fsync(file.fileno())
        _sync_folder(path.parent)
        yield file


def _locked(file: IO[str]) -> bool:
    """Lock a note, and say whether that went well; only POSIX has such locks."""
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
