"""What a CPU draws when idle and per busy CPU second, from its rated power, and how wrong that may be.

Fitted to the RAPL sweeps that CodeCarbon published (its repository, codecarbon/data/hardware/
cpu_load_profiling, 2025-01-14, MIT): load from 0 to 100 %, on all cores and on some, of an EPYC 8024P, a Xeon
E3-1240 v2 and two Xeon E5-2620 v3; 64 operating points. Energy over duration is used, as their power column
lags. Their Threadripper is left out: its dies mirror one counter (codecarbon issue 1274).

    watts / TDP = IDLE_FACTOR + BUSY_FACTOR x load

A straight line in CPU seconds can be subtracted exactly. A concave one would have to be evaluated every
second, and predicts a machine that it was not fitted to no better: the root mean square of ln(model / RAPL),
leaving one machine out, is 0.44 for the line, 0.46 for load ** c and 0.45 for load / (load + c). CodeCarbon's
formula has 0.71.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from energy.meters.codecarbon.tracker import silence

IDLE_FACTOR = 0.136
BUSY_FACTOR = 0.570
EXPONENT = 1.0
# RAPL over model, at the extremes of what the sweeps show when each machine is predicted from the other two.
# Three machines are few: a fourth may lie outside.
FIT_BAND = (0.4, 3.25)
# Where the rated power of the threads at hand is unknown: EPYC 9754, 360 W for 256 threads; Xeon E3-1240 v2,
# 69 W for 8 (AMD and Intel data sheets).
THREAD_WATTS = (1.4, 8.6)


@dataclass(frozen=True)
class Processor:
    """What the kernel says of the processor: `threads` are those of all its sockets."""

    name: str
    sockets: int
    threads: int
    virtual: bool


@dataclass(frozen=True)
class CpuPower:
    """The model's parameters: watts per hardware thread at rated power, and the CPUs this process may use."""

    processor: str
    tdp_watts: float | None
    tdp_source: str
    threads: int
    visible_cpus: float
    thread_watts: float
    thread_watts_range: tuple[float, float]

    @property
    def idle_watts(self) -> float:
        """The idle power of the share of the machine that this process may use."""
        return IDLE_FACTOR * self.thread_watts * self.visible_cpus

    @property
    def busy_watts(self) -> float:
        """The power that one busy CPU adds, hence the joules of one CPU second."""
        return BUSY_FACTOR * self.thread_watts

    @property
    def band(self) -> tuple[float, float]:
        """Between which multiples of the model's figure the truth lies."""
        low, high = self.thread_watts_range
        return FIT_BAND[0] * low / self.thread_watts, FIT_BAND[1] * high / self.thread_watts

    def as_model(self) -> dict[str, Any]:
        """Return all that one needs to compute the figure again."""
        return asdict(self) | {
            "formula": "idle_watts * seconds + busy_watts * cpu_seconds",
            "idle_factor": IDLE_FACTOR,
            "busy_factor": BUSY_FACTOR,
            "exponent": EXPONENT,
            "idle_watts": self.idle_watts,
            "busy_watts": self.busy_watts,
            "thread_watts_range": list(self.thread_watts_range),
            "band": list(self.band),
        }


def estimate(processor: Processor, tdp_watts: float | None, visible_cpus: float) -> CpuPower:
    """Return the model of a processor whose rated power (W, per socket) is known or not.

    A virtual machine shows the name of the processor but not how many of its threads belong to others, so
    there the rated power is only the most that the visible threads can have.
    """
    low, high = THREAD_WATTS
    per_thread = tdp_watts * processor.sockets / processor.threads if tdp_watts else None
    if per_thread is None:
        source = "unknown, taken from processors on sale"
    elif processor.virtual:
        low, high = min(low, per_thread), min(high, per_thread)
        source = "in CodeCarbon's table, of which a virtual machine has an unknown part"
    else:
        low = high = per_thread
        source = "in CodeCarbon's table"
    watts = math.sqrt(low * high)  # the middle of a range of factors
    return CpuPower(processor.name, tdp_watts, source, processor.threads, visible_cpus, watts, (low, high))


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> Processor:
    """Read name, sockets and threads; Arm kernels give no name."""
    lines = [line.partition(":") for line in cpuinfo.read_text().splitlines()]
    values = [(key.strip(), value.strip()) for key, _, value in lines]
    first = dict(reversed(values))
    packages = {value for key, value in values if key == "physical id"}
    threads = Counter(key for key, _ in values)["processor"]
    virtual = "hypervisor" in first.get("flags", "").split()
    return Processor(first.get("model name", ""), max(1, len(packages)), max(1, threads), virtual)


def table_watts(name: str) -> float | None:
    """Look up the rated power (W) of one socket in CodeCarbon's table; None if it is not there."""
    if not name:
        return None
    with silence():
        from codecarbon.core.cpu import TDP

        # Not by its constructor, which makes up 4 W per thread for what it does not find.
        watts = TDP.__new__(TDP)._get_cpu_power_from_registry(name)
    return float(watts) if watts else None


def visible_cpus(proc: Path = Path("/proc"), groups: Path = Path("/sys/fs/cgroup")) -> float:
    """Return how many CPUs this process may use: its affinity, or less where a control group has a quota.

    Source: cpu.max in Linux, Documentation/admin-guide/cgroup-v2. The older version 1 is not looked at.
    """
    return min(float(len(os.sched_getaffinity(0))), *map(_quota, _groups(proc, groups)))


def _groups(proc: Path, groups: Path) -> list[Path]:
    """Return the control group of this process and those that it is in, up to the root."""
    names = [line[3:] for line in _lines(proc / "self/cgroup") if line.startswith("0::")]
    own = groups / (names[0] if names else "").strip("/")
    return [own, *(folder for folder in own.parents if folder.is_relative_to(groups))]


def _quota(group: Path) -> float:
    """Return the CPUs that a group's quota amounts to; infinite where there is none, as in the root group."""
    for line in _lines(group / "cpu.max"):
        quota, period = line.split()
        return math.inf if quota == "max" else int(quota) / int(period)
    return math.inf


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []
