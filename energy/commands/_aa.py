"""Measure an A/A run: idle power and what the meters cost, then the same work again and again."""

from __future__ import annotations

import datetime
import secrets
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from energy._version import __version__
from energy.analysis import calibration
from energy.analysis.calibration import METRIC_NAMES, Measured, MetricNoise
from energy.commands._work import Work
from energy.measuring import figures
from energy.measuring.case import Repeat
from energy.measuring.window import JUST_NOW_SECONDS, Window
from energy.meters import read
from energy.meters._meter import Meter
from energy.reading import Energy

READINGS = 5


def measure_work(
    meters: Sequence[Meter], work: Work, order: str, idle_seconds: float, say: Callable[[str], None]
) -> dict[str, Any]:
    """Run the work once unmeasured and once per letter of `order`; return the body of noise.json."""
    idle, cpu_share = _idle(meters, idle_seconds)
    cost = {
        "cpu_share": cpu_share,
        "reading_seconds": _reading_seconds(meters),
        "threads": threading.active_count(),
    }
    say("once to warm up, unmeasured")
    work.run()
    windows = _windows(meters, work, order, say)
    noises = {name: calibration.measure_noise(name, windows) for name in METRIC_NAMES}
    return _body(work, order, windows, noises) | {"idle": idle, "self_cost": cost}


def describe_run(meters: Sequence[Meter], fingerprint: str) -> dict[str, Any]:
    """Return what noise.json says of the machine and of the program."""
    return {
        "schema": calibration.SCHEMA,
        "fingerprint": fingerprint,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "suite_version": __version__,
        "meters": [meter.name for meter in meters],
    }


def toss_coin() -> bool:
    """Toss a coin."""
    return bool(secrets.randbits(1))


def _body(
    work: Work, order: str, windows: Sequence[Measured], noises: dict[str, MetricNoise]
) -> dict[str, Any]:
    return {
        "work": {
            "description": work.description,
            "command": work.command,
            "seconds": noises["seconds"].mean,
        },
        "order": order,
        "flags": dict(sorted(Counter(flag for window in windows for flag in window.flags).items())),
        "metrics": {name: noise.as_json() for name, noise in noises.items()},
        "windows": [window.as_json() for window in windows],
    }


def _windows(meters: Sequence[Meter], work: Work, order: str, say: Callable[[str], None]) -> list[Measured]:
    done: list[tuple[str, Window]] = []
    for number, label in enumerate(order, 1):
        with Window(meters) as window:
            work.run()
        done.append((label, window))
        say(f"{number} of {len(order)}, {label}: {window.energy.seconds:.3g} s")
    return [_measured(label, window, done[0][1].first.seconds) for label, window in done]


def _measured(label: str, window: Window, first_seconds: float) -> Measured:
    spent = window.energy
    row = figures.measured(Repeat(window), None, None)
    return Measured(
        label,
        window.first.seconds - first_seconds,
        {name: row[name] for name in METRIC_NAMES},
        {name: _sources(name, spent) for name in METRIC_NAMES},
        window.flags(),
    )


def _sources(name: str, spent: Energy) -> dict[str, str]:
    """Return the sources of a metric's figure, each with its kind."""
    if name == "seconds":
        return {"monotonic_clock": "measured"}
    domain = name.removesuffix("_kj") if name in ("gpu_kj", "cpu_kj", "ram_kj") else None
    return {part.source: part.kind for part in spent.headline() if domain in (None, part.domain)}


def _idle(meters: Sequence[Meter], seconds: float) -> tuple[dict[str, Any], float]:
    """Wait inside the meters; all CPU time that this process takes meanwhile is the meters' own."""
    with Window(meters) as window:
        started = time.process_time()
        time.sleep(seconds)
        own_cpu_seconds = time.process_time() - started
    spent = window.energy
    domains = sorted({part.domain for part in spent.headline()})
    joules = {domain: spent.joules(domain) for domain in domains} | {"total": figures.total_joules(spent)[0]}
    watts = {name: None if value is None else value / spent.seconds for name, value in joules.items()}
    return (
        {"seconds": spent.seconds, "watts": watts, "flags": list(window.flags())},
        own_cpu_seconds / seconds,
    )


def _reading_seconds(meters: Sequence[Meter]) -> float:
    """Return the median time of a reading, taken as far apart as CodeCarbon needs for a fresh figure."""
    took = []
    for _ in range(READINGS):
        time.sleep(JUST_NOW_SECONDS)
        started = time.perf_counter()
        read(meters)
        took.append(time.perf_counter() - started)
    return statistics.median(took)
