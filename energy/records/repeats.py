"""The repeats of cases of which others are still to come, and what an earlier run left of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from energy.records.combine import combine, cut_short

Record = dict[str, Any]


@dataclass
class Repeats:
    """Holds the records of single repeats, by case and number (from 1 on), until their case is at its end.

    Args:
        before: the "repeat" events of the run that is resumed.
    """

    before: Sequence[Mapping[str, Any]] = ()
    done: dict[str, dict[int, Record]] = field(default_factory=dict)
    of: dict[str, int] = field(default_factory=dict)

    def add(self, number: int, of: int, part: Record) -> Record | None:
        """Add a repeat; return the case's record if this was the last of it, or if it failed."""
        parts = self.done.setdefault(part["case"], {})
        parts[number], self.of[part["case"]] = part, of
        if part["status"] == "ok" and len(parts) < of:
            return None
        del self.done[part["case"]]
        return combine([parts[each] for each in sorted(parts)])

    def cut_short(self) -> list[Record]:
        """Return the records of the cases whose other repeats never came."""
        return [
            cut_short([parts[number] for number in sorted(parts)], self.of[case])
            for case, parts in self.done.items()
        ]

    def left_by_earlier(self, case: str, number: int, of: int) -> Record | None:
        """Return the good record that the resumed run left of a repeat."""
        for event in self.before:
            part: Record = event["record"]
            place = (part["case"], event["number"], event["of"], part["status"])
            if place == (case, number, of, "ok"):
                return part
        return None


def measured(events: Iterable[Mapping[str, Any]]) -> list[tuple[str, int]]:
    """Return what the events of a journal say was measured one after another: (case, repeat from 1 on)."""
    found: list[tuple[str, int]] = []
    in_repeats: set[str] = set()
    for event in events:
        if event["event"] == "repeat":
            found.append((event["record"]["case"], event["number"]))
            in_repeats.add(event["record"]["case"])
        elif event["event"] == "case" and event["record"]["case"] not in in_repeats:
            found += in_a_row(event["record"])
    return found


def in_a_row(record: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Return what was measured of a case whose repeats followed each other; one, if none of them ended."""
    return [(record["case"], number) for number in range(1, max(1, len(record["epochs"])) + 1)]
