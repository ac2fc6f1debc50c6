"""Measure known work inside a counter of the CPU, and fit the laws by which others without one are billed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from energy.analysis.cpu_power import Worked, fit_law
from energy.commands import UsageError
from energy.commands._known_work import Load, do_work, list_loads
from energy.measuring.window import Window
from energy.meters._meter import Meter
from energy.meters.cpu_model.busy import Machine
from energy.meters.cpu_model.law import BYTES_MOVED, COUNTED, CPU_SECONDS, MACS
from energy.meters.cpu_model.pmu import NoCountersError, Pmu
from energy.meters.cpu_model.power import SOURCE
from energy.meters.cpu_model.processor import read_processor
from energy.meters.cpu_model.seconds import PROC
from energy.reading import Energy, Reading

ROUNDS = 2
PMU_SOURCE, WORK_SOURCE = "cpu_pmu_model", "cpu_work_model"


def check_counter(now: Reading) -> None:
    """Refuse to fit to a model; UsageError says what is missing."""
    kinds = {part.kind for part in (now - now).headline() if part.domain == "cpu"}
    if kinds != {"measured"}:
        raise UsageError(
            "--fit needs a counter of the CPU, and here the CPU is modelled: run it on a machine where "
            "`python -m energy doctor` says that rapl works"
        )


def fit_cpu(
    meters: Sequence[Meter],
    seconds: float,
    others: Sequence[str],
    say: Callable[[str], None],
    proc: Path = PROC,
) -> dict[str, Any]:
    """Return the block `cpu_power` of noise.json.

    Args:
        meters: open ones, of which one measures the CPU.
        seconds: how long each load lasts.
        others: command lines of the user's own known work.
        say: tells the user how far it is.
        proc: where the kernel shows its statistics.
    """
    processor = read_processor(proc / "cpuinfo")
    loads = ROUNDS * list_loads(seconds, processor.threads, others)
    pmu = _open_pmu(say)
    try:
        with closing(Machine(proc)) as machine:
            windows = []
            for number, load in enumerate(loads, 1):
                windows.append(_measure(meters, load, machine, pmu))
                say(
                    f"{number} of {len(loads)}, {load.name}: {windows[-1].joules / windows[-1].seconds:.3g} W"
                )
    finally:
        if pmu is not None:
            pmu.close()
    block = {"processor": processor.as_key(), "threads": processor.threads}
    return block | fit_all(windows, processor.threads) | {"windows": [each.as_json() for each in windows]}


def fit_all(windows: Sequence[Worked], threads: int) -> dict[str, Any]:
    """Return the laws that these windows tell, and why they do not tell the others."""
    names = dict.fromkeys(name for window in windows for name in window.signals)
    told = [name for name in names if name.startswith(MACS) or name == BYTES_MOVED]
    wanted: Mapping[str, Sequence[str]] = {
        SOURCE: [CPU_SECONDS],
        PMU_SOURCE: [CPU_SECONDS, *(name for name in COUNTED if name in names)],
        WORK_SOURCE: [CPU_SECONDS, *told],
    }
    laws, unfitted = [], {}
    for source, signals in wanted.items():
        if source != SOURCE and len(signals) == 1:
            unfitted[source] = "no such signal is seen here"
            continue
        try:
            laws.append(fit_law(source, windows, signals, threads, _origin(windows)))
        except ValueError as problem:
            unfitted[source] = str(problem)
    return {"laws": laws, "unfitted": unfitted}


def _measure(meters: Sequence[Meter], load: Load, machine: Machine, pmu: Pmu | None) -> Worked:
    busy, counted = machine.seconds(), _counts(pmu)
    with Window(meters) as window:
        done = do_work(load)
    spent = window.energy
    signals = {CPU_SECONDS: machine.seconds() - busy, **done}
    signals |= {name: count - counted[name] for name, count in _counts(pmu).items()}
    return Worked(load.name, spent.seconds, _joules(spent, load), signals)


def _joules(spent: Energy, load: Load) -> float:
    joules = spent.joules("cpu")
    if not joules:
        reasons = [part.reason for part in spent.headline() if part.domain == "cpu" and part.reason]
        raise UsageError(f"the CPU's counter told nothing of {load.name}: {'; '.join(reasons) or '0 J'}")
    return joules


def _counts(pmu: Pmu | None) -> Mapping[str, float]:
    return {} if pmu is None else pmu.counts()


def _open_pmu(say: Callable[[str], None]) -> Pmu | None:
    try:
        return Pmu()
    except NoCountersError as problem:
        say(f"without instructions and cache misses: {problem}")
        return None


def _origin(windows: Sequence[Worked]) -> str:
    loads = len({window.load for window in windows})
    return f"calibrate --fit: {len(windows)} windows of {loads} loads against a counter"
