"""What the meters cost: the same training with and without them, in interleaved pairs.

    python -m benchmarks.overhead --pairs 20

Machines are shared and drift, so a time alone says little: each pair runs both ways within seconds of each
other, the order turns from pair to pair (AB, BA, ...), and what is printed is the mean ratio with its spread.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time

from scipy import stats

import energy
import fixtures
import zoo
from energy import machine
from energy.window import Window

RECIPE = {"epochs": 4, "batch_size": 8}
# In the suite, meters have long been open when a case begins; CodeCarbon lets nobody read within 55 ms.
SETTLING_SECONDS = 0.1


def main() -> None:
    """Run the pairs and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--arch", default="attention_squeeze_unet", choices=zoo.architectures())
    parser.add_argument("--meters", default="auto", help="as --energy-meters")
    arguments = parser.parse_args()
    if arguments.pairs < 2:
        parser.error(f"--pairs {arguments.pairs}: a spread needs 2 or more")

    slices = fixtures.load("phantom", 64)
    recipe = zoo.recipe(arguments.arch, threads=machine.physical_cores(), **RECIPE)
    zoo.train(recipe, slices)  # warm: files in the page cache, kernels chosen
    wall, cpu = [], []
    for pair in range(arguments.pairs):
        order = (True, False) if pair % 2 else (False, True)
        runs = {metered: run(recipe, slices, metered, arguments.meters) for metered in order}
        wall.append(math.log(runs[True][0] / runs[False][0]))
        cpu.append(math.log(runs[True][1] / runs[False][1]))
    print(
        f"{arguments.pairs} pairs of {arguments.arch}, {recipe.epochs} epochs of {len(slices.train)} slices"
    )
    print(f"wall time, metered / bare: {ratio(wall)}")
    print(f"CPU time,  metered / bare: {ratio(cpu)}")


def run(recipe: zoo.Recipe, slices: fixtures.Slices, metered: bool, meters: str) -> tuple[float, float]:
    """Train once; return wall and CPU seconds of the training, as a case of the suite would be billed.

    Both ways open the meters and wait first, so that what is timed begins in the same state.
    """
    opened = energy.open_meters(meters, gpus=())
    try:
        if not metered:
            energy.close(opened)
        time.sleep(SETTLING_SECONDS)
        return timed(recipe, slices, opened if metered else None)
    finally:
        energy.close(opened)


def timed(recipe: zoo.Recipe, slices: fixtures.Slices, meters: energy.Meters | None) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    if meters is None:
        for _ in zoo.epochs(recipe, slices):
            pass
    else:
        with Window(meters) as window:
            for _ in zoo.epochs(recipe, slices):
                window.mark("epoch")
    return time.perf_counter() - wall, time.process_time() - cpu


def ratio(logs: list[float]) -> str:
    """Say the mean ratio of the pairs, its 95 % interval (Student's t on logarithms) and the spread.

    >>> ratio([0.0, 0.0, 0.0])
    '1.0000, 95 % interval 1.0000 to 1.0000; single pairs 1.000 to 1.000'
    """
    mean, error = statistics.fmean(logs), stats.sem(logs)
    half = stats.t.ppf(0.975, len(logs) - 1) * error
    low, middle, high = (math.exp(value) for value in (mean - half, mean, mean + half))
    return (
        f"{middle:.4f}, 95 % interval {low:.4f} to {high:.4f}; "
        f"single pairs {math.exp(min(logs)):.3f} to {math.exp(max(logs)):.3f}"
    )


if __name__ == "__main__":
    main()
