"""What the meters cost, piece by piece; `tests.audit.overhead` prints it.

Where this machine has no GPU or no RAPL, a simulated one stands in: its counters move, so the meters do all
their work, but what the driver would take is missing, and what the simulation takes is in the figures.
"""

from __future__ import annotations

import hashlib
import math
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import energy
from energy.meters import Meters, codecarbon, nvml, rapl
from energy.meters._watch import claims
from tests.simulated.machine import Constant, Machine
from tests.simulated.nvml import Gpu, Library
from tests.simulated.powercap import SERVER, Powercap

SETTLING_SECONDS = 0.1  # CodeCarbon lets nobody read within 55 ms of the last time
UNIT_STEPS = 20_000  # of the fixed pieces of work: a millisecond or so
UNIT_BYTES = bytes(500_000)
Work = Callable[[], object]
# Moves the counters of the files given as a driver would, in place: no reader ever finds half a number.
FEEDER = """
import os, sys, time
files = [os.open(path, os.O_RDWR) for path in sys.argv[1:]]
counts = [int(os.pread(file, 32, 0)) for file in files]
while os.getppid() != 1:
    time.sleep(0.25)
    for number, file in enumerate(files):
        counts[number] += 25_000_000
        os.pwrite(file, b"%020d" % counts[number], 0)
"""


@dataclass(frozen=True)
class Spent:
    """What a block of work took: on the clock, and of all threads of this process on the CPUs."""

    wall_seconds: float
    cpu_seconds: float


@dataclass(frozen=True)
class Round:
    """Three blocks of the same work, which follow each other."""

    metered: Spent
    bare: Spent
    again: Spent

    def logs(self, what: str) -> tuple[float, float]:
        """Return the logarithms of metered over bare and of bare over bare, of "wall" or "cpu"."""
        metered, bare, again = (
            getattr(each, f"{what}_seconds") for each in (self.metered, self.bare, self.again)
        )
        return math.log(metered / bare), math.log(again / bare)


@contextmanager
def sensors() -> Iterator[tuple[str, ...]]:
    """Let the meters find a GPU and RAPL, simulated if need be; yields what is simulated."""
    with tempfile.TemporaryDirectory() as folder:
        simulated: tuple[str, ...] = ()
        if not nvml.diagnose().works:
            sys.modules["pynvml"] = simulated_gpu()
            simulated += ("one GPU",)
        feeder = None
        if not rapl.diagnose().works:
            feeder = _powercap(Path(folder))
            simulated += ("RAPL of two packages with DRAM",)
        if simulated:
            claims.FOLDER = Path(folder) / "claims"  # nobody else on this machine bills these devices
        try:
            yield simulated
        finally:
            if feeder is not None:
                feeder.kill()
                feeder.wait()


def simulated_gpu() -> Library:
    """Return the library of a board that draws 300 W in real time."""
    machine = Machine()
    machine.now = time.monotonic
    return Library(machine, [Gpu(shape=Constant(300.0))])


def simulated_gpu_seconds(times: int = 2000) -> list[float]:
    """Return how long the simulated library itself takes for the two answers that a reading asks for."""
    library = simulated_gpu()
    library.nvmlInit()
    board = library.nvmlDeviceGetHandleByIndex(0)

    def ask() -> None:
        library.nvmlDeviceGetTotalEnergyConsumption(board)
        library.nvmlDeviceGetFieldValues(board, [186])  # nvml.h, NVML_FI_DEV_POWER_INSTANT

    return [_timed(ask) for _ in range(times)]


def _powercap(folder: Path) -> subprocess.Popen[bytes]:
    Powercap(folder, Machine(), SERVER)
    files = [str(path) for path in folder.glob("*/energy_uj")]
    rapl.open.__kwdefaults__["root"] = folder
    return subprocess.Popen([sys.executable, "-c", FEEDER, *files])


def background_share(names: str, seconds: float, parts: int = 10) -> list[float]:
    """Return the share of one core that polling takes, for each of so many parts of the time.

    It is the CPU time of this process without that of the thread which waits here.
    """
    with energy.open_meters(names) as meters:
        time.sleep(SETTLING_SECONDS)
        shares = [_share(seconds / parts) for _ in range(parts)]
        if meters.sampler.polls == 0:
            raise RuntimeError(f"{names}: nothing was polled, so nothing was measured")
    return shares


def _share(seconds: float) -> float:
    wall, cpu = time.perf_counter(), time.process_time() - time.thread_time()
    time.sleep(seconds)
    return (time.process_time() - time.thread_time() - cpu) / (time.perf_counter() - wall)


def blocks(meters: Meters, work: Work, rounds: int, block_seconds: float) -> list[Round]:
    """Run the same work three times within seconds, once with meters, in random order; so many times."""
    units = max(1, round(block_seconds / _unit_seconds(work)))
    order = random.Random(0)
    meters.sampler.stop()
    return [_round(meters, work, units, order) for _ in range(rounds)]


def _round(meters: Meters, work: Work, units: int, order: random.Random) -> Round:
    arms = ["metered", "bare", "again"]
    order.shuffle(arms)
    spent = {arm: _block(meters if arm == "metered" else None, work, units) for arm in arms}
    return Round(spent["metered"], spent["bare"], spent["again"])


def _block(meters: Meters | None, work: Work, units: int) -> Spent:
    if meters is not None:
        meters.sampler.start()
    time.sleep(SETTLING_SECONDS)
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(units):
        work()
    spent = Spent(time.perf_counter() - wall, time.process_time() - cpu)
    if meters is not None:
        meters.sampler.stop()
    return spent


def in_python() -> int:
    """Do a fixed piece of work that holds Python's lock, which polling needs too: the worst case."""
    total = 0
    for step in range(UNIT_STEPS):
        total += step * step
    return total


def outside_python() -> bytes:
    """Do a fixed piece of work that gives Python's lock back meanwhile, as the kernels of a network do."""
    return hashlib.sha256(UNIT_BYTES).digest()


def _unit_seconds(work: Work) -> float:
    return statistics.median(_timed(work) for _ in range(50))


def edge_seconds(names: str, times: int = 2000) -> list[float]:
    """Return how long each of so many readings of these meters took."""
    with energy.open_meters(names) as meters:
        time.sleep(SETTLING_SECONDS)
        return [_timed(lambda: energy.read(meters)) for _ in range(times)]


def import_seconds(times: int = 15) -> list[float]:
    """Return how long `import energy` took in so many new processes, the first of which is not counted."""
    code = "import time; start = time.perf_counter(); import energy; print(time.perf_counter() - start)"
    return [_asked(code) for _ in range(times + 1)][1:]


def codecarbon_start_seconds(times: int = 3) -> list[float]:
    """Return how long CodeCarbon's first start took in so many new processes."""
    code = (
        "import time; from energy.meters import codecarbon; start = time.perf_counter(); "
        "meter = codecarbon.open(()); print(time.perf_counter() - start); meter.close()"
    )
    return [_asked(code) for _ in range(times)] if codecarbon.diagnose(()).works else []


def _timed(work: Work) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _asked(code: str) -> float:
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout)
