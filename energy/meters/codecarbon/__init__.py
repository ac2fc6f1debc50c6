"""CodeCarbon: the field's usual figure, and the only one for CPU and RAM where RAPL is closed (most VMs).

Without RAPL it is a model: CPU = TDP x (0.1 + 0.9 load^3), RAM = 5 W per memory module that it guesses. It
runs offline, silent and without files: every setting that it would otherwise look up in CODECARBON_*
variables or configuration files is given. It is started when the meter is opened (0.7 s), so never inside a
window.

It gets no thread of its own: what its two timers would do, measure and sample the CPU load every second, our
sampler does. So its measurements and ours cannot meet and corrupt its sums (codecarbon issue 1308), and what
it costs is counted with the rest.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from energy.meters._meter import Diagnosis, MeterUnavailable, OwnedMeter
from energy.meters.codecarbon.tracker import build, look, silence, stop
from energy.meters.nvml.visible import Board, load, resolve
from energy.reading import Count, Fault

DOMAINS = ("cpu", "ram", "gpu")
# CodeCarbon's own constant (codecarbon/core/units.py), so that the joules it was told come back.
JOULES_PER_KWH = 1 / 2.77778e-7
STALE_SECONDS = 0.055  # flush() repeats the last figures if they are younger than 0.05 s
PERIOD_SECONDS = 1.0  # of its own monitor; its formula is not linear in the load, so the period matters
MEASURE_SECONDS = 30.0  # in RAPL mode it must measure at least once per wrap; 65 kJ at 1 kW take 65 s

# The truth as a multiple of what is reported. CPU load: formula over RAPL was 0.23 to 1.95 in the sweeps that
# CodeCarbon published (its repository, data/hardware/cpu_load_profiling: EPYC 8024P, Xeon E3-1240v2, 2 x
# E5-2620v3). A CPU that it does not know is taken for 4 W per thread; processors on sale draw 2 to 8. RAM:
# 5 W for each module that it guesses; what is installed draws 0.05 to 0.4 W per GB (ram_model.py), so of the
# 20 W that it has for 24 GB a sixteenth to a half.
CPU_LOAD = (0.5, 4.4)
UNKNOWN_CPU = (0.25, 8.8)
CONSTANT = (0.2, 2.2)  # half the TDP, whatever the load
RAM = (0.05, 2.0)
COUNTER = (0.9, 1.1)  # as in rapl.py
NVIDIA = (1 / 1.05, 1 / 0.95)  # as in _gpu.py
WATTS_PER_UNKNOWN_THREAD = 4  # codecarbon/core/cpu.py, DEFAULT_POWER_PER_CORE
FLUSH_SECONDS = 0.002  # the time between its measurement and our time stamp
STILL_SECONDS = 0.5  # the counters of boards move every 20 to 100 ms
JIFFY_SECONDS = 0.01  # the step of the load figures of the kernel (/proc/stat)


def open(  # noqa: A001 -- every meter file has one
    gpus: Sequence[str] | None = None, *, library: Any = None
) -> CodeCarbon:
    """Start a tracker of the whole machine, and of these GPUs (UUIDs, as in nvml.py) if NVML knows them.

    Raises:
        MeterUnavailable: CodeCarbon is missing, or its tracker did not start.
    """
    boards = _resolve(gpus, library)
    with silence():
        tracker, latest = build([board.index for board in boards])
        tracker.start()
        tracker.flush()  # the first one loads tables for 50 ms
    if latest.total is None:  # start() and flush() suppress every exception
        stop(tracker)
        raise MeterUnavailable("CodeCarbon's tracker did not start.", "Run `codecarbon detect` to see why.")
    return CodeCarbon(tracker, latest, ",".join(board.uuid for board in boards))


def diagnose(gpus: Sequence[str] | None = None, *, library: Any = None) -> Diagnosis:
    """Say what CodeCarbon would report here."""
    try:
        meter = open(gpus, library=library)
    except MeterUnavailable as problem:
        return Diagnosis("codecarbon", False, problem.reason, problem.remedy)
    what = ", ".join(f"{count.domain}: {count.source} ({count.kind})" for count in meter.counts())
    meter.close()
    return Diagnosis("codecarbon", True, what)


class CodeCarbon(OwnedMeter):
    """Cumulative joules of CodeCarbon's components, handed over by an output handler."""

    slow = True
    period_seconds = PERIOD_SECONDS

    def __init__(self, tracker: Any, latest: Any, gpus: str) -> None:
        super().__init__("codecarbon")
        self._tracker, self._latest = tracker, latest
        wanted = [part for part in tracker._hardware if _domain(part, gpus)]
        self._components = tuple(_component(part, gpus, tracker._conf) for part in wanted)
        self._rapl = any(component.source == "codecarbon_rapl" for component in self._components)
        self._opened_seconds = self._measured_seconds = self._gpu_moved_seconds = time.monotonic()
        self._joules: dict[str, float] = {}
        self._watts: dict[str, float] = {}
        self._measure()

    def poll(self) -> None:
        """Let CodeCarbon sample the load as its monitor would, and see every wrap of its counters.

        A reading at this moment samples too, so that there is nothing to wait for.
        """
        if not self._lock.acquire(blocking=False):
            return
        try:
            if not self.closed:
                self._look()
        finally:
            self._lock.release()

    def counts(self) -> tuple[Count, ...]:
        """Let CodeCarbon measure now and return its cumulative components."""
        with self._lock:
            problem = "the meter is closed" if self.closed else self._measure()
            return tuple(self._count(component, problem) for component in self._components)

    def _release(self) -> None:
        """Stop the tracker and its threads."""
        stop(self._tracker)

    def _look(self) -> None:
        look(self._tracker)
        if self._rapl and time.monotonic() - self._measured_seconds >= MEASURE_SECONDS:
            self._measure()

    def _measure(self) -> str | None:
        """Flush, and say what went wrong. Wait if the last figures are so young that it would repeat them."""
        time.sleep(max(0.0, self._measured_seconds + STALE_SECONDS - time.monotonic()))
        self._latest.total = None
        began = time.monotonic()
        self._tracker.flush()
        now = time.monotonic()
        self._flush_seconds = now - began
        if self._latest.total is None:
            problem = "CodeCarbon's flush() failed and delivered no figures"
            self.note(Fault("unreadable", self.name, "", now, 0.0, 0.0, problem))
            return problem
        self._keep(now, self._latest.total)
        return None

    def _keep(self, now: float, total: Any) -> None:
        elapsed = now - self._measured_seconds
        for domain in ("cpu", "ram", "gpu"):
            joules = getattr(total, f"{domain}_energy") * JOULES_PER_KWH
            self._watts[domain] = (joules - self._joules.get(domain, 0.0)) / elapsed
            if domain == "gpu" and self._watts[domain]:
                self._gpu_moved_seconds = now
            self._joules[domain] = joules
        self._measured_seconds = now

    def _count(self, component: Count, problem: str | None) -> Count:
        joules = self._joules.get(component.domain)
        problem = problem or self._why_still(component.domain)
        return replace(
            component,
            joules=None if problem else joules,
            reason=problem,
            last_joules=joules,
            covered_seconds=self._measured_seconds - self._opened_seconds,
            edge_joules=self._watts.get(component.domain, 0.0) * self._edge_seconds(component),
        )

    def _edge_seconds(self, component: Count) -> float:
        """Return how old its figures may be: a flush that took long may have measured at its beginning."""
        return max(component.resolution_seconds, self._flush_seconds)

    def _why_still(self, domain: str) -> str | None:
        """Say that a GPU's count stands still: what CodeCarbon cannot read, it counts as 0 J."""
        still = self._measured_seconds - self._gpu_moved_seconds
        if domain != "gpu" or still <= STILL_SECONDS:
            return None
        return f"CodeCarbon has counted 0 J for {still:.1f} s, and no GPU draws nothing"


