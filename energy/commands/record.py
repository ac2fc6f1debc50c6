"""Record what every sensor of this machine shows, 200 times a second, for those who have no such hardware.

Run it beside your training, or beside nothing. The file holds nothing personal (its format stands in
energy/meters/_recording): send it as a pull request that adds it to tests/samples/recordings/.
"""

from __future__ import annotations

import argparse
import contextlib
import platform
import re
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

from energy._version import __version__
from energy.commands import UsageError
from energy.commands._options import tell

if TYPE_CHECKING:
    from energy.meters._recording import Answers, Raws

SECONDS = 60.0
MOST_SECONDS = 3600.0  # 50 bytes per answer stay in memory until the end


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument("--seconds", type=float, default=SECONDS, help="how long (default: %(default)g)")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="default: MACHINE.jsonl.gz")
    parser.add_argument("--outside", metavar="SOURCE", help="a log of the whole machine, as --energy-outside")


def run(args: argparse.Namespace) -> int:
    """Record and say what was recorded; 4 where there is no sensor, with what each lacks."""
    if not 0 < args.seconds <= MOST_SECONDS:
        raise UsageError(f"--seconds {args.seconds:g}: expected more than 0 and at most {MOST_SECONDS:g}")
    found, missing = open_all(args.outside)
    try:
        return _record(args, found, missing)
    finally:
        for raws in found:
            raws.close()


def open_all(outside: str | None) -> tuple[list[Raws], dict[str, str]]:
    """Open every source of raw samples; return them, and why the others are missing."""
    from energy.meters._meter import MeterUnavailable
    from energy.meters._recording import files, nvml
    from energy.meters._recording.outside import open_outside

    found: list[Raws] = []
    missing: dict[str, str] = {}
    openers: dict[str, Callable[[], Raws]] = {
        "nvml": nvml.open_raws,
        "powercap": files.open_powercap,
        "hwmon": files.open_hwmon,
        "cpufreq": files.open_clock,
    }
    if outside is not None:
        openers["outside"] = lambda: open_outside(outside)
    for name, opener in openers.items():
        try:
            found.append(opener())
        except MeterUnavailable as problem:
            if name == "outside":  # it was asked for, and its reason names a file
                raise UsageError(str(problem)) from problem
            missing[name] = problem.reason
    return found, missing


def _record(args: argparse.Namespace, found: Sequence[Raws], missing: Mapping[str, str]) -> int:
    from energy.meters._recording import Answers, ask, write

    sensors = [sensor for raws in found for sensor in raws.sensors]
    for name, reason in missing.items():
        tell(f"{name} is missing: {reason}")
    if all(sensor.state for sensor in sensors):
        raise UsageError(
            "there is no sensor of power or energy to record; `python -m energy doctor` says how to open one"
        )
    output = args.output or Path(f"{_name(found)}.jsonl.gz")
    if output.exists():
        raise UsageError(f"{output} is there already; name another with -o")
    answers = Answers()
    tell(f"recording {len(sensors)} sensors for {args.seconds:g} s; Ctrl-C ends it sooner")
    with contextlib.suppress(KeyboardInterrupt):
        ask(sensors, args.seconds, monotonic, sleep, answers)
    try:
        write(output, _header(found, missing), answers)
    except OSError as problem:
        raise UsageError(f"{output} cannot be written: {problem.strerror}; name another with -o") from problem
    print("\n".join(_summary(output, answers)))
    return 0


def _header(found: Sequence[Raws], missing: Mapping[str, str]) -> dict[str, Any]:
    from energy.meters._recording import PERIOD_SECONDS

    sensors = [{"name": sensor.name, "unit": sensor.unit} for raws in found for sensor in raws.sensors]
    return {
        "joulebench": __version__,
        "period_seconds": PERIOD_SECONDS,
        "machine": _machine(),
        "sources": {raws.source: raws.facts for raws in found},
        "missing": dict(missing),
        "sensors": sensors,
    }


def _machine() -> dict[str, Any]:
    """Describe the machine by what it has in common with others of its kind."""
    from energy.measuring.hardware import describe_hardware

    hardware = describe_hardware()
    release = re.match(r"\d+(\.\d+)*", platform.release())  # what follows may be anybody's word
    return {
        **{name: hardware[name] for name in ("cpu", "cores", "ram_gib")},
        "system": platform.system(),
        "kernel": release[0] if release else None,
    }


def _name(found: Sequence[Raws]) -> str:
    gpus = [gpu["name"] for raws in found if raws.source == "nvml" for gpu in raws.facts["gpus"]]
    words = re.findall(r"[a-z0-9]+", (gpus or [_machine()["cpu"]])[0].lower())
    return "-".join(words[:6]) or "recording"


def _summary(output: Path, answers: Answers) -> Iterator[str]:
    """Say what is in the file, and how often the sensors could be asked."""
    rows = zip(answers.sensors, answers.asked, strict=True)
    first = [asked for sensor, asked in rows if sensor == answers.sensors[0]]
    periods = [later - earlier for earlier, later in pairwise(first)]
    failed = f", {len(answers.problems)} of them none" if answers.problems else ""
    yield f"{output}: {len(answers)} answers{failed}, {output.stat().st_size / 1e6:.1f} MB"
    if periods:
        yield f"one round of all sensors took {statistics.median(periods) / 1000:.1f} ms (median; aim: 5 ms)"
    yield f"see what is told of this machine: zcat {output} | head -1"
    yield "send it: a pull request that adds it to tests/samples/recordings/"
