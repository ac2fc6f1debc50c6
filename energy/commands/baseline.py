"""Pin a run as the measure of later ones (set), look at what is pinned (show), or unpin it (rm).

A baseline belongs to the hardware it was measured on and keeps a copy of its figures. It never moves by
itself: a run that is saved becomes a baseline by `baseline set` only, and not if a case failed or is invalid,
it was interrupted, its gates failed, or the checkout held changes that are in no commit (--force overrules).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from energy.analysis.gates import baseline as baselines
from energy.analysis.gates.baseline import Pin
from energy.commands import UsageError
from energy.commands._options import add_storage, tell
from energy.records.schema import RecordError
from energy.records.storage.runfile import shorten_commit
from energy.records.storage.store import Store


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument("action", choices=("set", "show", "rm"), help="what to do")
    parser.add_argument("name", nargs="?", metavar="NAME", help="of the baseline, such as main")
    parser.add_argument(
        "run",
        nargs="?",
        metavar="RUN",
        help="with set: 0007, FINGERPRINT/0007, a file or a saved name (default: newest)",
    )
    parser.add_argument("--force", action="store_true", help="with set: although something speaks against it")
    parser.add_argument("--hardware", metavar="FINGERPRINT", help="with rm and show: of this hardware only")
    add_storage(parser)


def run(args: argparse.Namespace) -> int:
    """Do what was asked."""
    results = Store(args.storage, tell)
    if args.run is not None and args.action != "set":
        raise UsageError(f"baseline {args.action} takes no RUN, got {args.run!r}")
    if args.action == "show":
        return _show(results, args.name, args.hardware)
    if args.name is None:
        raise UsageError(f"baseline {args.action} needs a NAME, such as main; see baseline show")
    if args.action == "rm":
        return _remove(results, args.name, args.hardware)
    return _set(results, args.name, args.run, force=args.force)


def _set(results: Store, name: str, reference: str | None, *, force: bool) -> int:
    path = results.find(reference)
    before = _before(results, name, path)
    own = baselines.pin_run(results, name, path, force=force)
    print(f"{own.run.fingerprint}/{name} is {_told(own)}")
    for text in own.overlooked:
        print(f"overlooked by --force: {text}")
    if before is not None:
        gone = {case.identity for case in before.run.cases} - {case.identity for case in own.run.cases}
        print(f"before it was {_told(before)}")
        if gone:
            print(f"no longer in it: {', '.join(sorted(case for case, _ in gone))}")
    print(f"written: {own.path}")
    return 0


def _before(results: Store, name: str, path: Path) -> Pin | None:
    """Return the baseline that is replaced; a damaged one may be replaced, too."""
    fingerprint = results.load(path).get("energy", {}).get("fingerprint")
    try:
        return baselines.find_pin(results.root, name, fingerprint) if fingerprint else None
    except RecordError as problem:
        print(f"replaced: {problem}")
        return None


def _show(results: Store, name: str | None, fingerprint: str | None) -> int:
    found = _files(results, name, fingerprint)
    if not found and name is not None:
        raise UsageError(_unknown(results, name))
    if not found:
        print(f"nothing is pinned in {results.root}; pin a run: baseline set main RUN")
    problems = []
    for path in found:
        try:
            print("\n".join(_lines(baselines.read_pin(path))))
        except RecordError as problem:
            problems.append(str(problem))
    if problems:
        raise UsageError("; ".join(problems))
    return 0


def _lines(own: Pin) -> Iterator[str]:
    yield f"{own.run.fingerprint}/{own.name}: {_told(own)}, pinned {own.pinned[:10]}"
    yield from (f"    overlooked by --force: {text}" for text in own.overlooked)
    if own.run.path == own.path:
        yield f"    the run file {own.source} is not beside it (the baseline holds its figures)"


def _remove(results: Store, name: str, fingerprint: str | None) -> int:
    found = _files(results, name, fingerprint)
    if not found:
        raise UsageError(_unknown(results, name))
    if len(found) > 1:
        choices = ", ".join(path.parents[1].name for path in found)
        raise UsageError(f"{name} is pinned for {choices}; say which by --hardware")
    found[0].unlink()
    print(f"removed {found[0]}")
    return 0


def _files(results: Store, name: str | None, fingerprint: str | None) -> list[Path]:
    """Return the files of the baselines that are meant; NAME may be FINGERPRINT/NAME."""
    machine, _, short = (name or "").rpartition("/")
    found = baselines.list_pins(results.root, machine or fingerprint)
    return [path for path in found if not short or path.stem == short]


def _unknown(results: Store, name: str) -> str:
    return f"no baseline {name!r} in {results.root}; {baselines.name_elsewhere(results.root, name)}"


def _told(own: Pin) -> str:
    run = own.run
    good = sum(case.status == "ok" for case in run.cases)
    commit = shorten_commit({"id": run.commit}) + ("+dirty" if run.dirty else "")
    return f"{run.reference} ({run.datetime[:10]}, {commit}, {good} of {len(run.cases)} cases good)"
