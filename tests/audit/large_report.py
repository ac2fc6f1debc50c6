"""Time the largest report that is promised to be fast: 5 machines of 800 cases each, 3 seeds, 20 epochs.

Run from the checkout; the results are made in a temporary folder and removed again:

    python -m tests.audit.large_report                # three times, as a user would
    python -m tests.audit.large_report --keep DIR     # and leave results and page there

What is promised: the page takes less than 10 s to make and less than 5 MB, and a browser less than 3 s until
it can be used. Seen on two virtual cores of an EPYC: 5.4 to 8.0 s by the hour, 4.79 MB, and 1.3 to 1.9 s in
Chromium; the first page of a fresh clone, its files not yet in memory, takes one or two seconds more.
"""

from __future__ import annotations

import argparse
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from energy.records.storage.store import Store
from tests.simulated import reports
from tests.simulated.records import run

ROOT = Path(__file__).parents[2]
CASES, EPOCHS, TIMES = 800, 20, 3
MACHINES = {
    "a100-400w-0001": ("NVIDIA A100-SXM4-40GB", 400.0, "measured", 3.0),
    "epyc-96c-0002": (None, 0.0, "modelled", 9.0),
    "h200-700w-0003": ("NVIDIA H200", 700.0, "measured", 1.0),
    "l4-72w-0004": ("NVIDIA L4", 72.0, "mixed", 2.5),
    "rtx3090-350w-0005": ("NVIDIA GeForce RTX 3090", 350.0, "mixed", 4.0),
}


def main() -> None:
    """Make the results, and print how long the page takes and how large it is."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--keep", type=Path, metavar="DIR", help="a new folder for results and page")
    args = parser.parse_args()
    folder = args.keep or Path(tempfile.mkdtemp(prefix="joulebench-large-"))
    try:
        fill(folder / "results")
        held = sum(path.stat().st_size for path in folder.glob("results/*/*.json"))
        print(f"{len(MACHINES)} machines x {CASES} cases, {held / 1e6:.0f} MB")
        for number in range(1, TIMES + 1):
            wall, cpu, size = timed(folder)
            print(f"{number}: {wall:.1f} s, {cpu:.1f} s of CPU, {size / 1e6:.2f} MB", flush=True)
    finally:
        if args.keep is None:
            shutil.rmtree(folder)


def fill(root: Path) -> None:
    """Write a run of each machine: cases with all that charts show, their figures drawn from a seed."""
    for fingerprint, (gpu, watts, kind, factor) in MACHINES.items():
        chance = random.Random(fingerprint)
        told = reports.cases(kind, factor)
        told += [_drawn(number, kind, factor, chance) for number in range(CASES - len(told))]
        made = run(told, fingerprint)
        gpus = [{"name": gpu, "power_limit_watts": watts}] if gpu else []
        made["energy"]["hardware"] = {"gpus": gpus, "cpu": "AMD EPYC 9654", "cores": 96}
        Store(root).write(made)


def _drawn(number: int, kind: str, factor: float, chance: random.Random) -> dict[str, object]:
    """Return a case of a network and a technique of its own."""
    kj = factor * 10 ** chance.uniform(-0.5, 1.5)
    dice = chance.uniform(0.6, 0.92)
    repeats = [chance.gauss(1, 0.02) for _ in range(3)]
    made = reports.trained(
        f"net{number % 40:02}-tech{number // 40:02}",
        [min(1.0, dice * repeat) for repeat in repeats],
        [kj * repeat for repeat in repeats],
        kind,
    )
    made["epochs"] = [_epochs(kj * repeat, dice, chance) for repeat in repeats]
    return made


def _epochs(kj: float, dice: float, chance: random.Random) -> list[dict[str, float]]:
    return [
        {
            "epoch": epoch,
            "joules": 1000 * kj / EPOCHS * chance.gauss(1, 0.05),
            "seconds": 10 * kj / EPOCHS,
            "loss": 1 / epoch,
            "val_dice": dice * (1 - 0.8**epoch),
        }
        for epoch in range(1, EPOCHS + 1)
    ]


def timed(folder: Path) -> tuple[float, float, int]:
    """Return seconds and CPU seconds of the command in a process of its own, and the bytes of its page."""
    page = folder / "report.html"
    before, began = _cpu_seconds(), time.monotonic()
    command = [sys.executable, "-m", "energy", "report", str(folder / "results"), "-o", str(page)]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - began, _cpu_seconds() - before, page.stat().st_size


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
