"""Work whose amount is known: what `calibrate --fit` measures, and the small programs that do it.

    python -m energy.commands._known_work matmul 5      # for five seconds; prints what it has done, as JSON

A program of somebody else's does as well: one that prints as its last line how much of each signal it has
done, such as {"macs_bf16": 1.2e12, "bytes_moved": 3.0e9}.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from energy.commands import UsageError
from energy.text import parse_json

SIDE = 512  # of matrices whose product takes milliseconds, and that no cache of one core holds all of
COPIED_BYTES = 2**27  # far beyond any last-level cache share of one core
# One thread each: how many work at once is what is asked for.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Load:
    """Known work: its name, and the command lines that do it side by side."""

    name: str
    lines: tuple[Sequence[str] | str, ...]


def list_loads(seconds: float, threads: int, others: Sequence[str] = ()) -> list[Load]:
    """Return the loads to fit to: each on one thread, on half of them and on all; then those of the user."""
    several = sorted({1, max(1, threads // 2), threads})
    own = [
        Load(f"{name} x {count}", ([sys.executable, "-m", __name__, name, str(seconds)],) * count)
        for name in KINDS
        for count in (several if name != "rest" else [1])
    ]
    return [*own, *(Load(line, (line,)) for line in others)]


def do_work(load: Load) -> dict[str, float]:
    """Do the work of a load, and return how much of each signal it was.

    Raises:
        UsageError: a program failed, or did not say what it has done.
    """
    environment = os.environ | ONE_THREAD
    running = [
        subprocess.Popen(  # noqa: S603 -- our own programs, and the user's own command lines
            line,
            shell=isinstance(line, str),
            stdout=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            env=environment,
        )
        for line in load.lines
    ]
    try:
        printed = [process.communicate()[0] for process in running]
    except BaseException:
        for process in running:
            process.kill()
        raise
    if any(process.returncode for process in running):
        raise UsageError(
            f"--known-work {load.name!r} ended with exit code {max(p.returncode for p in running)}"
        )
    done: dict[str, float] = {}
    for text in printed:
        for name, amount in _read_amounts(load.name, text).items():
            done[name] = done.get(name, 0.0) + amount
    return done


def _read_amounts(name: str, text: bytes) -> Mapping[str, float]:
    lines = text.decode(errors="replace").strip().splitlines()
    try:
        return {str(signal): float(amount) for signal, amount in parse_json(lines[-1]).items()}
    except (IndexError, ValueError, AttributeError, TypeError):
        last = lines[-1] if lines else "nothing"
        raise UsageError(
            f"--known-work {name!r} printed {last!r} at its end; expected what it has done, such as "
            '{"macs_bf16": 1.2e12}'
        ) from None


def _until(seconds: float) -> Iterator[int]:
    """Yield 1, 2, ... until the time is over."""
    started, number = time.monotonic(), 0
    while time.monotonic() - started < seconds:
        number += 1
        yield number


def _rest(seconds: float) -> dict[str, float]:
    time.sleep(seconds)
    return {}


def _hash(seconds: float) -> dict[str, float]:
    """Integer work in registers: CPU time, and neither products nor memory."""
    for _ in _until(seconds):
        hashlib.pbkdf2_hmac("sha256", b"joulebench", b"known work", 10_000)
    return {}


def _matmul(seconds: float) -> dict[str, float]:
    import numpy as np

    one = np.full((SIDE, SIDE), 0.5, np.float32)
    out = np.empty_like(one)
    number = 0
    for number in _until(seconds):  # noqa: B007 -- how many there were is the result
        np.matmul(one, one, out=out)
    return {"macs_fp32": float(number) * SIDE**3}


def _copy(seconds: float) -> dict[str, float]:
    import numpy as np

    source = np.zeros(COPIED_BYTES, np.uint8)
    target = np.ones_like(source)
    number = 0
    for number in _until(seconds):  # noqa: B007 -- how many there were is the result
        np.copyto(target, source)
    return {"bytes_moved": 2.0 * number * COPIED_BYTES}  # read and written


KINDS: Mapping[str, Callable[[float], dict[str, float]]] = {
    "rest": _rest,
    "hash": _hash,
    "matmul": _matmul,
    "copy": _copy,
}

if __name__ == "__main__":
    print(json.dumps(KINDS[sys.argv[1]](float(sys.argv[2]))))
