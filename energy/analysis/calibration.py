"""What an A/A run says of the noise: the same work under two labels, so that whatever differs is noise.

`energy/commands/calibrate.py` measures; here are the statistics, on logarithms, because noise is relative.
Every metric is fitted by least squares as

    log(value) = constant + label + drift * time

in one go, so that neither a machine that warms up passes for a difference between A and B, nor the other way
round. Its residuals have n - 3 degrees of freedom. Blocks of ABBA or BAAB, drawn at random, keep label and
time apart (D. R. Cox, Planning of Experiments, Wiley 1958, chapter 14: order balanced against a trend).

The noise is that within one run on one day: another day, room or driver may add to it, never take from it.

The file `results/FINGERPRINT/noise.json` (schema 1; null is unknown, and `reason` says why):

    {"schema": 1, "fingerprint": "..", "date": "ISO 8601", "suite_version": "..", "meters": ["..", ..],
     "work": {"description": "..", "command": ".."|null, "seconds": mean seconds of a window},
     "order": "ABBABAAB..",
     "flags": {flag: number of windows that have it},
     "idle": {"seconds": .., "watts": {"total": .., "cpu": .., ..}, "flags": [..]},
     "self_cost": {"cpu_share": CPU seconds per second that the meters take, while the machine waits,
                   "reading_seconds": median time to read all meters once,
                   "threads": threads of this process while it measures},
     "metrics": {"total_kj"|"gpu_kj"|"cpu_kj"|"ram_kj"|"seconds"|"mean_watts":
         {"unit": "kJ"|"s"|"W", "kind": "measured"|"modelled"|"mixed"|null, "sources": ["..", ..],
          "n": number of windows, "mean": arithmetic mean,
          "noise": relative noise of one window: standard deviation of the logarithms, drift included,
          "noise_ci95": [low, high], by the chi-squared distribution,
          "drift": relative change from the first window to the last, "drift_ci95": [low, high],
          "a_to_b": ratio of the two labels, 1 but for noise, "a_to_b_ci95": [low, high],
          "detectable": {"3": .., "5": ..}: smallest relative increase that a t-test of so many runs before
                        and as many after finds (two-sided 5 %, power 80 %),
          "reason": null|".."}},
     "windows": [{"label": "A"|"B", "starts_seconds": since the first, "values": {metric: value|null},
                  "flags": [..]}, ..]}
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from energy.records.metrics import METRICS

SCHEMA = 1
METRIC_NAMES = ("total_kj", "gpu_kj", "cpu_kj", "ram_kj", "seconds", "mean_watts")
CONFIDENCE = 0.95
POWER = 0.80  # Cohen's convention (Statistical Power Analysis, 2nd edition 1988, section 2.4)
RUNS = (3, 5)  # how many runs people afford: the third study's three seeds, and a few more
LEAST_WINDOWS = 4  # three of them fix constant, label and drift; the fourth tells the noise


@dataclass(frozen=True)
class Measured:
    """One window of the A/A run.

    values: by metric, in its unit, as (value, None) or (None, reason).
    sources: by metric, the sources of its figure, each with its kind.
    """

    label: str
    starts_seconds: float
    values: Mapping[str, tuple[float | None, str | None]]
    sources: Mapping[str, Mapping[str, str]]
    flags: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the window as it stands in the file."""
        values = {name: value for name, (value, _) in self.values.items()}
        rest = {"starts_seconds": self.starts_seconds, "values": values, "flags": list(self.flags)}
        return {"label": self.label} | rest


