"""The CPU seconds of this process and of all its descendants, however short they live.

The kernel keeps three sums, and together they miss nobody: the time of this process, the time of the children
that it has waited for (which includes those that they had waited for), and the same two for every descendant
that still lives. So a worker that comes and goes between two looks is in its parent's sum, and only who is
out of the tree is lost: one that dies where nobody waits for it (SIGCHLD ignored) loses what it used since
the last look, and a daemon that forks itself away before it was seen is not counted.

A control group's cpu.stat would be one read, but it counts all others in the group: the shell, the
editor, another test run. Where groups are one per login session, that is nearly always somebody.

Sources: proc(5) for stat and loadavg, getrusage(2), wait(2).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

PROC = Path("/proc")
TICK_SECONDS = 0.01  # USER_HZ, the unit of /proc/PID/stat, is 100 on every Linux that Python runs on
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
SETTLED_SECONDS = 0.5  # what a dead process used shows up in its parent's sum at once; later it never will


@dataclass(frozen=True)
class Stat:
    """What the kernel says of a process.

    parent: the process id of its parent.
    seconds: CPU seconds of it, and of the children that it has waited for.
    resident_bytes: how much of it is in memory.
    """

    parent: int
    seconds: float
    resident_bytes: int


@dataclass(frozen=True)
class Living:
    """A descendant: a kept descriptor is safe against the reuse of its process id, and faster than a path."""

    descriptor: int
    parent: int


class Tree:
    """Cumulative CPU seconds of a process tree; they never fall.

    Args:
        proc: where the kernel shows its processes.
        pid: the root of the tree.
        own: CPU seconds of the root; reaped: of the children that it has waited for.
        has_children: whether the root has any, living or not waited for.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        proc: Path = PROC,
        pid: int | None = None,
        own: Callable[[], float] = time.process_time,
        reaped: Callable[[], float] | None = None,
        has_children: Callable[[], bool] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._proc, self._pid, self._clock = proc, pid or os.getpid(), clock
        self._own, self._reaped = own, reaped or _reaped_seconds
        self._has_children = has_children or _has_children
        self._living: dict[int, Living] = {}  # parents before their children
        self._strangers: set[int] = set()
        self._loadavg = os.open(proc / "loadavg", os.O_RDONLY)
        self._root = -1  # the root's file, once its memory was asked for
        self._latest = b""
        self._total = self._gone = 0.0
        self._short_since: float | None = None

    def seconds(self) -> float:
        """Return the CPU seconds used until now, from an arbitrary origin."""
        if self._living or self._has_children():
            self._discover()
        total, vanished = self._sum()
        if vanished:  # between two reads its time was in neither sum; by now it is in its parent's
            total, _ = self._sum()
        self._total = max(self._total, total + self._lost(total))
        return self._total

    def resident_bytes(self) -> list[int]:
        """Return how much memory the root holds, and each descendant that lives; shared pages are in each."""
        if self._living or self._has_children():
            self._discover()
        if self._root < 0:
            self._root = os.open(self._proc / str(self._pid) / "stat", os.O_RDONLY)
        sizes = [_stat(self._root).resident_bytes]
        for process in self._living.values():
            with suppress(ProcessLookupError):  # it has ended, and holds nothing
                sizes.append(_stat(process.descriptor).resident_bytes)
        return sizes

    def pids(self) -> set[int]:
        """Return the ids of the processes that were alive at the last look, the root's among them."""
        return {self._pid, *self._living}

    def close(self) -> None:
        """Close all descriptors; closing twice does nothing."""
        for process in self._living.values():
            os.close(process.descriptor)
        self._living = {}
        for descriptor in (self._loadavg, self._root):
            if descriptor >= 0:
                os.close(descriptor)
        self._loadavg = self._root = -1

    def _sum(self) -> tuple[float, bool]:
        """Add up parents before children, so that one that dies meanwhile is missed rather than doubled."""
        total = self._own() + self._reaped()
        vanished = []
        for pid, process in self._living.items():
            try:
                total += _stat(process.descriptor).seconds
            except ProcessLookupError:
                vanished.append(pid)
        for pid in vanished:
            os.close(self._living.pop(pid).descriptor)
        return total, bool(vanished)

    def _lost(self, total: float) -> float:
        """Return what processes had used that died without anybody waiting for them.

        The sum falls by it. A fall that mends itself is one of the race between the reads; one that stays is
        made up for, by what it amounts to then: too little rather than too much.
        """
        short = self._total - self._gone - total
        if short <= 0:
            self._short_since = None
        elif self._short_since is None:
            self._short_since = self._clock()
        elif self._clock() - self._short_since >= SETTLED_SECONDS:
            self._gone, self._short_since = self._gone + short, None
        return self._gone

    def _discover(self) -> None:
        """Look at the processes that came since the last look, and keep those that descend from the root."""
        latest = os.pread(self._loadavg, 128, 0).rsplit(None, 1)[-1]  # the process id that was given out last
        if latest == self._latest:
            return
        self._latest = latest
        listed = {int(name) for name in os.listdir(self._proc) if name.isdigit()}  # noqa: PTH208 -- 5 times as fast
        self._strangers &= listed
        self._adopt(self._open(listed - self._strangers - self._living.keys() - {self._pid}))

    def _open(self, pids: Iterable[int]) -> dict[int, Living]:
        found = {}
        for pid in pids:
            try:
                descriptor = os.open(f"{self._proc}/{pid}/stat", os.O_RDONLY)
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended just now: its parent has its time
            except PermissionError:  # another user's, where /proc is mounted with hidepid=1
                self._strangers.add(pid)
                continue
            try:
                found[pid] = Living(descriptor, _stat(descriptor).parent)
            except ProcessLookupError:
                os.close(descriptor)
        return found

    def _adopt(self, new: dict[int, Living]) -> None:
        """Take in who descends from the root, parents first; forget the others."""
        family = {self._pid, *self._living}
        while children := [pid for pid, process in new.items() if process.parent in family]:
            family.update(children)
            self._living.update((pid, new.pop(pid)) for pid in children)
        for pid, process in new.items():
            os.close(process.descriptor)
            self._strangers.add(pid)


def _stat(descriptor: int) -> Stat:
    """Read what the kernel says of a process; ProcessLookupError if it has ended."""
    fields = (
        os.pread(descriptor, 1024, 0).rsplit(b")", 1)[-1].split()
    )  # its name may hold blanks and brackets
    if not fields:
        raise ProcessLookupError
    return Stat(int(fields[1]), sum(map(int, fields[11:15])) * TICK_SECONDS, int(fields[21]) * PAGE_BYTES)


def _reaped_seconds() -> float:
    import resource  # not on Windows

    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _has_children() -> bool:
    """Ask the kernel without taking away anybody's exit status."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def count_family(proc: Path = PROC) -> tuple[float, set[int]]:
    """Return the CPU seconds of this process and its descendants until now, and the ids of all that live."""
    if not (proc / "loadavg").exists():
        return _count_portably()
    with closing(Tree(proc)) as tree:
        return tree.seconds(), tree.pids()


def _count_portably() -> tuple[float, set[int]]:
    """Count by what psutil knows of a system without Linux's process table."""
    own = os.times()
    seconds, pids = own.user + own.system + own.children_user + own.children_system, {os.getpid()}
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            times = child.cpu_times()
            seconds += times.user + times.system
            pids.add(child.pid)
    return seconds, pids
