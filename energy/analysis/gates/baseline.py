"""Baselines: runs that somebody has declared to be the measure of later ones, under a name.

A baseline is pinned to a machine's hardware and holds a copy of the figures, so that it stays what it was
when the run file is deleted, and changes only by `baseline set`. No run becomes one by being saved: a
regression that was saved would otherwise be the measure of the next run, and pass.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from energy.analysis.gates.exit_codes import MEANING, blocks
from energy.analysis.gates.typed import check_types
from energy.records.keys import short_hash
from energy.records.migration import name_boundary
from energy.records.provenance import BOTH
from energy.records.schema import SCHEMA, RecordError, check_version
from energy.records.storage.files import write_whole
from energy.records.storage.runfile import StoreError, list_records, read_run
from energy.records.storage.store import Store
from energy.records.summary import CaseSummary, RunSummary, summarise_plain, summarise_run
from energy.records.validity import make_validity
from energy.text import list_few, parse_json

FOLDER = "baselines"
MOST_NAMED = 3
# Begins with a letter, so that nobody takes it for a run's number.
_NAME = re.compile(r"[A-Za-z][\w.+-]*")


@dataclass(frozen=True)
class Pin:
    """A pinned baseline.

    Args:
        path: its file.
        name: its name.
        pinned: when, ISO 8601.
        overlooked: what spoke against the run and was overruled by --force.
        source: name of the run file that it was made from.
        sha256: digest of that file; None where it is not kept beside the baseline.
        run: the figures.
        nodes: pytest's node id of each case, by name and task, as far as known.
    """

    path: Path
    name: str
    pinned: str
    overlooked: tuple[str, ...]
    source: str
    sha256: str | None
    run: RunSummary
    nodes: Mapping[tuple[str, str], str]


def pin_run(results: Store, name: str, path: Path, *, force: bool = False) -> Pin:
    """Make the run at `path` the baseline `name` of its hardware, in place of an earlier one.

    Raises:
        StoreError: the name cannot be one, or something speaks against the run (and not `force`).
        RecordError: the run file is not valid.
    """
    if not _NAME.fullmatch(name):
        raise StoreError(f"name of a baseline {name!r}: expected a letter, then letters, digits and . _ + -")
    data = results.load(path)
    run = summarise_run(data, path)
    against = find_objections(data, run)
    if against and not (force and _is_usable(run)):
        remedy = "" if not _is_usable(run) else "; --force pins it all the same"
        raise StoreError(f"{run.reference} cannot be the baseline {name}: {'; '.join(against)}{remedy}")
    assert run.fingerprint is not None
    folder = results.root / run.fingerprint
    own = Pin(
        path=folder / FOLDER / f"{name}.json",
        name=name,
        pinned=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        overlooked=tuple(against),
        source=path.name,
        sha256=hash_file(path) if path.resolve().parent == folder.resolve() else None,
        run=run,
        nodes=find_nodes(data),
    )
    _write(own)
    return own


def find_objections(data: Mapping[str, Any], run: RunSummary) -> list[str]:
    """List what speaks against a run as the measure of others."""
    if run.fingerprint is None:
        return ["a plain pytest-benchmark file, which does not say on what hardware it was measured"]
    found = [] if any(case.status == "ok" for case in run.cases) else ["it has no good case"]
    failed = [f"{case.case} {case.status}" for case in run.cases if case.status != "ok"]
    invalid = [f"{case.case} {', '.join(case.invalid)}" for case in run.cases if case.invalid]
    code = data["energy"].get("gated", {}).get("exit_code", 0)
    found += [f"failed: {list_few(failed, MOST_NAMED)}"] if failed else []
    found += [f"invalid: {list_few(invalid, MOST_NAMED)}"] if invalid else []
    found += [] if run.finished else ["it was interrupted"]
    found += ["the checkout held changes that are in no commit"] if run.dirty else []
    found += [f"its own gates ended with {code}, {MEANING[code]}"] if blocks(code) else []
    return found


def find_pin(root: Path, name: str, fingerprint: str | None = None) -> Pin | None:
    """Return the baseline of this name, or None.

    Args:
        root: the results folder.
        name: of the baseline, or FINGERPRINT/NAME.
        fingerprint: its hardware; None: the only one that has a baseline of this name.

    Raises:
        StoreError: `fingerprint` is None, and several machines have one.
        RecordError: it is damaged, or the run file that it was made from has been changed since.
    """
    machine, _, short = name.rpartition("/")
    if not _NAME.fullmatch(short) or (machine and fingerprint not in (None, machine)):
        return None
    found = [path for path in list_pins(root, machine or fingerprint) if path.stem == short]
    if len(found) > 1:
        choices = ", ".join(f"{path.parent.parent.name}/{short}" for path in found)
        raise StoreError(f"baseline {short!r} means several: {choices}; say which")
    return read_pin(found[0]) if found else None


def list_pins(root: Path, fingerprint: str | None = None) -> list[Path]:
    """List the files of all baselines, or of those of one machine, by name."""
    return sorted(root.glob(f"{fingerprint or '*'}/{FOLDER}/*.json"))


def read_pin(path: Path) -> Pin:
    """Read a baseline's file.

    Raises:
        RecordError: it is damaged or was edited, or the run file that it was made from was.
        StoreError: it cannot be read.
    """
    try:
        data = parse_json(path.read_bytes())
        check_version(data, str(path))
        if data["digest"] != _digest_of(data):
            raise RecordError(f"{path}: edited since it was pinned; restore it, or set it anew")
        own = _pin_of(data, path)
        check_types(own)
    except RecordError:
        raise
    except OSError as problem:
        raise StoreError(f"{path} cannot be read: {problem.strerror}") from problem
    except (ValueError, TypeError, KeyError, AttributeError) as problem:
        raise RecordError(f"{path}: damaged, no baseline: {problem!r}; restore it, or set it anew") from None
    if own.sha256 is not None and own.run.path != path and hash_file(own.run.path) != own.sha256:
        raise RecordError(
            f"{own.run.path}: changed since the baseline {own.name} was made from it; restore the file, "
            f"or set the baseline anew (baseline set {own.name} RUN)"
        )
    return _update_keys(own)


def _update_keys(own: Pin) -> Pin:
    """Give the cases of a baseline the keys that their records have today, where its run file is still there.

    What a key is made of may change, and a baseline keeps keys only.
    """
    if own.run.path == own.path:
        return own
    today = {case.identity: case.keys for case in summarise_run(read_run(own.run.path), own.run.path).cases}
    cases = (replace(case, keys=today.get(case.identity, case.keys)) for case in own.run.cases)
    return replace(own, run=replace(own.run, cases=tuple(cases)))


def find_nodes(data: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    """Return pytest's node id of each case of a run file, by name and task, as far as known."""
    if "energy" not in data:
        plain = ((summarise_plain(entry), entry["fullname"]) for entry in data["benchmarks"])
        return {case.identity: str(node) for case, node in plain}
    records = (record for record in list_records(data) if record.get("node"))
    return {(record["case"], record["task"]): str(record["node"]) for record in records}


