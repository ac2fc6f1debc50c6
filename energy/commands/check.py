"""Hold a stored run against limits, as pytest does with --energy-fail, and list what its figures rely on.

Gates are those of --fail and of [tool.joulebench] in ./pyproject.toml. Exit codes: 0 every limit is kept,
10 regression, 11 inconclusive, 12 no comparable baseline, 13 a case is missing or failed, 14 a measurement is
invalid; 11 and 12 count with --strict only. Without any gate the run itself is checked: 13 and 14.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from energy.analysis.compare.gate import COMMAND_LINE, parse_gate
from energy.analysis.gates import baseline as baselines
from energy.analysis.gates import config as project
from energy.analysis.gates import exit_codes as codes
from energy.analysis.gates import selection
from energy.analysis.gates.judge import CONFIRMING, Judge
from energy.analysis.gates.reference import is_pinned_somewhere
from energy.commands import UsageError
from energy.commands._options import add_gates, add_storage, tell
from energy.records.fingerprint import name_before
from energy.records.storage.runfile import list_records
from energy.records.storage.store import Store
from energy.records.summary import RunSummary, summarise_record, summarise_run
from energy.report.terminal import checklist
from energy.report.terminal.gates import format_gates


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument("run", nargs="?", metavar="RUN", help="the run in question (default: the newest)")
    reference = parser.add_mutually_exclusive_group()
    reference.add_argument("--baseline", metavar="NAME", help="compare with this baseline (default: main)")
    reference.add_argument("--compare", metavar="REF", help="compare with this run, file, glob or baseline")
    add_gates(parser)
    add_storage(parser)


def run(args: argparse.Namespace) -> int:
    """Print the list, the comparison and the verdict; return the exit code."""
    results = Store(args.storage, tell)
    path = results.find(args.run)
    data = results.load(path)
    head, records = summarise_run(data, path), list_records(data)
    if head.fingerprint is None:
        raise UsageError(f"{path} holds no energy records; there is nothing to check")
    print(f"{path}\n")
    print("\n".join(map(checklist.format_tick, checklist.check_run(data, records))))
    try:
        return _judged(args, results, data, head)
    except ValueError as mistake:
        raise UsageError(str(mistake)) from None


def _judged(args: argparse.Namespace, results: Store, data: dict[str, Any], head: RunSummary) -> int:
    """Hold the run against its base and gates; return the exit code."""
    judge = _judge(args, results, data, head)
    judge.check()
    if judge.is_asked:
        former = name_before(data["energy"]["hardware"])
        if (why := judge.choose(str(head.fingerprint), former)) is not None:
            tell(why)
        answer = judge.judge(head, _again(data, head))
        told, gated = judge.told, bool(judge.ranked)
        lines = format_gates(answer, told=told, gated=gated, strict=judge.strict, all_rows=args.all)
        print("", *lines, sep="\n")
        if judge.ranked or answer.exit_code:
            return answer.exit_code
    return _of_itself(head)


def _judge(args: argparse.Namespace, results: Store, data: dict[str, Any], head: RunSummary) -> Judge:
    own = project.read_project(Path())
    if args.baseline is not None and not is_pinned_somewhere(results, args.baseline):
        raise UsageError(
            f"no baseline {args.baseline!r}; {baselines.name_elsewhere(results.root, args.baseline)}"
        )
    return Judge(
        store=results,
        project=own,
        asked=tuple(parse_gate(text, COMMAND_LINE) for text in args.fail),
        reference=args.compare if args.baseline is None else args.baseline,
        strict=args.strict or own.strict,
        cases=[case.case for case in head.cases],
        selection=selection.read_selection(data["energy"].get("selection")),
    )


def _again(data: dict[str, Any], head: RunSummary) -> RunSummary | None:
    """Return what the run measured once more because of an alarm, if it did."""
    if "confirmation" not in data["energy"]:
        return None
    again = data["energy"]["confirmation"]["records"]
    return replace(
        head, path=Path(CONFIRMING), reference=CONFIRMING, cases=tuple(map(summarise_record, again))
    )


def _of_itself(head: RunSummary) -> int:
    """Return the exit code of a run that no gate is about: whether its own cases are good."""
    failed = [case.case for case in head.cases if case.status != "ok"]
    invalid = [case.case for case in head.cases if case.invalid]
    code = codes.MISSING if failed else codes.INVALID if invalid else codes.PASSED
    told = {
        codes.MISSING: "a case failed",
        codes.INVALID: codes.MEANING[codes.INVALID],
        codes.PASSED: "usable",
    }
    print(f"\nenergy: no gate; the run itself: {told[code]} (exit code {code})")
    return code
