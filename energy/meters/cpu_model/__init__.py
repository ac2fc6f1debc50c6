"""A model of the CPU where RAPL is closed: CPU seconds of this process tree, and its share of the idle power.

    joules = idle_watts x seconds + busy_watts x CPU seconds

What counts is what this program did, not what else ran on the machine, and a worker that lives for half a
second counts like any other. A stopped process is billed the idle share only. It stays a model: its band is a
factor of 8 and more (_cpu_power.py), and every parameter is in the record.

Its figure can be subtracted exactly: it is a straight line in two sums that only grow.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from energy.fault import keep
from energy.meters._meter import Diagnosis, MeterUnavailable
from energy.meters.cpu_model.power import CpuPower, estimate, processor, table_watts, visible_cpus
from energy.meters.cpu_model.seconds import PROC, TICK_SECONDS, Tree
from energy.reading import Count, Fault

DOMAINS = ("cpu",)
PERIOD_SECONDS = 1.0  # a descendant that nobody waits for loses at most this much


def open(  # noqa: A001 -- every meter file has one
    gpus: Sequence[str] | None = None,  # noqa: ARG001 -- as every meter
    *,
    proc: Path = PROC,
    clock: Callable[[], float] = time.monotonic,
) -> CpuModel:
    """Look up this processor and begin to count CPU seconds.

    Raises:
        MeterUnavailable: this is not Linux, whose process table it reads.
    """
    if not (proc / "loadavg").exists() or not (proc / "cpuinfo").exists():
        raise MeterUnavailable(
            f"There is no process table of Linux under {proc}.",
            "Use the meter codecarbon, whose model runs on every system.",
        )
    cpu = processor(proc / "cpuinfo")
    power = estimate(cpu, table_watts(cpu.name), visible_cpus(proc))
    return CpuModel(Tree(proc, clock=clock), power, clock)


def diagnose(gpus: Sequence[str] | None = None, *, proc: Path = PROC) -> Diagnosis:
    """Say what the model takes this processor for."""
    try:
        meter = open(gpus, proc=proc)
    except MeterUnavailable as problem:
        return Diagnosis("cpu_model", False, problem.reason, problem.remedy)
    meter.close()
    power = meter.power
    figures = f"{power.idle_watts:.2g} W idle + {power.busy_watts:.2g} J per CPU second"
    band = f"{power.band[0]:.2f} to {power.band[1]:.1f} times that"
    return Diagnosis("cpu_model", True, f"cpu: {figures} (modelled, {band}; rated power {power.tdp_source})")


class CpuModel:
    """Cumulative joules of the model."""

    name = "cpu_model"
    slow = False
    period_seconds: float | None = PERIOD_SECONDS

    def __init__(self, tree: Tree, power: CpuPower, clock: Callable[[], float]) -> None:
        self.pid = os.getpid()
        self.closed = False
        self.power = power
        self._tree, self._clock = tree, clock
        self._lock = threading.RLock()
        self._noted: list[Fault] = []
        self._template = _template(power)
        self._start_cpu_seconds = tree.seconds()
        self._start_seconds = clock()

    def poll(self) -> None:
        """Notice new descendants, so that one that nobody waits for is not lost whole."""
        with self._lock:
            if not self.closed:
                self._tree.seconds()

    def counts(self) -> tuple[Count, ...]:
        """Return the joules since the meter was opened."""
        with self._lock:
            return (self._count(None, "the meter is closed"),) if self.closed else (self._read(),)

    def faults(self) -> tuple[Fault, ...]:
        """Return what others noted: reading the process table does not fail."""
        return tuple(self._noted)

    def note(self, fault: Fault) -> None:
        """Keep a fault that somebody else observed."""
        keep(self._noted, fault)

    def close(self) -> None:
        """Close what the process table was read through."""
        with self._lock:
            self.closed = True
            self._tree.close()

    def _read(self) -> Count:
        cpu_seconds = self._tree.seconds() - self._start_cpu_seconds
        seconds = self._clock() - self._start_seconds
        joules = self.power.idle_watts * seconds + self.power.busy_watts * cpu_seconds
        return self._count(joules, None, seconds)

    def _count(self, joules: float | None, reason: str | None, seconds: float = 0.0) -> Count:
        # Own time is exact; a descendant's user and system time are each cut to whole ticks.
        steps = 2 * TICK_SECONDS * self._tree.descendants
        return self._template.at(
            joules=joules,
            covered_seconds=seconds,
            edge_joules=self.power.busy_watts * steps,
            resolution_seconds=TICK_SECONDS if steps else 0.0,
            reason=reason,
        )


def _template(power: CpuPower) -> Count:
    return Count(
        domain="cpu",
        device="machine",
        source="cpu_seconds_model",
        kind="modelled",
        joules=None,
        covered_seconds=0.0,
        low_factor=power.band[0],
        high_factor=power.band[1],
        reason="not read yet",
        model=power.as_model(),
    )