def name_elsewhere(root: Path, name: str) -> str:
    """Say on which hardware there are baselines, for a user who found none; empty if nowhere."""
    found = list_pins(root)
    same = sorted({path.parents[1].name for path in found if path.stem == name})
    if same:
        return f"{name} is pinned for {', '.join(same)}"
    others = sorted(f"{path.parents[1].name}/{path.stem}" for path in found)
    return f"pinned are {', '.join(others)}" if others else "nothing is pinned yet"


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a text file, the same whatever line ends a checkout gives it."""
    return hashlib.sha256(path.read_bytes().replace(b"\r\n", b"\n")).hexdigest()


def _is_usable(run: RunSummary) -> bool:
    """Tell whether a run may be pinned by force: it must say its hardware, and have something to compare."""
    return run.fingerprint is not None and any(case.status == "ok" for case in run.cases)


def _write(own: Pin) -> None:
    run = asdict(own.run)
    del run["path"]
    for case in run["cases"]:
        case["node"] = own.nodes.get((case["case"], case["task"]))
    body = {
        "schema": SCHEMA,
        "name": own.name,
        "pinned": own.pinned,
        "overlooked": list(own.overlooked),
        "source": own.source,
        "sha256": own.sha256,
        "run": run,
    }
    text = json.dumps({**body, "digest": _digest_of(body)}, indent=1, allow_nan=False) + "\n"
    try:
        own.path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(own.path, text)
    except OSError as problem:
        raise StoreError(f"{own.path} cannot be written: {problem.strerror or problem}") from problem


def _digest_of(data: Mapping[str, Any]) -> str:
    return short_hash(json.loads(json.dumps({key: data[key] for key in data if key != "digest"})))


def _pin_of(data: Mapping[str, Any], path: Path) -> Pin:
    run, nodes = dict(data["run"]), {}
    cases = []
    for fields in run.pop("cases"):
        node = fields.pop("node")
        cases.append(_case(fields))
        if node is not None:
            nodes[cases[-1].identity] = node
    source = path.parents[1] / data["source"]
    shown = source if data["sha256"] is not None and source.is_file() else path
    return Pin(
        path=path,
        name=data["name"],
        pinned=data["pinned"],
        overlooked=tuple(data["overlooked"]),
        source=data["source"],
        sha256=data["sha256"],
        run=RunSummary(**{**run, "path": shown, "cases": tuple(cases)}),
        nodes=nodes,
    )


def _case(fields: dict[str, Any]) -> CaseSummary:
    """Make the lists of JSON the tuples of a summary."""
    values = {name: tuple(own) for name, own in fields.pop("values").items()}
    if "flags" in fields:  # of before, when there was one list of them
        validity = make_validity(fields.pop("flags"))
        fields |= {name: validity[name] for name in ("invalid", "notes")}
    names = ("seeds", "volumes", "sources", "invalid", "notes")  # pins of before know no volumes
    lists = {name: tuple(fields.pop(name, ())) for name in names}
    if "boundary" not in fields:  # of before it was named
        found = {name_boundary(source) for source in lists["sources"]}
        fields["boundary"] = BOTH if len(found) > 1 else next(iter(found), None)
    return CaseSummary(**{**fields, **lists, "values": values})
