"""Join the runs of shards (--energy-shard), or of other parts of a suite, into one.

A, B, ... are run files, or names of stored runs (0007, FINGERPRINT/0007, a saved name). Runs of other
hardware, meters, software, data, budget, commit or code are refused, and a case that was measured twice.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from energy.commands import UsageError
from energy.commands._options import add_storage, tell
from energy.records.storage.store import Store, check_name


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument("runs", nargs="+", metavar="RUN", help="a file, or the name of a stored run")
    parser.add_argument(
        "--save", metavar="NAME", help="store the whole as NNNN_NAME.json (default: the commit)"
    )
    parser.add_argument("-o", "--output", metavar="PATH", type=Path, help="write it to this file instead")
    parser.add_argument("--partial", action="store_true", help="also if shards are missing or interrupted")
    add_storage(parser)


def run(args: argparse.Namespace) -> int:
    """Write the joined run, and say where."""
    # Writing needs pytest-benchmark, which takes a while to import.
    from energy.records.storage import merge as merging
    from energy.records.storage import runfile

    store = Store(args.storage, tell)
    try:
        if args.save is not None:
            check_name(args.save)
    except ValueError as mistake:
        raise UsageError(f"--save: {mistake}") from None
    paths = [store.find(name) for name in args.runs]
    runs = {str(path): store.load(path) for path in paths}
    if len(runs) < len(paths):
        raise UsageError("the same run is named twice; name each once")
    whole = merging.merge_runs(runs, partial=args.partial)
    if args.output is not None:
        runfile.write_run(whole, args.output)
    written = args.output or store.write(whole, args.save)
    print(f"{len(runs)} runs, {len(whole['benchmarks'])} cases: {written}")
    for path, part in zip(paths, whole["energy"]["merged"], strict=True):
        if part["left_out"]:
            print(f"{path}: without {', '.join(part['left_out'])}, which another run has, too")
    return 0
