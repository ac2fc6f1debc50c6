"""What the meters cost: in the background, at a window's edges, at the start, and in wall time.

    python -m tests.audit.overhead                 # about five minutes
    python -m tests.audit.overhead --train 20      # also whole trainings, in 20 pairs with and without meters

Machines are shared and drift, so a time alone says little. What is compared runs within seconds of each
other, the order changes, and what is printed has its 95 % interval, beside a comparison of nothing with
nothing that shows how much this machine can tell.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Iterable, Iterator

import energy
from energy.measuring.window import Window
from tests.audit import meter_cost
from tests.audit.spread import micros, millis, ratio, share

RECIPE = {"epochs": 4, "batch_size": 8}
BLOCK_SECONDS = 1.0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=30.0, help="of waiting for each background figure")
    parser.add_argument("--rounds", type=int, default=30, help="of work with and without meters")
    parser.add_argument("--train", type=int, default=0, metavar="PAIRS", help="of whole trainings")
    parser.add_argument("--arch", default="attention_squeeze_unet", help="the network to train")
    arguments = parser.parse_args()
    if arguments.rounds < 2 or arguments.train == 1:
        parser.error("an interval needs 2 rounds or pairs at least")
    with meter_cost.sensors() as simulated:
        print(f"simulated, because this machine has none: {', '.join(simulated) or 'nothing'}")
        for name, figure, aim in rows(arguments.seconds, arguments.rounds, bool(simulated)):
            print(f"{name:<52} {figure:<50} {aim}".rstrip(), flush=True)
    if arguments.train:
        train(arguments.arch, arguments.train)


def rows(seconds: float, rounds: int, simulated: bool) -> Iterator[tuple[str, str, str]]:
    """Yield the table: what, how much, and what it is meant to be."""
    with energy.open_meters() as meters:
        names = [meter.name for meter in meters]
        for work, title in (
            (meter_cost.outside_python, "compiled work"),
            (meter_cost.in_python, "Python work"),
        ):
            blocks = meter_cost.blocks(meters, work, rounds, BLOCK_SECONDS)
            for what in ("wall", "cpu"):
                metered, bare = zip(*(each.logs(what) for each in blocks), strict=True)
                yield f"{title}, {what} time, metered / bare", ratio(metered), "aim: below 1.005"
                yield "  bare / bare", ratio(bare), "what this machine can tell"
    background = share(meter_cost.background_share(",".join(names), seconds))
    yield f"background, {', '.join(names)}", background, "aim: below 0.5 %"
    for name in names:
        yield f"  {name} alone", share(meter_cost.background_share(name, seconds / 3)), ""
    fast = [name for name in names if name != "codecarbon"]
    yield (
        f"one reading, {', '.join(fast)}",
        micros(meter_cost.edge_seconds(",".join(fast))),
        "aim: below 50 µs",
    )
    for name in fast:
        yield f"  {name} alone", micros(meter_cost.edge_seconds(name)), ""
    if simulated:
        yield "  the simulated GPU itself", micros(meter_cost.simulated_gpu_seconds()), ""
    yield "import energy", millis(meter_cost.import_seconds()), "aim: below 150 ms"
    if starts := meter_cost.codecarbon_start_seconds():
        yield "CodeCarbon's first start, before any window", millis(starts), ""


def train(arch: str, pairs: int) -> None:
    """Train the same case with and without all meters, in interleaved pairs (AB, BA, ...)."""
    import fixtures
    import zoo
    from energy.measuring import machine

    slices = fixtures.load("phantom", 64)
    recipe = zoo.recipe(arch, threads=machine.physical_cores(), **RECIPE)
    zoo.train(recipe, slices)  # warm: files in the page cache, kernels chosen
    logs = []
    for pair in range(pairs):
        order = (True, False) if pair % 2 else (False, True)
        walls = {metered: _trained(lambda: zoo.epochs(recipe, slices), metered) for metered in order}
        logs.append(math.log(walls[True] / walls[False]))
    what = f"{recipe.epochs} epochs of {len(slices.train)} slices, {arch}, metered / bare"
    print(f"{what:<52} {ratio(logs)}")


def _trained(epochs: Callable[[], Iterable[object]], metered: bool) -> float:
    """Return the wall seconds of one training, billed as a case of the suite would be.

    Both ways open the meters and wait first, so that what is timed begins in the same state.
    """
    with energy.open_meters(gpus=()) as meters:
        if not metered:
            energy.close(meters)
        time.sleep(meter_cost.SETTLING_SECONDS)
        start = time.perf_counter()
        if not metered:
            for _ in epochs():
                pass
            return time.perf_counter() - start
        with Window(meters) as window:
            for _ in epochs():
                window.mark("epoch")
        return time.perf_counter() - start


if __name__ == "__main__":
    main()