@dataclass(frozen=True)
class MetricNoise:
    """What the windows say of one metric; the fields are those of the file."""

    unit: str
    kind: str | None
    sources: tuple[str, ...]
    n: int
    mean: float | None = None
    noise: float | None = None
    noise_ci95: tuple[float, float] | None = None
    drift: float | None = None
    drift_ci95: tuple[float, float] | None = None
    a_to_b: float | None = None
    a_to_b_ci95: tuple[float, float] | None = None
    detectable: Mapping[str, float] | None = None
    reason: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the noise as it stands in the file."""
        return asdict(self) | {"sources": list(self.sources)}


def draw_order(windows: int, coin: Callable[[], bool]) -> str:
    """Return the labels of so many windows, in blocks of ABBA or BAAB; a rest of two is AB or BA.

    >>> draw_order(10, iter([True, False, True]).__next__)
    'ABBABAABAB'

    Raises:
        ValueError: not an even number of at least 4.
    """
    if windows < LEAST_WINDOWS or windows % 2:
        raise ValueError(f"{windows} windows: expected an even number, {LEAST_WINDOWS} or more")
    blocks = ["ABBA" if coin() else "BAAB" for _ in range(windows // 4)]
    rest = ["AB" if coin() else "BA"] if windows % 4 else []
    return "".join([*blocks, *rest])


def measure_noise(name: str, windows: Sequence[Measured]) -> MetricNoise:
    """Say how noisy a metric is; one value that is unknown or not above 0 makes that unknown."""
    found = {pair for window in windows for pair in window.sources[name].items()}
    kinds = {kind for _, kind in found}
    kind = "mixed" if len(kinds) > 1 else next(iter(kinds), None)
    sources = tuple(sorted({source for source, _ in found}))
    begun = MetricNoise(METRICS[name].unit, kind, sources, len(windows))
    reason = _why_unknown([window.values[name] for window in windows])
    if reason:
        return replace(begun, reason=reason)
    values = [value for value, _ in (window.values[name] for window in windows) if value is not None]
    labels = [window.label for window in windows]
    seconds = [window.starts_seconds for window in windows]
    return replace(begun, **find_statistics(values, labels, seconds))


def find_statistics(
    values: Sequence[float], labels: Sequence[str], seconds: Sequence[float]
) -> dict[str, Any]:
    """Return mean, noise, drift, ratio of the labels and what can be detected, as fields of `Noise`.

    Args:
        values: above 0, one per window.
        labels: "A" or "B" of each window.
        seconds: when each window began.
    """
    logs = [math.log(value) for value in values]
    noise = statistics.stdev(logs)
    label, drift = _fit(logs, labels, seconds)
    return {
        "mean": statistics.fmean(values),
        "noise": noise,
        "noise_ci95": _sd_interval(noise, len(logs)),
        "drift": math.expm1(drift[0]),
        "drift_ci95": (math.expm1(drift[1]), math.expm1(drift[2])),
        "a_to_b": math.exp(label[0]),
        "a_to_b_ci95": (math.exp(label[1]), math.exp(label[2])),
        "detectable": {str(runs): math.expm1(detectable_shift(noise, runs)) for runs in RUNS},
    }


def detectable_shift(noise: float, runs: int, power: float = POWER) -> float:
    """Return the least shift that a two-sided 5 % t-test of `runs` against `runs` finds with this power.

    The test statistic of shifted samples follows Student's noncentral t; the shift has the unit of `noise`,
    which is the standard deviation of one run. Cohen's table 2.4.1 has 64 runs a side for half a deviation:

    >>> round(detectable_shift(1.0, 64), 2)
    0.5
    """
    # That it comes out significant with the wrong sign happens in less than one case in a million.
    return _found_shift(noise, runs, 2 * runs - 2, (1 - CONFIDENCE) / 2, power)


def detectable_in_suite(noise: float, windows: int, cases: int, repeats: int) -> float:
    """Return the least shift of one of some cases that a comparison of two runs finds with a power of 80 %.

    The comparison tests each case one-sided, by Holm's procedure, whose hardest step has the level 5 % /
    `cases`. It pools the noise of all cases. With one repeat there is none, and it takes that of the A/A run.

    Args:
        noise: standard deviation of one repeat.
        windows: of the A/A run that told it.
        cases: of the suite.
        repeats: of each case, in either run.

    One case of 64 repeats a side is Cohen's example again, one-sided at 2.5 % instead of 5 %:

    >>> round(detectable_in_suite(1.0, 20, 2, 64), 1)
    0.5
    """
    freedom = cases * (2 * repeats - 2) if repeats > 1 else windows - 1
    return _found_shift(noise, repeats, freedom, (1 - CONFIDENCE) / cases, POWER)


def _found_shift(noise: float, runs: int, freedom: int, tail: float, power: float) -> float:
    """Return the shift whose statistic stays below the critical value in 1 - power of all cases."""
    from scipy.special import nctdtrinc, stdtrit

    noncentrality = float(nctdtrinc(freedom, 1 - power, stdtrit(freedom, 1 - tail)))
    return noise * noncentrality * math.sqrt(2 / runs)


def _why_unknown(cells: Sequence[tuple[float | None, str | None]]) -> str | None:
    missing = [reason for value, reason in cells if value is None]
    if missing:
        where = "" if len(missing) == len(cells) else f"unknown in {len(missing)} of {len(cells)} windows: "
        return f"{where}{missing[0]}"
    if any(value is not None and value <= 0 for value, _ in cells):
        return "a window shows nothing at all, and relative noise needs a figure above 0: use longer windows"
    return None


Estimate = tuple[float, float, float]


def _fit(logs: Sequence[float], labels: Sequence[str], seconds: Sequence[float]) -> tuple[Estimate, Estimate]:
    """Return log(A/B) and the change of the log from first to last window, each with its 95 % interval."""
    import numpy as np
    from scipy.special import stdtrit

    span = max(seconds) - min(seconds)
    label = np.array([0.5 if label == "A" else -0.5 for label in labels])
    time = (np.array(seconds) - np.mean(seconds)) / span
    design = np.column_stack([np.ones(len(logs)), label, time])
    inverse = np.linalg.inv(design.T @ design)
    coefficients = inverse @ design.T @ np.array(logs)
    residuals = np.array(logs) - design @ coefficients
    freedom = len(logs) - design.shape[1]
    errors = np.sqrt(np.diag(inverse) * (residuals @ residuals) / freedom)
    half = errors * stdtrit(freedom, (1 + CONFIDENCE) / 2)
    estimates = [(float(c), float(c - h), float(c + h)) for c, h in zip(coefficients, half, strict=True)]
    return estimates[1], estimates[2]


def _sd_interval(sd: float, n: int) -> tuple[float, float]:
    """Return the interval of a standard deviation: (n - 1) s² / sigma² follows chi-squared."""
    from scipy.special import chdtri  # its argument is the share above

    most, least = chdtri(n - 1, (1 - CONFIDENCE) / 2), chdtri(n - 1, (1 + CONFIDENCE) / 2)
    return sd * math.sqrt((n - 1) / most), sd * math.sqrt((n - 1) / least)
