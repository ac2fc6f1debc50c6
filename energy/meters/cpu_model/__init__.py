"""A model of the CPU where no counter can be read: a law of power, and what this program and the machine did.

It has two figures, which are never added:

- `process`: what this process tree did, and the idle power of the CPUs that it may use. A worker that lives
  for half a second counts like any other, and a stopped process is billed the idle share only. Held to a
  slice of the machine (affinity, quota) it has that slice's share of the idle power; whether the rest of the
  machine was awake for it alone, nobody can tell, so its band reaches up to all of it.
- `machine`: what all programs did on all CPUs, and the idle power of all of them.

It stays a model: its band is a factor of 8 and more, and every parameter is in the record. Where the law
knows CPU seconds alone, two programs that keep the CPUs equally busy cost the same, whatever they compute.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from energy.meters._meter import Diagnosis, MeterUnavailable, OwnedMeter
from energy.meters.cpu_model.busy import STEP_SECONDS, Machine
from energy.meters.cpu_model.cpus import visible_cpus
from energy.meters.cpu_model.law import COUNTED, CPU_SECONDS, Ends, Law
from energy.meters.cpu_model.pmu import NoCountersError, Pmu
from energy.meters.cpu_model.power import choose_law, table_watts
from energy.meters.cpu_model.processor import Processor, read_processor
from energy.meters.cpu_model.seconds import PROC, TICK_SECONDS, Tree
from energy.reading import Count

DOMAINS = ("cpu",)
PERIOD_SECONDS = 1.0  # a descendant that nobody waits for loses at most this much


def open(  # noqa: A001 -- every meter file has one
    gpus: Sequence[str] | None = None,  # noqa: ARG001 -- as every meter
    *,
    watts: tuple[float, float] | None = None,
    fitted: Sequence[Mapping[str, Any]] = (),
    tells: Collection[str] = (),
    proc: Path = PROC,
    clock: Callable[[], float] = time.monotonic,
) -> CpuModel:
    """Look up this processor and begin to count CPU seconds.

    Args:
        gpus: none of its business.
        watts: what all processors of this machine draw, idle and at full load, where the user knows.
        fitted: laws that `calibrate --fit` has left.
        tells: the signals that the measured code will tell (`CpuModel.tell`).
        proc: where the kernel shows its processes.
        clock: monotonic seconds.

    Raises:
        MeterUnavailable: this is not Linux, whose process table it reads.
    """
    if not (proc / "loadavg").exists() or not (proc / "cpuinfo").exists():
        raise MeterUnavailable(
            f"There is no process table of Linux under {proc}.",
            "Use the meter codecarbon, whose model runs on every system.",
        )
    cpu = read_processor(proc / "cpuinfo")
    pmu = _open_pmu() if fitted else None
    law = choose_law(
        cpu,
        watts=watts,
        fitted=fitted,
        signals={*tells, *(COUNTED if pmu is not None else ())},
        tdp_watts=table_watts(cpu.name),
    )
    others = choose_law(cpu, watts=watts, fitted=fitted, tdp_watts=table_watts(cpu.name))
    if pmu is not None and not any(name in law.joules_per for name in COUNTED):
        pmu.close()
        pmu = None
    signs = Signs(Tree(proc, clock=clock), Machine(proc), pmu)
    return CpuModel(signs, Laws(law, others), Share(cpu, visible_cpus(proc)), clock)


def diagnose(gpus: Sequence[str] | None = None, *, proc: Path = PROC) -> Diagnosis:
    """Say what the model takes this processor for."""
    try:
        meter = open(gpus, proc=proc)
    except MeterUnavailable as problem:
        return Diagnosis("cpu_model", False, problem.reason, problem.remedy)
    meter.close()
    law = meter.laws.own
    idle, busy = law.idle_watts, law.joules_per[CPU_SECONDS]
    figures = f"{idle[1]:.2g} W idle per thread ({idle[0]:.2g} to {idle[2]:.2g}) + {busy[1]:.2g} J"
    seen = "not seen here" if (pmu := _open_pmu()) is None else "seen here"
    if pmu is not None:
        pmu.close()
    return Diagnosis(
        "cpu_model",
        True,
        f"cpu: {figures} per CPU second ({busy[0]:.2g} to {busy[2]:.2g}); modelled from CPU time, by "
        f"{law.origin}; the processor's own counters are {seen}",
    )


def _open_pmu() -> Pmu | None:
    try:
        return Pmu()
    except NoCountersError:
        return None


@dataclass(frozen=True)
class Signs:
    """Where the signals are from: this process tree, the machine, and the processor's counters if used."""

    tree: Tree
    machine: Machine
    pmu: Pmu | None = None

    def close(self) -> None:
        """Release all of them."""
        self.tree.close()
        self.machine.close()
        if self.pmu is not None:
            self.pmu.close()