def _domain(part: Any, gpus: str) -> str | None:
    """Return what one of CodeCarbon's hardware objects stands for; None for GPUs that nobody asked for."""
    kind = type(part).__name__.lower()
    domain = {"cpu": "cpu", "ram": "ram", "gpu": "gpu"}.get(kind) or part.chip_part.lower()
    return domain if domain != "gpu" or gpus else None


def _component(part: Any, gpus: str, conf: dict[str, Any]) -> Count:
    """Describe one of CodeCarbon's hardware objects; its own records do not say which method it used."""
    source, kind, (low, high), step = _method(part, conf)
    domain = _domain(part, gpus) or ""
    device = gpus if domain == "gpu" else "machine"
    return Count(domain, device, source, kind, None, 0.0, low, high, 0.0, step, reason="not read yet")


def _method(part: Any, conf: dict[str, Any]) -> tuple[str, str, tuple[float, float], float]:
    """Return source, kind, band factors and time step."""
    name = type(part).__name__.lower()
    mode = getattr(part, "_mode", None)
    if name == "ram":
        return "codecarbon_ram_model", "modelled", RAM, FLUSH_SECONDS
    if name == "gpu":
        return "codecarbon_gpu", "measured", NVIDIA, 0.1
    if mode == "cpu_load":
        band = UNKNOWN_CPU if _guessed(part, conf) else CPU_LOAD
        return "codecarbon_cpu_load_model", "modelled", band, JIFFY_SECONDS
    if mode == "constant":
        return "codecarbon_constant_model", "modelled", CONSTANT, FLUSH_SECONDS
    return f"codecarbon_{(mode or name).removeprefix('intel_')}", "measured", COUNTER, FLUSH_SECONDS


def _guessed(part: Any, conf: dict[str, Any]) -> bool:
    """Say whether the TDP is 4 W per thread (times the sockets, as it has it) and not from its table."""
    threads, sockets = conf["cpu_count"], conf["cpu_physical_count"]
    return bool(part._is_generic_tdp) or part._tdp == WATTS_PER_UNKNOWN_THREAD * threads * sockets


def _resolve(gpus: Sequence[str] | None, library: Any) -> tuple[Board, ...]:
    """Return the boards that CodeCarbon is to watch; none where NVML does not work, for it needs NVML too."""
    if gpus is not None and not gpus:
        return ()
    try:
        library = load(library)
        boards = resolve(library, gpus)
    except MeterUnavailable:
        return ()
    library.nvmlShutdown()  # CodeCarbon starts NVML by itself
    return boards
