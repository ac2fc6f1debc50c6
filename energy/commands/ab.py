"""Measure two git revisions in turns on this machine (A B B A) and compare them.

BASE is A and HEAD is B. Both are checked out into a temporary folder, so uncommitted changes are in neither
and a path among the PYTEST ARGS should be one of the project or absolute. Example:

    joulebench ab main HEAD --fail kj_per_epoch:5% -- benchmarks -k attention_squeeze

Both are measured by the joulebench that you call; in a project that has its own `energy/` folder (ours), and
where that belongs to the change, give --own-instrument. The runs are stored as ab-a-COMMIT and ab-b-COMMIT.
Exit codes as those of `check`.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from energy.commands import UsageError
from energy.commands._options import add_gates, add_storage, tell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from energy.analysis.compare.gate import Gate
    from energy.analysis.gates.reference import Side

PASSES_ON = True
INTERRUPTED = 130  # as shells have it: 128 + SIGINT
MOST_ROUNDS = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.usage = "%(prog)s BASE HEAD [options] [-- PYTEST ARGS]"
    parser.add_argument("base", metavar="BASE", help="the revision that is compared with")
    parser.add_argument("head", metavar="HEAD", help="the revision in question")
    parser.add_argument("--rounds", type=int, default=1, metavar="N", help="of four visits each (default: 1)")
    add_gates(parser)
    parser.add_argument(
        "--own-instrument", action="store_true", help="each revision measures with its own energy/"
    )
    add_storage(parser)


def run(args: argparse.Namespace) -> int:
    """Measure both revisions, print the comparison, return the exit code."""
    from energy.analysis.compare.gate import COMMAND_LINE, parse_gate
    from energy.commands import _revisions as revisions
    from energy.commands import _visits as visits

    if not 1 <= args.rounds <= MOST_ROUNDS:
        raise UsageError(f"--rounds {args.rounds}: expected 1 to {MOST_ROUNDS}")
    try:
        asked = tuple(parse_gate(text, COMMAND_LINE) for text in args.fail)
        base, head = _measured(args)
    except (ValueError, revisions.GitError, visits.VisitError) as mistake:
        raise UsageError(str(mistake)) from None
    except KeyboardInterrupt:
        tell("interrupted, so nothing is compared; what was stored stays")
        return INTERRUPTED
    return _judged(args, asked, base, head)


def _measured(args: argparse.Namespace) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Visit both revisions in turns and return the run files of each."""
    from energy.commands import _revisions as revisions
    from energy.commands import _visits as visits

    here = Path.cwd()
    repository = revisions.find_root(here)
    if revisions.is_dirty(repository):
        tell(f"{repository} has uncommitted changes, which are in neither revision")
    order = visits.draw_visits(args.rounds)
    found: dict[str, list[dict[str, Any]]] = {"A": [], "B": []}
    with revisions.check_out(repository, (args.base, args.head)) as (folder, both):
        plan = visits.VisitPlan(
            inside=here.resolve().relative_to(repository.resolve()),
            arguments=args.passed_on,
            storage=args.storage.resolve(),
            instrument=None if args.own_instrument else revisions.copy_instrument(folder),
            scratch=folder,
        )
        tell(f"A is {both[0]}, B is {both[1]}; order {order}")
        for letter, measured in visits.visit_in_turns(order, both, plan, tell):
            found[letter].append(measured)
    return found["A"], found["B"]


def _judged(
    args: argparse.Namespace,
    asked: Sequence[Gate],
    before: Sequence[dict[str, Any]],
    after: Sequence[dict[str, Any]],
) -> int:
    """Print what the visits say, and return the exit code."""
    from energy.analysis.compare.noise import read_calibrated
    from energy.analysis.gates import baseline as baselines
    from energy.analysis.gates.judge import Known, Question, answer_question
    from energy.analysis.gates.reference import Base
    from energy.report.terminal.gates import format_gates

    base, head = _pooled(before, "A"), _pooled(after, "B")
    nodes = {name: node for run in before for name, node in baselines.find_nodes(run).items()}
    told = f"A, {args.base}, {len(before)} visits"
    calibrated = read_calibrated(args.storage / str(head.run.fingerprint))
    question = Question(asked, Known(Base(base, told, nodes), calibrated=calibrated))
    answer = answer_question(question, head.run, strict=args.strict)
    lines = format_gates(answer, told=told, gated=bool(asked), strict=args.strict, all_rows=args.all)
    print("", *lines, sep="\n")
    return answer.exit_code


def _pooled(runs: Sequence[dict[str, Any]], letter: str) -> Side:
    """Put the repeats of all visits of a revision together."""
    from energy.analysis.gates.reference import pool_runs
    from energy.records.summary import summarise_run

    names = [Path(letter, f"visit {number}") for number in range(1, len(runs) + 1)]
    return pool_runs([summarise_run(run, name) for run, name in zip(runs, names, strict=True)])
