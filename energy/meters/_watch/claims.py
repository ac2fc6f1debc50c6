"""Say which devices these meters bill, and notice who else on this machine bills them, too.

    claims = Claims(billed(counts))
    claims.look(), claims.look_if_changed()   # every second, and at each reading
    claims.faults()                           # one "double" per other opener and device

Nobody is kept from anything: a claim is a file in a folder that all users share, held with flock(2), which
the kernel releases when its owner dies, however it dies. It gets its name when it is locked and written; a
file that nobody holds is of somebody who has come and gone, and is removed by a later opener.

What is read here was written by anybody, so it is believed no further than a name in a message, and opened
neither through a link nor so that it could block. Not seen: who has a /tmp of its own (containers, some batch
systems), and who measures with another program.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import stat
import threading
import time
import weakref
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from energy.fault import Fault
from energy.meters._watch import forks
from energy.reading import Count
from energy.text import parse_json

# Not tempfile's choice: a TMPDIR of the user's or the job's own would hide one from the other.
FOLDER = Path("/tmp/joulebench-claims")  # noqa: S108 -- opened without following links, and trusted with nothing
PERIOD_SECONDS = 1.0
KEEP_SECONDS = 60.0  # everybody alive looks once a second
CLOCK_TICK_NS = 20_000_000  # the kernel stamps files with a clock that moves every 1 to 10 ms
LONGEST_BYTES = 65536
MOST_CHARACTERS = 60
WHOLE = "machine"  # the device of a counter that covers all of its domain


@dataclass(frozen=True)
class Claim:
    """Who bills what: a process, its program, "domain:device"; from when until when (monotonic clock).

    until_seconds: None while its owner lives; else when that was noticed.
    """

    pid: int
    program: str
    devices: tuple[str, ...]
    since_seconds: float
    until_seconds: float | None = None


def billed(counts: Iterable[Count]) -> set[str]:
    """Return what is billed by counters that see all users of a machine, as "domain:device".

    A model bills its own process tree, a witness nothing, and nobody bills what cannot be read.
    """
    return {
        f"{count.domain}:{device}"
        for count in counts
        if count.kind == "measured" and not count.witness and count.source != "missing"
        for device in count.device.split(",")
    }


def find_billing(path: Path | None = None) -> list[Claim]:
    """Return the claims of all who bill now, without making one; OSError if the folder cannot be read."""
    if not (path or FOLDER).exists():
        return []
    folder = _open_folder(path or FOLDER)
    try:
        found = [_read(name, folder) for name in _names(folder)]
    finally:
        os.close(folder)
    return [claim for claim, alive in found if claim is not None and alive]


class Claims:
    """The claim of one set of open meters on what they bill, and the claims of others on the same.

    Two sets of meters in one process are two openers. Without flock or a folder that can be written, nobody
    can tell who else there is: `problem` then says why, and there are no faults.

    Args:
        devices: as `billed` names them.
        folder: where the claims of all openers are; None for the machine's.
        clock: the monotonic clock, which all processes of a machine share.
    """

    def __init__(
        self, devices: Iterable[str], folder: Path | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.devices = tuple(sorted(devices))
        self.problem: str | None = None
        self._path = FOLDER if folder is None else folder
        self._clock, self._since_seconds = clock, clock()
        self._lock = threading.RLock()  # a signal handler may read in the middle of a reading
        self._open: list[int] = []  # the folder and our file, while we hold them
        weakref.finalize(self, _close, self._open)
        self._name = ""
        self._seen_ns = 0
        self._alive: dict[str, Claim] = {}
        self._ended: list[Claim] = []
        self._done: set[str] = set()  # names of files that have nothing more to say
        forks.follow(self)
        self._begin()
        if self._open:  # an opener that is not alive now was gone before we came
            self._inspect()
            self._ended.clear()
            _remove_old(self._open[0], self._done)

    def look(self) -> None:
        """See who is there now and who has come and gone since the last look; called every second."""
        with self._lock:
            if self._open and not os.fstat(self._open[1]).st_nlink:  # somebody has tidied up /tmp
                _close(self._open)
                self._begin()
            if self._open:
                self._inspect()

    def look_if_changed(self) -> None:
        """Look only if a file may have come or gone since the last look; called at each reading."""
        with self._lock:
            if not self._open:
                return
            modified = os.fstat(self._open[0]).st_mtime_ns
            if modified != self._seen_ns or time.time_ns() - modified < CLOCK_TICK_NS:
                self.look()

    def faults(self) -> tuple[Fault, ...]:
        """Return one fault per other opener and device of ours that it bills; that of a living one ends now.

        Both are billed the whole device: the figures of both may be too high, and nothing is missing.
        """
        with self._lock:
            others = (*self._ended, *self._alive.values())
        now = self._clock()
        return tuple(self._fault(claim, device, now) for claim in others for device in self._shared(claim))

    def close(self) -> None:
        """Give the claim back. Its file stays for a while if there is somebody who may not have seen it."""
        with self._lock:
            if self._open:
                self.look()
            if self._open:
                if not self.faults():
                    os.unlink(self._name, dir_fd=self._open[0])
                _close(self._open)

    def before_fork(self) -> None:
        """Do nothing: the claim is held all the while."""

    after_fork_in_parent = before_fork

    def after_fork_in_child(self) -> None:
        """Let go of the parent's files, or a child that outlives it would go on claiming."""
        self._lock = threading.RLock()  # another thread of the parent may have held it
        _close(self._open)

    def _begin(self) -> None:
        if not self.devices:
            return
        claim = Claim(os.getpid(), _program(), self.devices, self._since_seconds)
        try:
            self._open.append(_open_folder(self._path, make=True))
            self._name = f"{claim.pid}-{os.urandom(4).hex()}"
            self._open.append(_publish(claim, self._name, self._open[0]))
        except (OSError, ImportError) as problem:
            _close(self._open)
            why = getattr(problem, "strerror", None) or problem
            self.problem = f"nobody can tell whether others bill the same devices: {self._path}: {why}"

    def _inspect(self) -> None:
        folder = self._open[0]
        self._seen_ns = os.fstat(folder).st_mtime_ns
        names = _names(folder)
        for name in set(self._alive) - names:
            self._end(name)
        for name in names - self._done - {self._name}:
            claim, alive = _read(name, folder)
            if claim is not None:
                self._alive[name] = claim
            if not alive:
                self._done.add(name)
                self._end(name)
        self._done &= names

    def _end(self, name: str) -> None:
        if (claim := self._alive.pop(name, None)) is not None:
            self._ended.append(replace(claim, until_seconds=self._clock()))

    def _shared(self, claim: Claim) -> list[str]:
        """Return the devices of ours that the claim is on, too."""
        return [ours for ours in self.devices if any(_overlap(ours, theirs) for theirs in claim.devices)]

    def _fault(self, claim: Claim, ours: str, now: float) -> Fault:
        start = min(max(claim.since_seconds, self._since_seconds), now)
        end = now if claim.until_seconds is None else max(start, claim.until_seconds)
        device = ours.partition(":")[2]
        same = claim.pid == os.getpid()
        who = "this process" if same else f"process {claim.pid}"
        reason = f"{who} ({claim.program}) also bills {device}{' with other meters' if same else ''}"
        return Fault("double", "claims", device, start, end - start, 0.0, reason)


