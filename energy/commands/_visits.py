"""Measure two revisions in turns, A B B A, on one machine: what drifts evenly is the same for both.

Each visit is a pytest process of its own in the checkout of its revision, with this Python and its libraries.
What is imported comes from the checkout first, then from what is installed. The instrument, this package, is
the same for both, unless each shall measure with its own.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from energy.analysis.gates import exit_codes as codes
from energy.commands._revisions import SHORT, Revision, Terminated

ORDERS = ("ABBA", "BAAB")
# A test that failed has left its record, and a project's own gates are about other comparisons.
USABLE = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, *codes.GRAVEST_CODES)


# What a training needs to write its records once it was interrupted.
PATIENCE_SECONDS = 10.0


class VisitError(Exception):
    """A visit left no result; says which, and how it ended."""


@dataclass(frozen=True)
class VisitPlan:
    """How to visit.

    Args:
        inside: folder of the project in which pytest runs, relative to the root of the checkout.
        arguments: pytest's.
        storage: where the runs are stored.
        instrument: folder that has this package and nothing else; None: each revision has its own.
        scratch: folder for what is not kept.
    """

    inside: Path
    arguments: Sequence[str]
    storage: Path
    instrument: Path | None
    scratch: Path


def draw_visits(rounds: int) -> str:
    """Return an order of visits: as many rounds, A and B first by turns, the first of them by lot."""
    first = secrets.randbelow(2)
    return "".join(ORDERS[(first + number) % 2] for number in range(rounds))


def visit_in_turns(
    order: str, revisions: Sequence[Revision], plan: VisitPlan, say: Callable[[str], None]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the run file of each visit with the letter of its revision.

    Raises:
        VisitError: one ended without a result, or measured something else than its revision.
    """
    for number, letter in enumerate(order, start=1):
        revision = revisions["AB".index(letter)]
        say(f"visit {number} of {len(order)}: {letter}, {revision}")
        yield letter, _measure(number, letter, revision, plan)


def name_run(letter: str, revision: Revision) -> str:
    """Return the name under which the runs of a revision are stored."""
    return f"ab-{letter.lower()}-{revision.commit[:SHORT]}"


def _measure(number: int, letter: str, revision: Revision, plan: VisitPlan) -> dict[str, Any]:
    written = plan.scratch / f"{number}.json"
    # -P: not the folder itself, which may hold a package of our name, before everything else.
    command = [sys.executable, "-P", "-m", "pytest", "-p", "energy.plugin", *plan.arguments]
    command += [f"--energy-storage={plan.storage}", f"--energy-json={written}"]
    command.append(f"--energy-save={name_run(letter, revision)}")
    folder = revision.folder / plan.inside
    if not folder.is_dir():
        raise VisitError(f"{revision} has no folder {plan.inside}; call ab in one that both revisions have")
    process = subprocess.Popen(command, cwd=folder, env=_environment(revision, plan))  # noqa: S603 -- this Python, and no shell
    code = _wait(process)
    if code not in USABLE or not written.exists():
        raise VisitError(
            f"visit {number}, {revision}: pytest ended with exit code {code}; see what it said above"
        )
    run: dict[str, Any] = json.loads(written.read_text(encoding="utf-8"))
    if run["commit_info"]["id"] != revision.commit:
        raise VisitError(f"visit {number} measured commit {run['commit_info']['id']}, not {revision}")
    return run


def _wait(process: subprocess.Popen[bytes]) -> int:
    """Return the exit code of a visit; if this process is interrupted, let the visit end in order, too."""
    try:
        return process.wait()
    except BaseException as problem:
        # Ctrl-C reaches all that run in a terminal, the visit too; it still writes its records.
        _end(process, 0.0 if isinstance(problem, Terminated) else PATIENCE_SECONDS)
        raise


def _end(process: subprocess.Popen[bytes], patience_seconds: float) -> None:
    try:
        process.wait(patience_seconds)
    except subprocess.TimeoutExpired:
        process.terminate()
        process.wait()


def _environment(revision: Revision, plan: VisitPlan) -> dict[str, str]:
    """Put the instrument, then the checkout, before what is installed: an editable install is of another."""
    folders = [*([plan.instrument] if plan.instrument else []), revision.folder / "src", revision.folder]
    given = os.environ.get("PYTHONPATH")
    path = os.pathsep.join([*map(str, folders), *([given] if given else [])])
    return os.environ | {"PYTHONPATH": path}
