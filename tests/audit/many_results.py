"""Time `list`, `compare` and `history` on a results folder of years: 1,000 files of 800 cases each.

Run from the checkout; the files are made in a temporary folder and removed again:

    python -m tests.audit.many_results                             # 1,000 files x 800 cases, records of 2 kB
    python -m tests.audit.many_results --files 100 --full          # records as long as a real run writes them

"cold" is without the index, which the first `list` makes; the start of a process is in all figures. Seen on
one core of a Xeon, in seconds of CPU (the machine had other work, which makes wall time say nothing):

    command                            1,000 files, 2.7 kB a case   100 files, 16 kB a case
    list, cold                                   78                          34
    list                                         2.2                         0.3
    history of one case                          3.4                         0.8
    history of all 800 cases                    13                           1.6
    compare of two files                         1.6                         1.8
    compare of two files, cold                   3.1                         9.3
    size of the index                         44 MB of 2.2 GB              5 MB of 1.3 GB

With 5,000 files of 4 cases (--files 5000 --cases 4): list, cold 5.2; list 0.56; history of one case 0.9.

The history of all cases searches 800 series of 1,000 points each for changes, exactly, in quadratic time; a
project whose software key changes now and then has shorter ones.
"""

from __future__ import annotations

import argparse
import copy
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "results" / "xeon-2c-cpu-fc60" / "0002_3760d3b3.json"
LONG_FIELDS = ("epochs", "setup", "faults", "recipe", "data", "machine", "domains")
METRICS = ("dice", "total_kj", "kj_per_epoch", "seconds")
MARKS = {"total_kj": 111.125, "kj_per_epoch": 222.25, "dice": 0.8125, "seconds": 333.5}
NOISE = 0.01


def main() -> None:
    """Make the files, time the commands, print a line for each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--cases", type=int, default=800)
    parser.add_argument("--full", action="store_true", help="records as long as a real run writes them")
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="joulebench-many-"))
    try:
        size = sum(map(len, _write(folder, args.files, args.cases, args.full)))
        each = size / args.files / args.cases
        print(f"{args.files} files x {args.cases} cases, {each:.0f} bytes a case, {size / 1e9:.2f} GB in all")
        for line in _timed(folder):
            print(line, flush=True)
    finally:
        shutil.rmtree(folder)


def _write(folder: Path, files: int, cases: int, full: bool) -> Iterator[str]:
    """Write the files and yield their texts; every figure is drawn, one case has a step of 5 % midway."""
    template = _template(full)
    draw = np.random.default_rng(0)
    machine = folder / "results" / template["energy"]["fingerprint"]
    machine.mkdir(parents=True)
    record = json.dumps(template["benchmarks"][0], indent=1 if full else None)
    del template["benchmarks"]
    for number in range(files):
        day = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=8 * number)
        head = template | {"datetime": day.isoformat()}
        head["commit_info"] = head["commit_info"] | {"id": f"{number:040x}", "dirty": False}
        session = draw.normal(1, 0.03)
        steps = (1.05 if case == 0 and number >= files // 2 else 1.0 for case in range(cases))
        records = [_drawn(record, case, session * step, draw) for case, step in enumerate(steps)]
        joined = ",\n".join(records)
        text = f'{json.dumps(head)[:-1]}, "benchmarks": [{joined}]}}\n'
        (machine / f"{number + 1:04}_{number:08x}.json").write_text(text, encoding="utf-8")
        yield text


def _template(full: bool) -> dict[str, Any]:
    """Return a run of one case, whose figures and name are marks to be replaced."""
    run: dict[str, Any] = json.loads(SAMPLE.read_text(encoding="utf-8"))
    benchmark = copy.deepcopy(run["benchmarks"][0])
    record = benchmark["extra_info"]["energy"]
    if not full:
        record["metrics"] = {name: record["metrics"][name] for name in METRICS}
        short = {"epochs": [], "recipe": {}, "machine": {}, "domains": record["domains"][:1]}
        record |= {name: short[name] for name in LONG_FIELDS if name in short}
        for name in LONG_FIELDS:
            if name not in short:
                record.pop(name, None)
    for name, mark in MARKS.items():
        record["metrics"][name] |= {"values": [mark], "mean": mark, "ci95": None}
    record["keys"]["case"] = "KEY"
    text = json.dumps(benchmark).replace(record["case"], "net@-baseline").replace("KEY", "key@")
    return run | {"benchmarks": [json.loads(text)]}


def _drawn(record: str, case: int, factor: float, draw: np.random.Generator) -> str:
    """Return a record with a name and figures of its own."""
    for mark in MARKS.values():
        record = record.replace(str(mark), repr(float(mark * factor * draw.normal(1, NOISE))))
    return record.replace("@", f"{case:03}")


def _timed(folder: Path) -> Iterator[str]:
    """Yield the seconds of each command, cold and warm."""
    runs = sorted((folder / "results").glob("*/*.json"))
    first, last = (str(path.relative_to(folder)) for path in (runs[0], runs[-1]))
    yield f"{'list, cold':28} {_seconds(folder, ['list'])}"
    index = sum(path.stat().st_size for path in (folder / "results" / ".index").iterdir())
    yield f"{'  size of the index':28} {index / 1e6:.0f} MB"
    for name, command in {
        "list": ["list"],
        "history net000-baseline": ["history", "net000-baseline"],
        "history of all cases": ["history"],
        "compare first and last": ["compare", first, last],
    }.items():
        yield f"{name:28} {_seconds(folder, command)}"
    shutil.rmtree(folder / "results" / ".index")
    yield f"{'compare two files, cold':28} {_seconds(folder, ['compare', first, last])}"


def _seconds(folder: Path, command: list[str]) -> str:
    """Say how long a command takes as a process of its own, and how much of a core."""
    before, began = _cpu_seconds(), time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "energy", *command],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "", "OMP_NUM_THREADS": "1"},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    wall, cpu = time.monotonic() - began, _cpu_seconds() - before
    return f"{cpu:6.1f} s of CPU {wall:8.1f} s"


def _cpu_seconds() -> float:
    """Return the CPU time of all commands so far; other work on the machine does not add to it."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
