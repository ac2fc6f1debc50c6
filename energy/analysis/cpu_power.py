"""Fit what a processor draws to what it did: joules of a counter against the signals of known work.

    joules = idle_watts x threads x seconds + sum of joules_per x signal

by least squares of the relative error, with no coefficient below 0 (Lawson and Hanson, Solving Least Squares
Problems, 1974: a processor gives no energy back). `energy/commands/calibrate.py` measures the work.

How wrong such a law is, is told by the loads that it was not fitted to: each load is left out in turn and
predicted from the others, and the extremes of truth over prediction are the band. To them comes the error of
the counter.

The block `cpu_power` of the file `noise.json`:

    {"processor": {"vendor": "..", "family": .., "model": .., "stepping": ..}, "threads": ..,
     "laws": [{"source": "..", "origin": "..", "idle_watts_per_thread": [least, figure, most],
               "joules_per": {signal: [least, figure, most]}}, ..],
     "unfitted": {source: why this law could not be fitted},
     "windows": [{"load": "..", "seconds": .., "joules": .., "signals": {..}}, ..]}
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

COUNTER_GAIN = (0.9, 1.1)  # of RAPL's packages; see its meter
CPU_SECONDS = "cpu_seconds"
LEAST_LOADS = 3  # one to be left out, and two of which a line can be drawn


@dataclass(frozen=True)
class Worked:
    """One window of known work.

    Args:
        load: its name; windows of one load are left out together.
        seconds: how long it took.
        joules: what a counter of the processor measured.
        signals: what was done: CPU seconds, instructions, multiply-accumulates ...
    """

    load: str
    seconds: float
    joules: float
    signals: Mapping[str, float]

    def as_json(self) -> dict[str, Any]:
        """Return the window as it stands in the file."""
        return asdict(self) | {"signals": dict(self.signals)}


def fit_law(
    source: str, windows: Sequence[Worked], names: Collection[str], threads: int, origin: str
) -> dict[str, Any]:
    """Return the law of these signals, as the file has it.

    Args:
        source: its name in records.
        windows: of several loads.
        names: of the signals; one that no window has is left out.
        threads: hardware threads of the machine.
        origin: what was fitted to what, in words.

    Raises:
        ValueError: these loads do not tell the coefficients apart.
    """
    signals = [name for name in names if any(window.signals.get(name) for window in windows)]
    loads = list(dict.fromkeys(window.load for window in windows))
    if len(loads) < LEAST_LOADS:
        raise ValueError(
            f"{len(loads)} loads: expected {LEAST_LOADS} or more, of which one is left out in turn"
        )
    coefficients = _solve(windows, signals, threads)
    ratios = [ratio for load in loads for ratio in _left_out(windows, load, signals, threads)]
    low, high = min(1.0, *ratios) * COUNTER_GAIN[0], max(1.0, *ratios) * COUNTER_GAIN[1]
    idle, *per = ([low * each, each, high * each] for each in coefficients)
    joules_per = dict(zip(signals, per, strict=True))
    return {"source": source, "origin": origin, "idle_watts_per_thread": idle, "joules_per": joules_per}


def _left_out(windows: Sequence[Worked], load: str, signals: Sequence[str], threads: int) -> list[float]:
    """Return truth over prediction of the windows of a load, predicted from all others."""
    others = [window for window in windows if window.load != load]
    coefficients = _solve(others, signals, threads)
    left = [window for window in windows if window.load == load]
    predicted = [_predict(coefficients, window, signals, threads) for window in left]
    if min(predicted) <= 0:
        raise ValueError(
            f"without the load {load} nothing tells what it draws; measure more loads of its kind"
        )
    return [window.joules / joules for window, joules in zip(left, predicted, strict=True)]


def _row(window: Worked, signals: Sequence[str], threads: int) -> list[float]:
    return [threads * window.seconds, *(window.signals.get(name, 0.0) for name in signals)]


def _predict(coefficients: Sequence[float], window: Worked, signals: Sequence[str], threads: int) -> float:
    row = _row(window, signals, threads)
    return sum(each * amount for each, amount in zip(coefficients, row, strict=True))


def _solve(windows: Sequence[Worked], signals: Sequence[str], threads: int) -> list[float]:
    """Return idle watts per thread, and the joules of one unit of each signal."""
    import numpy as np
    from scipy.optimize import nnls

    rows = np.array([_row(window, signals, threads) for window in windows])
    relative = rows / np.array([window.joules for window in windows])[:, None]
    scale = np.linalg.norm(relative, axis=0)
    if not scale.all() or np.linalg.matrix_rank(relative / scale) < relative.shape[1]:
        raise ValueError(f"these loads do not tell {', '.join(['idle power', *signals])} apart")
    found, _ = nnls(relative / scale, np.ones(len(windows)))
    return [float(each) for each in found / scale]