def _overlap(ours: str, theirs: str) -> bool:
    """Say whether two claims share hardware: a whole domain holds all of its devices."""
    (domain, _, device), (their_domain, _, their_device) = ours.partition(":"), theirs.partition(":")
    return domain == their_domain and (device == their_device or WHOLE in (device, their_device))


def _open_folder(path: Path, *, make: bool = False) -> int:
    if make:
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode=0o700)
            path.chmod(0o1777)  # as /tmp: everybody adds files, nobody removes another's
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


def _publish(claim: Claim, name: str, folder: int) -> int:
    """Write a claim and hold it; others see it once it is locked and written."""
    import fcntl

    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(f".{name}", flags, 0o644, dir_fd=folder)
    try:
        os.fchmod(descriptor, 0o644)  # whatever the umask: a lock is tried on a file that one can read
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.write(descriptor, json.dumps(asdict(claim)).encode())
        os.rename(f".{name}", name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        os.close(descriptor)
        os.unlink(f".{name}", dir_fd=folder)
        raise
    return descriptor


def _names(folder: int) -> set[str]:
    names = os.listdir(folder)
    return {name for name in names if not name.startswith(".")}


def _read(name: str, folder: int) -> tuple[Claim | None, bool]:
    """Return the claim in a file, None if it is none of ours; and whether somebody holds it."""
    import fcntl

    try:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(name, flags, dir_fd=folder)
    except OSError:  # gone since it was listed, a link, or a file that its owner hides: none that we wrote
        return None, False
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None, False
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return _claim(os.read(descriptor, LONGEST_BYTES)), False
    except BlockingIOError:
        return _claim(os.read(descriptor, LONGEST_BYTES)), True
    finally:
        os.close(descriptor)


def _claim(text: bytes) -> Claim | None:
    try:
        values = parse_json(text)
        devices = tuple(str(device)[:MOST_CHARACTERS] for device in values["devices"])
        claim = Claim(int(values["pid"]), _shown(values["program"]), devices, float(values["since_seconds"]))
    except (ValueError, TypeError, LookupError, OverflowError):
        return None
    return claim if math.isfinite(claim.since_seconds) else None


def _shown(program: object) -> str:
    """Return a program's name as it may stand in a message."""
    return "".join(letter for letter in str(program) if letter.isprintable())[:MOST_CHARACTERS]


def _remove_old(folder: int, names: Iterable[str]) -> None:
    """Remove those of these dead files that everybody alive has had the time to see."""
    for name in names:
        with contextlib.suppress(OSError):  # another user's, or somebody came at the same time
            if time.time() - os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime > KEEP_SECONDS:
                os.unlink(name, dir_fd=folder)


def _close(descriptors: list[int]) -> None:
    while descriptors:
        os.close(descriptors.pop())


def _program() -> str:
    """Name this program without its arguments, which others need not see."""
    import sys

    path = Path(sys.argv[0] if sys.argv else "")
    return (path.parent.name if path.name == "__main__.py" else path.name) or "python"