@dataclass(frozen=True)
class Laws:
    """The law of what this program does, and that of what others do, of whom only CPU seconds are known."""

    own: Law
    others: Law


@dataclass(frozen=True)
class Share:
    """The processor, and how many of its hardware threads this process may use."""

    processor: Processor
    visible: float


class CpuModel(OwnedMeter):
    """Cumulative joules of the model, of this process tree and of the whole machine."""

    period_seconds = PERIOD_SECONDS

    def __init__(self, signs: Signs, laws: Laws, share: Share, clock: Callable[[], float]) -> None:
        super().__init__("cpu_model")
        self.laws, self.share = laws, share
        self._signs, self._clock = signs, clock
        self.wants = laws.own.joules_per.keys() - {CPU_SECONDS, *COUNTED}
        self._told = dict.fromkeys(self.wants, 0.0)
        self._templates = tuple(self._template(boundary) for boundary in ("process", "machine"))
        self._start_cpu_seconds, self._start_busy_seconds = signs.tree.seconds(), signs.machine.seconds()
        self._start_counts = dict(signs.pmu.counts()) if signs.pmu is not None else {}
        self._start_seconds = clock()

    def counts(self) -> tuple[Count, ...]:
        """Return the joules since the meter was opened: of this process tree, and of the machine."""
        with self._lock:
            if self.closed:
                return tuple(self._unknown(each, "the meter is closed") for each in self._templates)
            try:
                return self._read()
            except NoCountersError as problem:
                return tuple(self._unknown(each, str(problem)) for each in self._templates)

    def tell(self, amounts: Mapping[str, float]) -> None:
        """Add what the measured code says it has done meanwhile; what no law asks for is ignored."""
        with self._lock:
            for name in self._told.keys() & amounts.keys():
                self._told[name] += amounts[name]

    def count_family(self) -> tuple[float, set[int]]:
        """Return the CPU seconds that the figure is made of, and the ids of the processes that live."""
        with self._lock:
            return self._signs.tree.seconds(), self._signs.tree.pids()

    def _sample(self) -> None:
        """Notice new descendants, so that one that nobody waits for is not lost whole."""
        self._signs.tree.seconds()

    def _release(self) -> None:
        self._signs.close()

    def _read(self) -> tuple[Count, ...]:
        own = self._signs.tree.seconds() - self._start_cpu_seconds
        busy = self._signs.machine.seconds() - self._start_busy_seconds
        seconds = self._clock() - self._start_seconds
        counted = self._signs.pmu.counts() if self._signs.pmu is not None else {}
        done = {name: count - self._start_counts[name] for name, count in counted.items()}
        signals = {CPU_SECONDS: own, **done, **self._told}
        visible, threads = self.share.visible, float(self.share.processor.threads)
        process = self.laws.own.joules((visible, visible, threads), seconds, signals)
        everyone = _added(
            self.laws.own.joules((threads, threads, threads), seconds, signals),
            self.laws.others.joules((0.0, 0.0, 0.0), seconds, {CPU_SECONDS: max(0.0, busy - own)}),
        )
        # Own time is exact; a descendant's user and system time are each cut to whole ticks.
        steps = 2 * TICK_SECONDS * (len(self._signs.tree.pids()) - 1)
        first, second = self._templates
        return self._count(first, process, seconds, steps), self._count(
            second, everyone, seconds, STEP_SECONDS
        )

    def _count(self, template: Count, joules: Ends, seconds: float, step: float) -> Count:
        return template.at(
            joules=joules[1],
            bounds_joules=(joules[0], joules[2]),
            covered_seconds=seconds,
            edge_joules=self.laws.own.joules_per[CPU_SECONDS][1] * step,
            resolution_seconds=TICK_SECONDS if step else 0.0,
            reason=None,
        )

    def _unknown(self, template: Count, reason: str) -> Count:
        return template.at(joules=None, bounds_joules=None, reason=reason)

    def _template(self, boundary: str) -> Count:
        return Count(
            domain="cpu",
            device="machine",
            source=self.laws.own.source,
            kind="modelled",
            joules=None,
            covered_seconds=0.0,
            boundary=boundary,
            reason="not read yet",
            model=self._as_model(boundary),
        )

    def _as_model(self, boundary: str) -> dict[str, Any]:
        """Return all that one needs to compute the figure again."""
        cpu, own = self.share.processor, self.laws.own
        threads = self.share.visible if boundary == "process" else float(cpu.threads)
        return {
            "formula": "idle_watts * seconds + sum of joules_per * signal",
            "processor": {"name": cpu.name, **cpu.as_key(), "threads": cpu.threads},
            "visible_cpus": self.share.visible,
            "idle_watts": threads * own.idle_watts[1],
            "law": own.as_json(),
        }


def _added(one: Ends, other: Ends) -> Ends:
    return one[0] + other[0], one[1] + other[1], one[2] + other[2]
