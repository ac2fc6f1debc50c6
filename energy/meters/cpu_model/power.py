"""What a CPU draws where no counter can be read: which law holds for this processor, and how wrong it may be.

In this order:

1. what the user gives (`--energy-cpu-watts IDLE,FULL`): the watts of all processors of this machine;
2. a law that `python -m energy calibrate --fit` has fitted to RAPL on a processor of the same model;
3. on a machine that is no virtual one, the rated power of the processor, if CodeCarbon's table has it;
4. the servers of its generation, measured by SPECpower_ssj2008 (`processors.csv`).

**Rated power.** Fitted to the RAPL sweeps that CodeCarbon published (its repository, folder
codecarbon/data/hardware/cpu_load_profiling, 2025-01-14, MIT): load from 0 to 100 %, on all cores and on
some, of an EPYC 8024P, a Xeon E3-1240 v2 and two Xeon E5-2620 v3; 64 operating points. Energy over duration
is used, as their power column lags. Their Threadripper is left out: its dies mirror one counter (codecarbon
issue 1274).

    watts / TDP = IDLE_FACTOR + BUSY_FACTOR x load

A concave line would have to be evaluated every second, and predicts a machine that it was not fitted to no
better: the root mean square of ln(model / RAPL), leaving one machine out, is 0.44 for the line, 0.46 for
load ** c and 0.45 for load / (load + c). CodeCarbon's formula has 0.71.

**Servers at the wall.** Their watts are those of fans, disks, memory and power supplies, too. What part of
them is the processors' is known for two of the sweeps' machines, which are in SPECpower (EPYC 8024P: 62.1 W
idle and 104 W at full load at the wall; E3-1240 v2: 14.1 and 72.5 W): 0.29 and 0.39 when idle, 0.45 and 0.68
at full load. Of 711 servers it follows from their rated power (CodeCarbon's table), of which Boavizta's
documentation states 0.12 when idle and 1.02 at full load, by RAPL on bare metal at AWS: 5, 50 and 95 % of
them have 0.24, 0.51 and 0.94 when idle, 0.67, 0.91 and 1.20 at full load. (Above 1, since SPECpower's Java
does not draw what vector units do.)
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from energy.meters.codecarbon.tracker import silence
from energy.meters.cpu_model import table
from energy.meters.cpu_model.law import COUNTED, CPU_SECONDS, MACS, Ends, Law, from_watts, read_law
from energy.meters.cpu_model.processor import Processor

SOURCE = "cpu_seconds_model"
IDLE_FACTOR = 0.136
BUSY_FACTOR = 0.570
# RAPL over model, at the extremes of what the sweeps show when each machine is predicted from the other two.
# Three machines are few: a fourth may lie outside.
FIT_BAND = (0.4, 3.25)
# RAPL over the straight line between a machine's own idle and full power, at the extremes of the sweeps.
SHAPE = (0.47, 1.0, 1.9)
# The processors' part of what the wall shows, at least, in the middle and at most: idle, and at full load.
IDLE_SHARE = (0.24, 0.4, 1.0)
FULL_SHARE = (0.45, 0.75, 1.2)
# A CPU of a virtual machine may be a core whose threads all belong to it.
WHOLE_CORE = (1.0, 1.0, 2.0)


def choose_law(
    processor: Processor,
    *,
    watts: tuple[float, float] | None = None,
    fitted: Sequence[Mapping[str, Any]] = (),
    signals: Collection[str] = (),
    tdp_watts: float | None = None,
) -> Law:
    """Return the law that holds for a processor.

    Args:
        processor: which one.
        watts: what the user says that all processors of this machine draw, idle and at full load.
        fitted: what `calibrate --fit` has left, each with the processor that it is of.
        signals: what can be known here beside CPU seconds.
        tdp_watts: rated power of one socket; None: unknown.
    """
    if watts is not None:
        idle, full = (_times((each / processor.threads,) * 3, SHAPE) for each in watts)
        return from_watts(SOURCE, "given by --energy-cpu-watts", idle, full)
    if (law := _find_fitted(processor, fitted, {*signals, CPU_SECONDS})) is not None:
        return law
    if tdp_watts is not None and not processor.virtual:
        return _from_rated_power(tdp_watts * processor.sockets / processor.threads)
    return _from_servers(processor)


def _find_fitted(
    processor: Processor, fitted: Sequence[Mapping[str, Any]], signals: Collection[str]
) -> Law | None:
    """Return the law of this processor that knows most of what it did.

    A law of what is told must know all data types that may be told: else work in the others were free.
    """
    laws = [
        read_law(law) for each in fitted if each["processor"] == processor.as_key() for law in each["laws"]
    ]
    products = {name for name in signals if name.startswith(MACS)}
    known = [
        law
        for law in laws
        if law.joules_per.keys() <= set(signals)
        and not 0 < len(products & law.joules_per.keys()) < len(products)
    ]
    return max(known, key=_knowledge, default=None)


def _knowledge(law: Law) -> tuple[bool, int]:
    """Rank laws: what the processor counts is exact, what the measured code tells of itself is not."""
    return any(name in law.joules_per for name in COUNTED), len(law.joules_per)


def _from_rated_power(thread_watts: float) -> Law:
    low, high = FIT_BAND
    idle = IDLE_FACTOR * thread_watts
    full = idle + BUSY_FACTOR * thread_watts
    ends = ((low * idle, idle, high * idle), (low * full, full, high * full))
    return from_watts(SOURCE, f"rated power, {thread_watts:.3g} W per thread in CodeCarbon's table", *ends)


def _from_servers(processor: Processor) -> Law:
    found, by = table.find_generations(processor, table.read_table())
    idle = table.envelope(_per_thread(processor, each, each.idle_watts) for each in found)
    full = table.envelope(_per_thread(processor, each, each.full_watts) for each in found)
    core = WHOLE_CORE if processor.virtual else (1.0, 1.0, 1.0)
    names = found[0].name if len(found) == 1 else f"{len(found)} generations"
    # How much another load differs from a straight line is no matter of chance: it is not added as one.
    return from_watts(
        SOURCE,
        f"servers of {names} in SPECpower_ssj2008, known by {by}",
        _times(_spread(idle, IDLE_SHARE, core), SHAPE),
        _times(_spread(full, FULL_SHARE, core), SHAPE),
    )


def _per_thread(processor: Processor, generation: table.Generation, watts: Ends) -> Ends:
    """Return the watts of a thread of this machine: of a whole core where it runs one thread on each."""
    alone = processor.threads_per_core == 1 and not processor.virtual
    low, middle, high = watts
    threads = generation.threads_per_core if alone else 1
    return threads * low, threads * middle, threads * high


def _times(watts: Ends, factor: Ends) -> Ends:
    return watts[0] * factor[0], watts[1] * factor[1], watts[2] * factor[2]


def _spread(watts: Ends, *factors: Ends) -> Ends:
    """Return a figure times factors; independent errors add as the squares of their logarithms."""
    middle = math.prod((watts[1], *(factor[1] for factor in factors)))
    each = (watts, *factors)
    down = math.hypot(*(math.log(one[1] / one[0]) for one in each))
    up = math.hypot(*(math.log(one[2] / one[1]) for one in each))
    return middle * math.exp(-down), middle, middle * math.exp(up)


def table_watts(name: str) -> float | None:
    """Look up the rated power (W) of one socket in CodeCarbon's table; None if it is not there."""
    if not name:
        return None
    with silence():
        from codecarbon.core.cpu import TDP

        # Not by its constructor, which makes up 4 W per thread for what it does not find.
        watts = TDP.__new__(TDP)._get_cpu_power_from_registry(name)
    return float(watts) if watts else None
