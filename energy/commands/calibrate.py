"""Measure the same work again and again (A/A), and say how small a difference can be told from noise.

The work is an amount of hashing that one CPU thread does in --seconds, or any --command. The labels A and B
mean nothing: what differs between them is noise. What was found is written to RESULTS/FINGERPRINT/noise.json.
A command that opens meters of its own (a pytest run with joulebench) is billed by both: `billed_twice`.

--fit measures known work afterwards, and fits what this processor draws to what it does. Where the same
processor is found again without a counter (a container, a virtual machine), the model of the CPU uses that.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path
from typing import Any

from energy.commands import UsageError
from energy.commands._options import add_storage, tell
from energy.records.fingerprint import name_hardware
from energy.records.storage.files import write_whole
from energy.records.storage.fitted import FILE, find_laws
from energy.records.storage.store import Store

INTERRUPTED = 2  # as pytest has it
SECONDS = 10.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    add = parser.add_argument
    add("--repeats", type=int, default=20, metavar="N", help="windows in all, half of them A (default: 20)")
    add("--seconds", type=float, metavar="S", help=f"length of a window of hashing (default: {SECONDS:g})")
    add("--threads", type=int, metavar="N", help="threads that hash (default: 1)")
    add("--command", metavar="LINE", help="a shell command to measure instead of hashing")
    add(
        "--idle",
        type=float,
        default=5.0,
        metavar="S",
        help="idle power is measured so long first (default: 5)",
    )
    add("--fit", action="store_true", help="fit a law of this CPU's power, where a counter of it can be read")
    add(
        "--known-work",
        action="append",
        default=[],
        metavar="LINE",
        help='with --fit: a command that prints what it has done, e.g. {"macs_bf16": 1e12}',
    )
    add("--meters", default="auto", metavar="LIST", help="for example nvml,rapl (default: all that work)")
    add_storage(parser)


def run(args: argparse.Namespace) -> int:
    """Measure, write noise.json and say what it means; 2 if interrupted, and then nothing is written."""
    _check(args)
    try:
        found, path = _calibrate(args)
    except KeyboardInterrupt:
        print("joulebench: interrupted; nothing was written", file=sys.stderr)
        return INTERRUPTED
    # Printing is all that needs these.
    from energy.report.terminal.noise import format_noise

    print("\n".join(["", *format_noise(found), "", f"written: {path}"]))
    return 0


def _calibrate(args: argparse.Namespace) -> tuple[dict[str, Any], Path]:
    """Open the meters, prove that the result can be written, measure, write."""
    # Meters and statistics take a second to import; `--help` does without.
    from energy.analysis import calibration
    from energy.commands import _aa, _cpu_fit, _work
    from energy.measuring.hardware import read_hardware
    from energy.meters import MeterUnavailable, open_meters, read

    try:
        order = calibration.draw_order(args.repeats, _aa.toss_coin)
        # As a run would: by another law of the CPU the same work has other joules, and another key.
        fitted, notes = find_laws(args.storage)
        meters = open_meters(args.meters, fitted=fitted)
    except (MeterUnavailable, ValueError) as mistake:
        raise UsageError(str(mistake)) from mistake
    for note in notes:
        tell(note)
    with meters:
        if args.fit:
            _cpu_fit.check_counter(read(meters))
        name = name_hardware(read_hardware(meters))
        folder = Store(args.storage).prepare(name)
        seconds = args.seconds or SECONDS
        work = (
            _work.make_command(args.command)
            if args.command
            else _work.make_hashing(seconds, args.threads or 1)
        )
        print(f"the same work {args.repeats} times: {args.command or work.description}", flush=True)
        found = _aa.describe_run(meters, name)
        found |= _aa.measure_work(meters, work, order, args.idle, _say)
        if args.fit:
            print("known work, to fit the CPU's power to it:", flush=True)
            found["cpu_power"] = _cpu_fit.fit_cpu(meters, seconds, args.known_work, _say)
    path = folder / FILE
    text = json.dumps(found, indent=1, allow_nan=False) + "\n"
    write_whole(path, text)
    return found, path


def _say(text: str) -> None:
    print(f"  {text}", flush=True)


def _check(args: argparse.Namespace) -> None:
    """Refuse what cannot be measured before anything is opened."""
    for name in ("idle", "seconds", "threads"):
        value = getattr(args, name)
        if value is not None and not (math.isfinite(value) and value > 0):
            raise UsageError(f"--{name} {value:g}: expected more than 0")
    if args.known_work and not args.fit:
        raise UsageError("--known-work is what --fit measures; give --fit, too")
    for name in ("seconds", "threads"):
        if args.command is not None and getattr(args, name) is not None:
            raise UsageError(f"--{name} is about hashing and does nothing to a --command; leave one out")
    if args.command is not None and not args.command.strip():
        raise UsageError("--command is empty; give a command line, or leave it out to measure hashing")
