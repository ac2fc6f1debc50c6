"""How many CPUs this process may use: its affinity, or less where a control group has a quota.

Sources: Linux, Documentation/admin-guide/cgroup-v2 (cpu.max) and Documentation/scheduler/sched-bwc
(cpu.cfs_quota_us of version 1); cgroups(7) for the files that say where a process is.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")
GROUPS = Path("/sys/fs/cgroup")
UNIFIED = ("", "unified")  # where version 2 is mounted, alone or beside version 1
CONTROLLER = "cpu"  # of version 1, mounted as "cpu", "cpu,cpuacct" or "cpuacct,cpu"


def visible_cpus(proc: Path = PROC, groups: Path = GROUPS) -> float:
    """Return how many CPUs this process may use; all where the system knows neither affinity nor groups."""
    return min(float(_affine_cpus()), quota_cpus(proc, groups))


def quota_cpus(proc: Path = PROC, groups: Path = GROUPS) -> float:
    """Return the CPUs that the quotas of all control groups around this process leave it; inf without any."""
    return min((_quota(folder) for folder in _folders(proc, groups)), default=math.inf)


def _affine_cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _folders(proc: Path, groups: Path) -> Iterator[Path]:
    """Yield the folders of this process's control groups, and of those that they are in, up to the root.

    In a container the path may be that of the host, while only the container's own part is mounted, at the
    root: folders that are not there have no quota, and the root always is.
    """
    for line in _lines(proc / "self/cgroup"):
        _, controllers, path = line.split(":", 2)
        names = controllers.split(",")
        mounts = UNIFIED if controllers == "" else (CONTROLLER, ",".join(names), ",".join(reversed(names)))
        if controllers and CONTROLLER not in names:
            continue
        for mount in dict.fromkeys(mounts):
            own = groups / mount / path.strip("/")
            yield own
            yield from (folder for folder in own.parents if folder.is_relative_to(groups / mount))


def _quota(folder: Path) -> float:
    """Return the CPUs that a group's quota amounts to; infinite where there is none, as in the root group."""
    for line in _lines(folder / "cpu.max"):
        quota, period = line.split()
        return math.inf if quota == "max" else int(quota) / int(period)
    for quota, period in zip(
        _lines(folder / "cpu.cfs_quota_us"), _lines(folder / "cpu.cfs_period_us"), strict=False
    ):
        return math.inf if int(quota) < 0 else int(quota) / int(period)
    return math.inf


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.is_file() else []
