"""What may be relied on in a run: a list to tick off, each point with what it says of this one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from energy.reading.spent import AGREEMENT_SHARE, COVERAGE_SHARE
from energy.records.storage.runfile import shorten_commit
from energy.records.validity import list_objections
from energy.text import list_few

Record = Mapping[str, Any]

# Two repeats have an interval, but one of 12 standard errors to each side.
ENOUGH_REPEATS = 3
MOST_NAMES = 3


class Tick(NamedTuple):
    """One point of the list; `holds` is None where nobody can say."""

    holds: bool | None
    point: str
    told: str


def check_run(data: Mapping[str, Any], records: Sequence[Record]) -> Iterator[Tick]:
    """Yield the points for a run file of ours and its records."""
    commit, block = data["commit_info"], data["energy"]
    good = [record for record in records if record["status"] == "ok"]
    failed = [f"{record['case']} {record['status']}" for record in records if record["status"] != "ok"]
    invalid = [f"{one['case']} {', '.join(told)}" for one in records if (told := list_objections(one))]
    noted = [f"{one['case']} {', '.join(told)}" for one in records if (told := one["validity"]["notes"])]
    yield Tick(block["finished"] is not None, "came to its end", _when(block))
    yield Tick(_is_committed(commit), "a commit tells what was run", _commit(commit))
    yield Tick(not failed, "every case ended well", _few(failed) or f"{len(records)} cases")
    yield Tick(not invalid, "every record is valid", _few(invalid) or "none is invalid")
    yield Tick(True, "what widens a band is noted", _few(noted) or "nothing does")
    yield _totals(good)
    yield _coverage(good)
    yield _witness(good)
    yield _kinds(good)
    yield _idle(block)
    yield _repeats(good)
    yield _conditions(good)


def format_tick(tick: Tick) -> str:
    """Return a point as one line."""
    word = {True: "ok", False: "NOT OK", None: "unknown"}[tick.holds]
    return f"{word:8}{tick.point}: {tick.told}"


def _totals(good: Sequence[Record]) -> Tick:
    unknown = [one["case"] for one in good if one["metrics"].get("total_kj", {}).get("mean") is None]
    return Tick(not unknown and bool(good), "the total energy is known", _few(unknown) or "in every case")


def _coverage(good: Sequence[Record]) -> Tick:
    point = f"the meters saw at least {COVERAGE_SHARE:.0%} of every window"
    shares = [part["coverage"] for one in good for part in one["domains"] if not part["witness"]]
    known = [share for share in shares if share is not None]
    if not known or len(known) < len(shares):
        return Tick(None, point, "a meter does not tell" if shares else "there was no meter")
    return Tick(min(known) >= COVERAGE_SHARE, point, f"the least was {min(known):.1%}")


def _witness(good: Sequence[Record]) -> Tick:
    point = f"a second meter agrees within {AGREEMENT_SHARE:.0%}"
    found = [
        abs(share)
        for one in good
        for part in one["domains"]
        for share in part.get("disagreement") or ()
        if part["kind"] == "measured" and share is not None
    ]
    if not found:
        return Tick(None, point, "there was no second measurement")
    return Tick(max(found) <= AGREEMENT_SHARE, point, f"the most was {max(found):.1%}")


def _kinds(good: Sequence[Record]) -> Tick:
    parts = {(part["kind"], part["source"]) for one in good for part in one["domains"] if not part["witness"]}
    told = ", ".join(f"{source} {kind}" for kind, source in sorted(parts))
    kinds = {kind for kind, _ in parts}
    return Tick(kinds == {"measured"} if kinds else None, "joules are measured", told or "there was no meter")


def _idle(block: Mapping[str, Any]) -> Tick:
    idle, point = block["idle"], "idle power was measured first"
    if idle is None:
        return Tick(False, point, "it was not (--energy-idle)")
    watts = idle["watts"].get("total")
    return Tick(watts is not None, point, "unknown" if watts is None else f"{watts:.3g} W")


def _repeats(good: Sequence[Record]) -> Tick:
    counts = [len(one["metrics"]["seconds"]["values"]) for one in good]
    point = f"every case was repeated, n = {ENOUGH_REPEATS} or more"
    told = "no case" if not counts else f"n = {min(counts)}"
    return Tick(bool(counts) and min(counts) >= ENOUGH_REPEATS, point, told)


def _conditions(good: Sequence[Record]) -> Tick:
    point = "all cases share hardware, software and data"
    several = [
        f"{name} {len(found)} of them"
        for name in ("hardware", "software", "data")
        if len(found := Counter(one["keys"].get(name) for one in good)) > 1
    ]
    return Tick(not several, point, ", ".join(several) or "they do")


def _when(block: Mapping[str, Any]) -> str:
    return "interrupted" if block["finished"] is None else str(block["finished"])


def _commit(commit: Mapping[str, Any]) -> str:
    return f"{shorten_commit(commit)}{', and changes that are in no commit' if commit['dirty'] else ''}"


def _is_committed(commit: Mapping[str, Any]) -> bool:
    return shorten_commit(commit) != str(commit["id"]) and not commit["dirty"]


def _few(names: Sequence[str]) -> str:
    return list_few(names, MOST_NAMES)
