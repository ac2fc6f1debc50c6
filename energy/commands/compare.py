"""Compare two runs case by case: what changed, how sure that is, and what the session did to all of them.

A and B are the base and the head: a file, 0007, FINGERPRINT/0007, a saved name, a fingerprint (its newest
run), a baseline's name, or a glob in quotes (all runs that fit, their repeats pooled). Without B the head is
the newest run. Plain pytest-benchmark files are compared by their seconds. Comparing blocks nothing: the
exit code is 0 whatever it finds; `check` holds a run against limits.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from typing import TYPE_CHECKING

from energy.commands import UsageError
from energy.commands._options import add_all, add_storage, tell
from energy.records.storage.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from energy.analysis.compare.result import Comparison


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument("base", metavar="A", help="the run that is compared with")
    parser.add_argument("head", nargs="?", metavar="B", help="the run in question (default: the newest)")
    parser.add_argument(
        "--metrics", metavar="LIST", help="for example kj_per_epoch,dice (default: total_kj and dice)"
    )
    add_all(parser)
    parser.add_argument("--json", action="store_true", help="print the comparison as JSON")
    add_storage(parser)


def run(args: argparse.Namespace) -> int:
    """Print the comparison."""
    # Statistics take half a second to import; `--help` does without.
    from energy.analysis.compare.result import comparison_as_json
    from energy.report.terminal import comparison as terminal

    metrics = None if args.metrics is None else [name.strip() for name in args.metrics.split(",")]
    try:
        found = compared(args.storage, args.base, args.head, metrics)
    except ValueError as mistake:
        raise UsageError(str(mistake)) from None
    if args.json:
        print(json.dumps(comparison_as_json(found), indent=1, allow_nan=False))
    else:
        print(terminal.format_comparison(found, all_rows=args.all))
    return 0


def compared(
    storage: Path, base_name: str, head_name: str | None, metrics: list[str] | None = None
) -> Comparison:
    """Find both sides, and the noise of their machine, and compare them.

    Raises:
        StoreError: a name means no run, or several.
        RecordError: a file is damaged.
        ValueError: a metric cannot be compared.
    """
    from energy.analysis.compare.compare import compare
    from energy.analysis.compare.noise import read_calibrated
    from energy.analysis.gates.reference import find_earlier, find_side

    results = Store(storage, tell)
    with results.index() as index:
        head = find_side(results, index, head_name)
        base = find_side(results, index, base_name, head.run.fingerprint)
        history, notes = find_earlier(results, index, [base, head], metrics)
    calibrated = read_calibrated(results.root / head.run.fingerprint) if head.run.fingerprint else {}
    found = compare(base.run, head.run, metrics=metrics, history=history, calibrated=calibrated)
    return replace(found, warnings=(*found.warnings, *base.notes, *head.notes, *notes))
