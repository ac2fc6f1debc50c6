"""Single repeats of a case, kept until its last one has ended, and joined into the one record of their case.

A case's repeats are measured at different times of a run, each with a record of its own. Joined they say what
a record of all repeats at once would have said: values one after another, means and intervals anew.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from statistics import fmean
from typing import Any

from energy.records.metrics import METRICS, summarise_metric
from energy.records.provenance import find_boundary
from energy.records.validity import list_flags, make_validity
from energy.records.volumes import list_seeds, summarise_volumes

Record = dict[str, Any]
Identity = tuple[str | None, str, str]

# What every repeat of a case says of itself in the same words.
NOT_ALWAYS = "this source was not there in every repeat"
SAME = ("schema", "case", "task", "node", "arch", "technique", "budget", "keys", "recipe", "data", "code")


def identify_case(record: Mapping[str, Any]) -> Identity:
    """Return what tells a case from all others of a run: its test, where it is one, beside task and name.

    Two files of a project may have a test of one name.
    """
    return record.get("node"), record["task"], record["case"]


def combine_repeats(parts: Sequence[Record]) -> dict[str, Any]:
    """Return the record of a case from those of its repeats.

    The last part may be one that failed: then the case has failed with it, and keeps of the repeats that
    ended before what a failed case has (epochs, domains, faults; no metric). `error.seconds` is what the
    failed repeat took.

    Args:
        parts: in the order of the repeats; one at least.

    Raises:
        ValueError: the parts are not of one case under one budget, recipe, data and code, or one follows
            another that failed.
    """
    last = parts[-1]
    for name in SAME:
        if any(part.get(name) != last.get(name) for part in parts):
            raise ValueError(f"{last['case']}: its repeats differ in {name}, so they are not of one case")
    if any(part["status"] != "ok" for part in parts[:-1]):
        raise ValueError(f"{last['case']}: a repeat follows one that failed")
    flags = chain.from_iterable(map(list_flags, parts))
    whole = dict(last) | {name: _join(parts, name) for name in ("epochs", "setup", "faults")}
    whole |= {
        "metrics": dict(_join_metrics(parts)) if last["status"] == "ok" else {},
        "domains": (domains := _join_domains(parts)),
        "boundary": find_boundary(domains),
        "reference": _join_reference(parts),
        "validity": make_validity(flags),
        "machine": last["machine"] | {"states": _join([part["machine"] for part in parts], "states")},
    }
    return _count_repeats(whole)


def cut_case_short(parts: Sequence[Record], of: int) -> dict[str, Any]:
    """Return the record of a case of which only some repeats were measured before its run ended.

    Args:
        parts: the records of those repeats, which went well.
        of: how many there should have been.
    """
    whole = combine_repeats(parts)
    error = {
        "type": "Interrupted",
        "message": f"the run ended after {len(parts)} of {of} repeats",
        "seconds": math.fsum(whole["metrics"]["seconds"]["values"]),
    }
    return whole | {"status": "interrupted", "error": error, "metrics": {}}


def _join(parts: Sequence[Record], name: str) -> list[Any]:
    return list(chain.from_iterable(part[name] for part in parts))


def _count_repeats(whole: dict[str, Any]) -> dict[str, Any]:
    """Say how many repeats there are where the seeds do not."""
    repeats, seeds = _count(whole), list_seeds(whole)
    del whole["repeats"]
    differs = bool(seeds) and repeats != len(seeds) and whole["status"] == "ok"
    return whole | ({"repeats": repeats} if differs else {})


def _count(part: Record) -> int:
    return len(part["epochs"])


def _join_metrics(parts: Sequence[Record]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every metric that all repeats have; unknown as soon as one of them does not know it."""
    by_volume = summarise_volumes(_join(parts, "setup"))
    for name in METRICS:
        figures = [part["metrics"].get(name) for part in parts]
        known = [figure for figure in figures if figure is not None]
        if len(known) < len(parts):
            continue
        reason = next((figure["reason"] for figure in known if "reason" in figure), None)
        summary = summarise_metric(name, _join(known, "values"), reason, by_volume.get(name, {}))
        if all("band" in figure for figure in known):
            summary["band"] = _mean_band([figure["band"] for figure in known], parts)
        yield name, summary


def _mean_band(bands: Sequence[Sequence[float] | None], parts: Sequence[Record]) -> list[float] | None:
    """Return the mean ends over all repeats; None if one of the bands is unknown."""
    known = [band for band in bands if band is not None]
    if len(known) < len(bands):
        return None
    return [fmean(ends, map(_count, parts)) for ends in zip(*known, strict=True)]


