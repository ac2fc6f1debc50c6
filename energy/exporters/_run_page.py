"""One run as a page of Markdown."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from energy.exporters import Request
from energy.exporters._cases import kinds, names, problem, records
from energy.exporters._markdown import Page, bullets, code, commands, folded, prose, table
from energy.records.storage.runfile import shorten_commit
from energy.report.terminal import caption
from energy.report.terminal import table as terminal

Record = Mapping[str, Any]

COLUMNS = ("dice", "kj_per_epoch", "total_kj", "dice_loss_vs_unet_pct", "seconds", "meter", "validity")


def write_page(request: Request) -> Page:
    """Return the page of a run without a base: what failed first, then the rest in the run's order."""
    found = records(request)
    named = sorted(zip(names(found), found, strict=True), key=lambda case: _rank(case[1]))
    return Page(
        head=_head(request, found),
        rows=len(found),
        body=lambda rows: _body(request, named[:rows]),
        folds=(folded("Environment", environment(request)), folded("How to reproduce", reproduce(request))),
        whole=f"all in {code(f'joulebench show {request.reference}')}",
    )


def environment(request: Request) -> str:
    """Return what a reader must know of the machine."""
    block, machine = request.run["energy"], request.run["machine_info"]
    facts = {f"hardware, {name}": value for name, value in block["hardware"].items()}
    facts |= {"meters": block["meters"], "suite version": block["suite_version"]}
    facts |= {name: machine[name] for name in ("system", "release", "python_version") if name in machine}
    facts |= {"started": block["started"], "finished": block["finished"] or "interrupted"}
    return bullets([f"{prose(str(name))}: {code(_plain(value))}" for name, value in facts.items()])


def reproduce(request: Request) -> str:
    """Return the commands that made this run."""
    commit = request.run["commit_info"]
    lines = [f"git checkout {shlex.quote(str(commit['id']))}", request.run["energy"]["command"]]
    if commit["dirty"]:
        lines.insert(1, "# the checkout held changes that are in no commit")
    return commands(lines)


def _plain(value: Any) -> str:
    """Write a fact of the machine without Python's brackets."""
    if isinstance(value, Mapping):
        known = ((name, one) for name, one in value.items() if one is not None)
        return ", ".join(f"{name} {_plain(one)}" for name, one in known)
    if isinstance(value, list | tuple):
        return "; ".join(map(_plain, value)) or "none"
    return "unknown" if value is None else str(value)


def _head(request: Request, found: Sequence[Record]) -> str:
    counts = Counter("invalid" if _is_invalid(record) else record["status"] for record in found)
    told = ", ".join(f"{count} {status}" for status, count in counts.items())
    mark = "✓" if set(counts) == {"ok"} else "✗"
    block = request.run["energy"]
    finished = "" if block["finished"] else ", interrupted: not all cases are there"
    commit = shorten_commit(request.run["commit_info"])
    dirty = " with changes" if request.run["commit_info"]["dirty"] else ""
    return (
        f"{mark} **{len(found)} cases: {told}**{finished} – {code(block['fingerprint'])}, "
        f"{code(request.reference)}, commit {code(commit)}{dirty}, {prose(request.run['datetime'][:10])}, "
        f"{prose(kinds(found))}"
    )


def _is_invalid(record: Record) -> bool:
    return record["status"] == "ok" and problem(record) is not None


def _rank(record: Record) -> int:
    return 0 if record["status"] != "ok" else 1 if _is_invalid(record) else 2


def _body(request: Request, cases: Sequence[tuple[str, Record]]) -> str:
    """Return the table with the sentences that its figures need."""
    if not cases:
        return ""
    shown = [record for _, record in cases]
    columns = [name for name in COLUMNS if name in terminal.WORDS or _has(shown, name)]
    notes = terminal.Notes()
    rows = [
        [code(name), *(prose(_cell(record, column, columns, notes)) for column in columns)]
        for name, record in cases
    ]
    sentences = caption.write_caption(shown, columns, request.run["energy"]["idle"])
    sentences += [f"[{number}] {text}" for number, text in enumerate(notes.texts, start=1)]
    titles = ["case", *(prose(terminal.TITLES.get(name, name)) for name in columns)]
    return "\n\n".join([table(titles, rows), bullets([prose(line) for line in sentences])])


def _has(shown: Sequence[Record], metric: str) -> bool:
    return any(metric in record["metrics"] for record in shown)


def _cell(record: Record, column: str, columns: Sequence[str], notes: terminal.Notes) -> str:
    return terminal.cell(record, column, ("case", *columns), notes)
