"""Say which devices these meters bill, and notice who else on this machine bills them, too.

    claims = Claims(["package-0", "GPU-5c8a1e60-..."])    # when the meters are opened
    Sampler(meters, watches=[(claims.look, PERIOD_SECONDS)])
    claims.look_if_changed()                              # at each reading: microseconds if nothing changed
    claims.faults()                                       # one "double" per other opener and device
    claims.others(), claims.problem
    claims.close()                                        # when the meters are closed

Nobody is kept from anything: a claim is a file in a folder that all users share, held with flock(2), which
the kernel releases when its owner dies, however it dies. The file says which process bills which devices, and
its last line when that ended, for somebody who comes and goes between two looks of ours. A later opener
removes what the dead have left.

Not seen: who has a /tmp of its own (containers, some batch systems), and who measures with another program.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from energy.fault import Fault
from energy.meters._watch import forks
from energy.meters._watch.claim_files import Claim, Folder, Held

# Not tempfile's choice: a TMPDIR of the user's or the job's own would hide one from the other.
FOLDER = Path("/tmp/joulebench-claims")  # noqa: S108 -- opened without following links, and trusted with nothing
PERIOD_SECONDS = 1.0


class Claims:
    """The claim of one set of open meters on what they bill, and the claims of others on the same.

    Two sets of meters in one process are two openers. Without flock or a folder that can be written, nobody
    can tell who else there is: `problem` then says why, and there are no faults.

    Args:
        devices: as in `Count.device`: "package-0", a GPU's UUID, "machine"; several may be joined by commas.
        folder: where the claims of all openers are; None for the machine's.
        clock: the monotonic clock, which all processes of a machine share.
    """

    def __init__(
        self,
        devices: Iterable[str],
        folder: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.devices = tuple(sorted({part for device in devices for part in device.split(",") if part}))
        self.problem: str | None = None
        self._path = FOLDER if folder is None else folder
        self._clock = clock
        self._since_seconds = clock()
        self._lock = threading.RLock()  # a signal handler may read in the middle of a reading
        self._folder: Folder | None = None
        self._held: Held | None = None
        self._alive: dict[str, Claim] = {}
        self._ended: list[Claim] = []
        self._done: set[str] = set()  # names of files that have nothing more to say
        forks.follow(self)
        self._begin()
        self._discard_the_dead()

    def look(self) -> None:
        """See who is there now and who has come and gone since the last look; called every second."""
        with self._lock:
            if self._held is not None:
                if self._held.removed():  # somebody has tidied up /tmp
                    self._let_go()
                    self._begin()
                self._inspect_all()

    def look_if_changed(self) -> None:
        """Look only if a file has been added or removed since the last look; called at each reading."""
        with self._lock:
            if self._folder is not None and self._folder.changed():
                self.look()

    def others(self) -> tuple[Claim, ...]:
        """Return the claims of all who have billed one of our devices since ours began."""
        with self._lock:
            if not self._ended and not self._alive:
                return ()
            claims = (*self._ended, *self._alive.values())
            return tuple(claim for claim in claims if any(_shared(self.devices, claim.devices)))

    def faults(self) -> tuple[Fault, ...]:
        """Return one fault per other opener and device of ours that it bills; that of a living one ends now.

        Both are billed the whole device: the figures of both may be too high, and nothing is missing.
        """
        others = self.others()
        if not others:
            return ()
        now = self._clock()
        return tuple(
            self._fault(claim, ours, theirs, now)
            for claim in others
            for ours, theirs in _shared(self.devices, claim.devices)
        )

    def close(self) -> None:
        """Give the claim back. Its file stays for a while if there is somebody who may not have seen it."""
        with self._lock:
            if self._held is not None:
                self.look()
                self._held.end(self._clock(), keep=bool(self.others()))
                self._let_go()

    def before_fork(self) -> None:
        """Do nothing: a lock needs no preparation."""

    def after_fork_in_parent(self) -> None:
        """Do nothing: the claim is still held."""

    def after_fork_in_child(self) -> None:
        """Let go of the parent's files, or a child that outlives it would go on claiming."""
        self._lock = threading.RLock()  # another thread of the parent may have held it
        self._let_go()

    def _begin(self) -> None:
        if not self.devices:
            return
        try:
            self._folder = Folder(self._path)
            self._held = self._folder.claim(Claim(os.getpid(), _program(), self.devices, self._since_seconds))
        except OSError as problem:
            self._let_go()
            self.problem = (
                f"nobody can tell whether others bill the same devices: {self._path}: "
                f"{problem.strerror or problem}"
            )

    def _let_go(self) -> None:
        if self._held is not None:
            self._held.close()
        if self._folder is not None:
            self._folder.close()
        self._held = self._folder = None

    def _discard_the_dead(self) -> None:
        """Look for the first time: an opener that is not alive now was gone before we came."""
        if self._folder is not None and self._held is not None:
            self._inspect_all()
            self._ended.clear()
            self._folder.remove_old(self._done)

    def _inspect_all(self) -> None:
        if self._folder is None or self._held is None:
            return
        names = self._folder.names()
        for name in set(self._alive) - names:
            self._end(name, None)
        for name in names - self._done - {self._held.name}:
            self._inspect(name, self._folder)
        self._done &= names

    def _inspect(self, name: str, folder: Folder) -> None:
        found = folder.read(name)
        if found.claim is not None:
            self._alive[name] = found.claim
        if found.dead:
            self._done.add(name)
            self._end(name, found.until_seconds)

    def _end(self, name: str, until_seconds: float | None) -> None:
        claim = self._alive.pop(name, None)
        if claim is not None:
            now = self._clock()
            self._ended.append(claim.ended(min(now, until_seconds) if until_seconds is not None else now))

    def _fault(self, claim: Claim, ours: str, theirs: str, now: float) -> Fault:
        start = min(max(claim.since_seconds, self._since_seconds), now)
        end = now if claim.until_seconds is None else max(start, claim.until_seconds)
        who = "this process" if claim.pid == os.getpid() else f"process {claim.pid}"
        again = " with other meters" if claim.pid == os.getpid() else ""
        reason = f"{who} ({claim.program}) also bills {theirs}{again}"
        return Fault("double", "claims", ours, start, end - start, 0.0, reason)


def _shared(ours: Iterable[str], theirs: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Pair each device of ours with what they bill of it; "machine" is all of a machine except its GPUs."""
    others = set(theirs)
    for device in ours:
        if device in others:
            yield device, device
        elif device == "machine":
            yield from ((device, other) for other in sorted(others) if not _is_gpu(other))
        elif "machine" in others and not _is_gpu(device):
            yield device, "machine"


def _is_gpu(device: str) -> bool:
    return device.startswith(("GPU-", "MIG-"))


def _program() -> str:
    """Name this program without its arguments, which others need not see."""
    import sys

    path = Path(sys.argv[0] if sys.argv else "")
    return (path.parent.name if path.name == "__main__.py" else path.name) or "python"
