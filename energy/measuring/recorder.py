"""What a run keeps of what it measures: each record in the journal first, then in the order of the run.

Every record passes through `Recorder.keep`, as soon as its case or repeat has ended and before anything else
can go wrong; `--energy-resume` takes over from there what an earlier run left.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from energy.measuring.case import Case
from energy.records.repeats import Repeats, identify_case, list_in_a_row, list_measured
from energy.records.storage import journal
from energy.records.storage.runfile import sort_as_collected

Record = dict[str, Any]


@dataclass
class Recorder:
    """Keeps the records of one run.

    Args:
        journal: the file that each record goes into first; None: the run is not saved.
        id: what its events in the journal have in common.
        first: the recorder of the run whose alarmed cases this one measures once more.
    """

    journal: Path | None = None
    id: str = field(default_factory=lambda: secrets.token_hex(6))
    first: Recorder | None = None
    records: list[Record] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)
    _rule: str = "given"
    _collected: tuple[str, ...] = ()
    _sequence: list[tuple[str, int]] = field(default_factory=list)
    _repeats: Repeats = field(default_factory=Repeats)
    _earlier: tuple[Record, ...] = ()  # what the run that is resumed had finished

    def begin(self, time: str, block: Mapping[str, Any]) -> None:
        """Write the first line of the run, with the file-level block as far as it is known."""
        self._write({"event": "start", "run": self.id, "time": time, "energy": dict(block)})

    def resume(self) -> str:
        """Go on with the last run of the journal that did not come to its end; return what became of that."""
        assert self.journal is not None, "only a run that is saved can be resumed"
        unfinished = journal.find_unfinished(self.journal)
        if unfinished is None:
            return f"no unfinished run in {self.journal}; starting a new one"
        self.id, self._earlier = unfinished.id, unfinished.records
        self._repeats, self._sequence = Repeats(unfinished.repeats), list_measured(unfinished.events)
        ended = set(map(identify_case, self._earlier))
        begun = {identify_case(event["record"]) for event in unfinished.repeats} - ended
        partly = f", some repeats of {len(begun)} more" if begun else ""
        return f"going on with run {self.id}, {len(self._earlier)} case(s) finished{partly}"

    def again(self) -> Recorder:
        """Return a recorder for what is measured once more, which is kept beside the run and not in it."""
        return Recorder(id=self.id, first=self, _rule=self._rule, _collected=self._collected)

    def plan(self, rule: str, collected: Sequence[str]) -> None:
        """Say by which rule the cases are ordered, and in which order they were collected."""
        self._rule, self._collected = rule, tuple(collected)

    def note(self, **facts: Any) -> None:
        """Say something of the run as a whole, which its file shall hold beside the records."""
        self.notes |= facts

    def keep(self, record: Record, number: int = 1, of: int = 1) -> Record:
        """Keep the record of a case, or of the `number`-th of its repeats, that has ended.

        Return it, or the record of the whole case if this was the last of its repeats.
        """
        if of == 1:
            self._sequence += list_in_a_row(record)
            return self._keep_case(record)
        self._sequence.append((record["case"], number))
        self._write({"event": "repeat", "run": self.id, "number": number, "of": of, "record": record})
        whole = self._repeats.add(number, of, record)
        return record if whole is None else self._keep_case(whole)

    def reuse(
        self, case: str, keys: Mapping[str, str], code: str | None = None, seeds: Sequence[int] = ()
    ) -> Record | None:
        """Return the good record that the resumed run left of this case under these keys, code and seeds."""
        for earlier in self._earlier:
            if (earlier["case"], earlier["status"]) == (case, "ok") and _is_of(earlier, keys, code, seeds):
                return earlier
        return None

    def reuse_repeat(
        self, case: Case, keys: Mapping[str, str], code: str | None = None, seeds: Sequence[int] = ()
    ) -> bool:
        """Take over the good record that the resumed run left of this repeat, if there is one.

        Args:
            case: its name, and the number of the repeat.
            keys: of what is asked for.
            code: its digest.
            seeds: of all repeats: one that was trained alone is not the first of three.
        """
        earlier = self._repeats.left_by_earlier(case.node, case.name, case.number, case.of)
        if earlier is None or not _is_of(earlier, keys, code, seeds):
            return False
        whole = self._repeats.add(case.number, case.of, earlier)
        if whole is not None:
            self._keep_case(whole)
        return True

    def parts(self, case: str, node: str | None = None) -> Mapping[int, Record]:
        """Return the records of the repeats of a case of which others are to come, by number from 1 on."""
        return self._repeats.of_case(case, node)

    def measured(self) -> list[Record]:
        """Return what has been measured so far, then what the run has that this one repeats in part."""
        return [*self.records, *(self.first.whole_run() if self.first is not None else [])]

    def whole_run(self) -> list[Record]:
        """Return all records in the order of collection, those that a resumed run had finished among them.

        A case of which some repeats never came is interrupted. The journal does not have that, so that a
        resumed run goes on at the next repeat.
        """
        new = [*self.records, *self._repeats.cut_short()]
        again = set(map(identify_case, new))
        earlier = (record for record in self._earlier if record["status"] == "ok")
        kept = [*(record for record in earlier if identify_case(record) not in again), *new]
        places = sort_as_collected([record["case"] for record in kept], self._collected)
        return [kept[place] for place in places]

    def order(self) -> dict[str, Any]:
        """Return what was measured one after another, and by which rule, as the run's file says it."""
        return {"rule": self._rule, "measured": [list(place) for place in self._sequence]}

    def end(self, file: Path) -> None:
        """Write the last line of a run that came to its end: it is in this file, and cannot be resumed."""
        self._write({"event": "end", "run": self.id, "file": file.name})

    def _keep_case(self, record: Record) -> Record:
        self._write({"event": "case", "run": self.id, "record": record})
        self.records.append(record)
        return record

    def _write(self, event: Mapping[str, Any]) -> None:
        if self.journal is not None:
            journal.append_event(self.journal, event)


def _is_of(record: Record, keys: Mapping[str, str], code: str | None, seeds: Sequence[int]) -> bool:
    same = record["keys"] == keys and record.get("code") == code
    return same and record["budget"].get("seeds", []) == list(seeds)
