"""The files behind `claims`: one per opener, in a folder that all users of the machine share.

What is read here was written by anybody, so it is believed no further than a name in a message. Nothing is
opened through a link, and nothing blocks: a file is regular or it is left alone.
"""

from __future__ import annotations

import json
import math
import os
import stat
import time
import weakref
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeGuard

KEEP_SECONDS = 60.0  # everybody alive looks once a second
CLOCK_TICK_SECONDS = 0.02  # the kernel stamps files with a clock that moves every 1 to 10 ms
LONGEST_BYTES = 65536
LOCK_TRIES = 1000
MOST_CHARACTERS = 60


@dataclass(frozen=True)
class Claim:
    """Who bills what: a process, its program, device names; from when until when (monotonic clock).

    until_seconds: None while its owner lives.
    """

    pid: int
    program: str
    devices: tuple[str, ...]
    since_seconds: float
    until_seconds: float | None = None

    def ended(self, until_seconds: float) -> Claim:
        """Return the claim as of its end."""
        return replace(self, until_seconds=until_seconds)


@dataclass(frozen=True)
class Found:
    """What one look at a file says.

    claim: None if the file is none of ours, or its owner has not finished writing it.
    dead: nobody holds it any more, or nothing can be learnt from it.
    """

    claim: Claim | None
    dead: bool
    until_seconds: float | None = None


NOT_YET = Found(None, dead=False)
NOTHING = Found(None, dead=True)


class Folder:
    """The folder of all claims, made if there is none; open until `close`.

    Raises:
        OSError: it cannot be made or opened, it is a link, or this system has no flock.
    """

    def __init__(self, path: Path) -> None:
        if os.name != "posix":
            raise OSError("this system has no flock(2)")
        made = _make(path)
        self._fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        self._stamp: int | None = None
        self.close = weakref.finalize(self, os.close, self._fd)
        if made:
            os.fchmod(self._fd, 0o1777)  # as /tmp: everybody adds files, nobody removes another's

    def claim(self, claim: Claim) -> Held:
        """Write a claim and hold it; for others it begins to exist when it is locked and written."""
        name = f"{claim.pid}-{os.urandom(4).hex()}"
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        held = Held(name, os.open(name, flags, 0o644, dir_fd=self._fd), self._fd)
        try:
            held.begin(claim)
        except OSError:
            held.close()
            os.unlink(name, dir_fd=self._fd)
            raise
        return held

    def names(self) -> set[str]:
        """Return the names of all files, and remember the folder's state."""
        self._stamp = self._modified()
        return set(os.listdir(self._fd))  # noqa: PTH208 -- a Path may by now be another folder

    def changed(self) -> bool:
        """Say whether a file may have been added or removed since `names`."""
        return self._stamp is None or self._modified() != self._stamp

    def read(self, name: str) -> Found:
        """Say who claims what in this file, and whether its owner is gone."""
        try:
            fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=self._fd)
        except FileNotFoundError:
            return NOT_YET  # gone since it was listed: the next listing says so
        except OSError:  # a link, or a file that its owner hides: none that we wrote
            return NOTHING
        try:
            return _found(fd)
        finally:
            os.close(fd)

    def remove_old(self, names: set[str]) -> None:
        """Remove those of these dead files that everybody alive has had the time to see."""
        for name in names:
            try:
                if (
                    time.time() - os.stat(name, dir_fd=self._fd, follow_symlinks=False).st_mtime
                    > KEEP_SECONDS
                ):
                    os.unlink(name, dir_fd=self._fd)
            except OSError:  # another user's, or already removed by somebody who came at the same time
                continue

    def _modified(self) -> int | None:
        """Return the folder's time stamp (ns), or None if it is so young that it may not change again."""
        modified = os.fstat(self._fd).st_mtime_ns
        return modified if time.time_ns() - modified > CLOCK_TICK_SECONDS * 1e9 else None


class Held:
    """A claim's file, locked until `close`, or until this process dies."""

    def __init__(self, name: str, fd: int, folder_fd: int) -> None:
        self.name = name
        self._fd, self._folder_fd = fd, folder_fd
        self.close = weakref.finalize(self, os.close, fd)

    def begin(self, claim: Claim) -> None:
        """Take the lock, then write: the owner of a line in a file that is not locked is gone."""
        os.fchmod(self._fd, 0o644)  # whatever the umask: a lock is tried on a file that one can read
        _lock(self._fd)
        os.write(self._fd, json.dumps(asdict(claim)).encode() + b"\n")

    def removed(self) -> bool:
        """Say whether somebody has removed the file."""
        return os.fstat(self._fd).st_nlink == 0

    def end(self, seconds: float, *, keep: bool) -> None:
        """Write when the claim ended, or remove it if nobody needs to know."""
        if keep:
            os.write(self._fd, json.dumps({"until_seconds": seconds}).encode() + b"\n")
        elif not self.removed():
            os.unlink(self.name, dir_fd=self._folder_fd)


def _make(path: Path) -> bool:
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        return False
    return True


def _lock(fd: int) -> None:
    """Lock a new file; somebody may be trying its lock for some microseconds."""
    for _ in range(LOCK_TRIES):
        if _is_free(fd, exclusive=True):
            return
        time.sleep(0.001)
    raise OSError("somebody else keeps the lock of a new file")


def _is_free(fd: int, *, exclusive: bool = False) -> bool:
    """Try to take a file's lock and say whether nobody else held it."""
    import fcntl

    try:
        fcntl.flock(fd, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _found(fd: int) -> Found:
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        return NOTHING
    free = _is_free(fd)  # before reading, so that a free file is read with its last line
    lines = os.read(fd, LONGEST_BYTES).splitlines()
    claim = _claim(lines[0]) if lines else None
    if claim is None:
        return NOTHING if time.time() - status.st_mtime > KEEP_SECONDS else NOT_YET
    until = _parsed(lines[1]).get("until_seconds") if free and len(lines) > 1 else None
    return Found(claim, free, until if _is_time(until) else None)


def _claim(line: bytes) -> Claim | None:
    values = _parsed(line)
    pid, devices, since = values.get("pid"), values.get("devices"), values.get("since_seconds")
    if not isinstance(pid, int) or not isinstance(devices, list) or not _is_time(since):
        return None
    names = tuple(str(device)[:MOST_CHARACTERS] for device in devices)
    return Claim(pid, _shown(values.get("program")), names, since)


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def _is_time(value: object) -> TypeGuard[float]:
    return isinstance(value, float) and math.isfinite(value)


def _shown(program: object) -> str:
    """Return a program's name as it may stand in a message."""
    return "".join(letter for letter in str(program) if letter.isprintable())[:MOST_CHARACTERS]
