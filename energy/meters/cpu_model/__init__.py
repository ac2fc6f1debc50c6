"""A model of the CPU where RAPL is closed: CPU seconds of this process tree, and its share of the idle power.

    joules = idle_watts x seconds + busy_watts x CPU seconds

What counts is what this program did, not what else ran on the machine, and a worker that lives for half a
second counts like any other. A stopped process is billed the idle share only. It stays a model: its band is a
factor of 8 and more (_cpu_power.py), and every parameter is in the record.

Its figure can be subtracted exactly: it is a straight line in two sums that only grow.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from energy.meters._meter import Diagnosis, MeterUnavailable, OwnedMeter
from energy.meters.cpu_model.power import CpuPower, estimate, processor, table_watts, visible_cpus
from energy.meters.cpu_model.seconds import PROC, TICK_SECONDS, Tree
from energy.reading import Count

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


class CpuModel(OwnedMeter):
    """Cumulative joules of the model."""

    period_seconds = PERIOD_SECONDS

    def __init__(self, tree: Tree, power: CpuPower, clock: Callable[[], float]) -> None:
        super().__init__("cpu_model")
        self.power = power
        self._tree, self._clock = tree, clock
        self._template = _template(power)
        self._start_cpu_seconds = tree.seconds()
        self._start_seconds = clock()

    def counts(self) -> tuple[Count, ...]:
        """Return the joules since the meter was opened."""
        with self._lock:
            return (self._count(None, "the meter is closed"),) if self.closed else (self._read(),)

    def count_family(self) -> tuple[float, set[int]]:
        """Return the CPU seconds that the figure is made of, and the ids of the processes that live."""
        with self._lock:
            return self._tree.seconds(), self._tree.pids()

    def _sample(self) -> None:
        """Notice new descendants, so that one that nobody waits for is not lost whole."""
        self._tree.seconds()

    def _release(self) -> None:
        self._tree.close()

    def _read(self) -> Count:
        cpu_seconds = self._tree.seconds() - self._start_cpu_seconds
        seconds = self._clock() - self._start_seconds
        joules = self.power.idle_watts * seconds + self.power.busy_watts * cpu_seconds
        return self._count(joules, None, seconds)

    def _count(self, joules: float | None, reason: str | None, seconds: float = 0.0) -> Count:
        # Own time is exact; a descendant's user and system time are each cut to whole ticks.
        steps = 2 * TICK_SECONDS * (len(self._tree.pids()) - 1)
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