def _join_domains(parts: Sequence[Record]) -> list[dict[str, Any]]:
    """Return one entry per source and device that any repeat saw; a repeat that did not is null in it."""
    with_repeats = [part for part in parts if _count(part)]
    seen = dict.fromkeys(_key(domain) for part in with_repeats for domain in part["domains"])
    return [_join_domain(key, with_repeats) for key in seen]


def _join_domain(key: tuple[str, ...], parts: Sequence[Record]) -> dict[str, Any]:
    entries = [next((one for one in part["domains"] if _key(one) == key), None) for part in parts]
    known = [entry for entry in entries if entry is not None]
    joules = _list_by_repeat(entries, parts, "joules")
    witness = all(entry["witness"] for entry in known)
    # What a part of several repeats says of its gaps is said of all of them, unless a meter has said more.
    reason = next((entry["reason"] for entry in known if entry["reason"] not in (None, NOT_ALWAYS)), None)
    return {
        **known[0],
        "witness": witness,
        "joules": joules,
        "coverage": min(entry["coverage"] for entry in known),
        "band": _mean_band([None if entry is None else entry["band"] for entry in entries], parts),
        "reason": reason or (NOT_ALWAYS if None in joules else None),
        "disagreement": _list_by_repeat(entries, parts, "disagreement") if witness else None,
    }


def _list_by_repeat(
    entries: Sequence[Record | None], parts: Sequence[Record], name: str
) -> list[float | None]:
    """Put the lists of one source together, with None for every repeat that did not see it."""
    return [
        value
        for entry, part in zip(entries, parts, strict=True)
        for value in (entry[name] if entry is not None else [None] * _count(part))
    ]


def _join_reference(parts: Sequence[Record]) -> dict[str, Any] | None:
    """Return the reference with its figure per repeat, null where it was not known."""
    found = [part["reference"] for part in parts]
    known = [reference for reference in found if reference is not None]
    if not known:
        return None
    dice = _list_by_repeat(found, parts, "dice")
    return {**known[-1], "dice": dice}


def _key(domain: Record) -> tuple[str, ...]:
    return domain["domain"], domain["device"], domain["source"], domain["boundary"]


@dataclass
class Repeats:
    """Holds the records of single repeats, by case and number (from 1 on), until their case is at its end.

    Args:
        before: the "repeat" events of the run that is resumed.
    """

    before: Sequence[Mapping[str, Any]] = ()
    done: dict[Identity, dict[int, Record]] = field(default_factory=dict)
    expected: dict[Identity, int] = field(default_factory=dict)

    def add(self, number: int, of: int, part: Record) -> Record | None:
        """Add a repeat; return the case's record if this was the last of it, or if it failed."""
        own = identify_case(part)
        parts = self.done.setdefault(own, {})
        parts[number], self.expected[own] = part, of
        if part["status"] == "ok" and len(parts) < of:
            return None
        del self.done[own]
        return combine_repeats([parts[each] for each in sorted(parts)])

    def cut_short(self) -> list[Record]:
        """Return the records of the cases whose other repeats never came."""
        return [
            cut_case_short([parts[number] for number in sorted(parts)], self.expected[own])
            for own, parts in self.done.items()
        ]

    def left_by_earlier(self, node: str | None, case: str, number: int, of: int) -> Record | None:
        """Return the good record that the resumed run left of a repeat."""
        for event in self.before:
            part: Record = event["record"]
            place = (part.get("node"), part["case"], event["number"], event["of"], part["status"])
            if place == (node, case, number, of, "ok"):
                return part
        return None

    def of_case(self, case: str, node: str | None = None) -> Mapping[int, Record]:
        """Return the repeats of a case that wait for others, by number; `node` says of which test."""
        for (own, _, name), parts in self.done.items():
            if name == case and node in (None, own):
                return parts
        return {}


def list_measured(events: Iterable[Mapping[str, Any]]) -> list[tuple[str, int]]:
    """Return what the events of a journal say was measured one after another: (case, repeat from 1 on)."""
    found: list[tuple[str, int]] = []
    in_repeats: set[Identity] = set()
    for event in events:
        if event["event"] == "repeat":
            found.append((event["record"]["case"], event["number"]))
            in_repeats.add(identify_case(event["record"]))
        elif event["event"] == "case" and identify_case(event["record"]) not in in_repeats:
            found += list_in_a_row(event["record"])
    return found


def list_in_a_row(record: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Return what was measured of a case whose repeats followed each other; one, if none of them ended."""
    return [(record["case"], number) for number in range(1, max(1, len(record["epochs"])) + 1)]
