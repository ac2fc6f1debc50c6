"""Show a metric of cases over all stored runs, and where its level changed.

Only good records of clean checkouts count. What all cases of a run have in common (driver, room, meter) is
taken out and shown apart. A change of hardware, software, data or case key cuts a history, and so do other
seeds that of a Dice: what was measured before and after is not compared.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import fnmatch
import json
import sys
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from energy.commands import UsageError
from energy.commands._options import add_storage, tell
from energy.records.metrics import METRICS
from energy.records.storage.store import Store
from energy.text import explain_unknown

if TYPE_CHECKING:
    from energy.analysis.history import Series
    from energy.records.summary import Column


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    add = parser.add_argument
    add("cases", nargs="?", default="*", metavar="CASE", help="a case, or a glob such as '*-novograd'")
    add("--metric", default="total_kj", metavar="NAME", help="a metric's name (default: total_kj)")
    add("--task", metavar="NAME", help="training, inference, ... (default: all)")
    add("--machine", metavar="FINGERPRINT", help="one machine of the results folder (default: all)")
    add("--since", type=_date, metavar="DATE", help="leave out runs stored before that day: 2026-11-03")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print everything as JSON")
    form.add_argument(
        "--csv", action="store_true", help="print time, commit and means, as Apache Otava reads"
    )
    add_storage(parser)


def run(args: argparse.Namespace) -> int:
    """Print the histories that were asked for."""
    # numpy and scipy take a while to import; `--help` does without.
    from energy.analysis.history import build_histories

    if args.metric not in METRICS:
        raise UsageError(explain_unknown("metric", args.metric, METRICS))
    columns = _columns(args)
    _refuse_unknown(columns, args)
    found = [
        list(build_histories(of_machine, args.metric, partial(_is_wanted, args))) for of_machine in columns
    ]
    machines = [series for series in found if len(series) > 1]
    if args.csv:
        _print_csv(machines)
    elif args.json:
        print(json.dumps([dataclasses.asdict(one) for series in machines for one in series], indent=1))
    else:
        _print_text(machines)
    return 0


def _columns(args: argparse.Namespace) -> list[list[Column]]:
    """Return the metric in all runs of each machine."""
    results = Store(args.storage, tell)
    fingerprints = list(dict.fromkeys(run.fingerprint for run in results.runs()))
    if not fingerprints:
        raise UsageError(f"no results in {args.storage}; run a benchmark first, or name another by --storage")
    if args.machine is not None and args.machine not in fingerprints:
        raise UsageError(explain_unknown("machine", args.machine, fingerprints))
    with results.index() as index:
        found = [
            [
                one
                for run in results.runs(name)
                if (one := index.try_column(run.path, args.metric)) is not None
            ]
            for name in fingerprints
            if args.machine in (None, name)
        ]
    # A plain file of pytest-benchmark does not say how its machine was metered.
    ours = [[one for one in columns if one.run.fingerprint is not None] for columns in found]
    since = str(args.since or "")
    recent = [[one for one in columns if one.run.datetime[:10] >= since] for columns in ours]
    return [columns for columns in recent if columns]


def _refuse_unknown(columns: Sequence[Sequence[Column]], args: argparse.Namespace) -> None:
    """Refuse a choice that leaves nothing."""
    if not columns:
        since = f" since {args.since}" if args.since else ""
        raise UsageError(f"no run with energy in {args.storage}{since}")
    known = {case.identity for of_machine in columns for one in of_machine for case in one.cases}
    tasks = sorted({task for _, task in known})
    if args.task not in (None, *tasks):
        raise UsageError(explain_unknown("task", args.task, tasks))
    if not any(_is_wanted(args, *identity) for identity in known):
        raise UsageError(explain_unknown("case", args.cases, sorted({case for case, _ in known})))


def _is_wanted(args: argparse.Namespace, case: str, task: str) -> bool:
    return fnmatch.fnmatchcase(case, args.cases) and args.task in (None, task)


def _print_text(machines: Sequence[Sequence[Series]]) -> None:
    from energy.report.terminal import history as terminal

    blocks = terminal.BLOCKS if _can_print(terminal.BLOCKS) else terminal.PLAIN
    print("\n\n".join("\n".join(terminal.format_histories(series, blocks)) for series in machines))


def _print_csv(machines: Sequence[Sequence[Series]]) -> None:
    from energy.analysis.history.series import tabulate_for_otava

    if len(machines) > 1:
        names = ", ".join(series[0].fingerprint for series in machines)
        raise UsageError(
            f"--csv is of one machine, and these have such cases: {names}; say which by --machine"
        )
    table, left_out = tabulate_for_otava(machines[0][1:])
    if left_out:
        tell(f"{left_out} run(s) left out, in which one of the cases has no figure that counts")
    print(table, end="")


def _can_print(text: str) -> bool:
    """Tell whether the terminal, or what reads the output, has these characters."""
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def _date(text: str) -> datetime.date:
    """Return a day; argparse makes a sentence of a ValueError's class name only."""
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no date; expected one such as 2026-11-03") from None
