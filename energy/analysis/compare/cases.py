"""Which case of the base belongs to which of the head, and why some pairs cannot be judged."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from energy.analysis.compare.result import Problem
from energy.analysis.compare.values import OTHER_SEEDS, Identity, describe_seeds
from energy.records.schema import RecordError
from energy.records.storage.runfile import StoreError, list_records, read_run
from energy.records.summary import CaseSummary, RunSummary
from energy.text import list_few

KEYS_DIFFER = "keys differ: "
# The name of a machine without a GPU, before and since it tells the processor's instructions.
CPU_BEFORE = re.compile(r"(.+-\d+c)-cpu-[0-9a-f]{4}")
CPU_SINCE = re.compile(r"(.+-\d+c)-\w+-cpu-[0-9a-f]{4}")
AMBIGUOUS = "several cases have this name, and nothing tells which of them is which"


@dataclass(frozen=True)
class Matched:
    """One case in both runs; `problem` says why it cannot be judged, as in `result.Row`."""

    case: str
    task: str
    base: CaseSummary | None
    head: CaseSummary | None
    problem: Problem | None = None
    why: str = ""

    @property
    def is_comparable(self) -> bool:
        """Whether nothing is wrong with the pair."""
        return self.problem is None

    @property
    def identity(self) -> Identity:
        """Name and task."""
        return self.case, self.task


def match_cases(base: RunSummary | None, head: RunSummary) -> list[Matched]:
    """Match the cases: those of the head in its order, then what only the base has.

    Without a base every case has no baseline; neither has one whose name a run has twice (tests of the same
    name in two folders): a figure must not be held against that of another test.
    """
    earlier = {} if base is None else _by_name(base, head)
    later = Counter(case.identity for case in head.cases)
    found = []
    for case in head.cases:
        same = earlier.get(case.identity, [])
        is_one = later[case.identity] == 1 and len(same) < 2
        matched = _match(base, same[0] if same and is_one else None, case)
        is_unknown = not is_one and matched.problem == "no-baseline"
        found.append(replace(matched, why=AMBIGUOUS) if is_unknown else matched)
    gone = (case for identity, cases in earlier.items() if identity not in later for case in cases)
    return [*found, *(_match_gone(case) for case in gone)]


def explain_keys(base: RunSummary, head: RunSummary, matched: Sequence[Matched]) -> list[Matched]:
    """Name what is behind keys that differ: `epochs 12 → 30`; reads both files, if they are there."""
    if not any(_other_keys(pair) for pair in matched):
        return list(matched)
    before, after = read_records(base), read_records(head)
    return [
        replace(pair, why=pair.why + name_differences(before.get(pair.identity), after.get(pair.identity)))
        if _other_keys(pair)
        else pair
        for pair in matched
    ]


def _other_keys(pair: Matched) -> bool:
    both = pair.base is not None and pair.head is not None
    return both and pair.problem == "no-baseline" and pair.why.startswith(KEYS_DIFFER)


def find_refusal(base: RunSummary, head: RunSummary, matched: Sequence[Matched]) -> str | None:
    """Say why two runs may not be judged against each other, or None.

    Another board or power limit takes other joules for the same work, and a model's joules are no
    measurement's; what a process caused is not what a machine drew: such a difference tells nothing of the
    code. (A plain pytest-benchmark file names none of this.)
    """
    if base.fingerprint and head.fingerprint and base.fingerprint != head.fingerprint:
        other = f"other hardware or meters: {base.fingerprint} in the base, {head.fingerprint} in the head"
        return f"{other}{_explain_form(base.fingerprint, head.fingerprint)}"
    for pair in filter(lambda one: one.is_comparable, matched):
        before, after = pair.base and pair.base.kind, pair.head and pair.head.kind
        if before and after and before != after:
            return f"joules of another kind: {before} in the base, {after} in the head (first: {pair.case})"
        before, after = pair.base and pair.base.boundary, pair.head and pair.head.boundary
        if before and after and before != after:
            what = f"joules of another boundary: {before} in the base, {after} in the head"
            return f"{what} (first: {pair.case}); measure the base again"
    return None


def _explain_form(one: str, other: str) -> str:
    """Say of two names of a processor that one tells its instructions and the other is of before they did.

    >>> _explain_form("epyc-2c-cpu-12c8", "epyc-2c-avx2-cpu-91bc")[:47]
    '; the first is of before keys told the processo'
    >>> _explain_form("epyc-2c-cpu-12c8", "xeon-2c-avx2-cpu-91bc")
    ''
    """
    before, since = CPU_BEFORE.fullmatch(one), CPU_SINCE.fullmatch(other)
    if before is None or since is None or before[1] != since[1]:
        return ""
    return "; the first is of before keys told the processor's instructions: measure it again"


def refuse_all(matched: Sequence[Matched], why: str) -> list[Matched]:
    """Take its base from every pair that could be judged otherwise."""
    return [replace(pair, problem="no-baseline", why=why) if pair.is_comparable else pair for pair in matched]


def warn_of_runs(base: RunSummary | None, head: RunSummary, matched: Sequence[Matched]) -> Iterator[str]:
    """Yield what a reader should know of two runs that may be compared."""
    for side, run in (("base", base), ("head", head)):
        if run is not None and not run.finished:
            yield f"the {side} ({run.reference}) was interrupted: not all of its cases are there"
    if base is None:
        return
    plain = [side for side, run in (("base", base), ("head", head)) if run.fingerprint is None]
    if plain:
        yield (
            f"{' and '.join(plain)} plain pytest-benchmark: hardware and keys are not known and not checked, "
            "and the rounds of one process count as repeats"
        )
    good = [pair for pair in matched if pair.problem is None]
    yield from _warn_of_seeds(good)
    yield from _warn_of_notes(good)
    others = [pair for pair in good if _differ(pair, "software")]
    if others:
        yield (
            f"other software (libraries or Python) in {len(others)} of {len(good)} cases: what changed may "
            "be theirs"
        )


def _warn_of_notes(good: Sequence[Matched]) -> Iterator[str]:
    """Yield which flags widen the bands of the figures that are compared."""
    for side in ("base", "head"):
        cases = [case for pair in good if (case := getattr(pair, side)) is not None]
        noted = [f"{case.case} {', '.join(case.notes)}" for case in cases if case.notes]
        if noted:
            yield f"noted in the {side}: {list_few(noted, MOST_NAMED)}"


def _warn_of_seeds(good: Sequence[Matched]) -> Iterator[str]:
    """Yield which seeds are compared, where base and head have others."""
    notes = Counter(
        describe_seeds(pair.base.seeds, pair.head.seeds) for pair in good if pair.base and pair.head
    )
    for note, count in notes.items():
        if note:
            rest = "the repeats count as independent" if note == OTHER_SEEDS else "other repeats are left out"
            yield f"{note} in {count} of {len(good)} cases: {rest}"


def _by_name(base: RunSummary, head: RunSummary) -> dict[Identity, list[CaseSummary]]:
    """Return the cases of the base under the names that they have in the head.

    Ours and a plain pytest-benchmark file name the same test differently.
    """
    is_mixed = (base.fingerprint is None) != (head.fingerprint is None)
    names = {name: case.identity for case in head.cases for name in _test_names(case, head)}
    found: dict[Identity, list[CaseSummary]] = {}
    for case in base.cases:
        alike = [names[name] for name in _test_names(case, base) if is_mixed and name in names]
        found.setdefault(alike[0] if alike else case.identity, []).append(case)
    return found


def _test_names(case: CaseSummary, run: RunSummary) -> set[str]:
    """Return the names that a test may have which made this case."""
    if run.fingerprint is None:
        return {case.case.rpartition("::")[2]}
    return {case.case, f"test_{case.task}[{case.case}]"}


def _match(base: RunSummary | None, before: CaseSummary | None, after: CaseSummary) -> Matched:
    problem, why = _find_problem(base, before, after)
    return Matched(after.case, after.task, before, after, problem, why)


def _find_problem(
    base: RunSummary | None, before: CaseSummary | None, after: CaseSummary
) -> tuple[Problem | None, str]:
    """Say what is wrong with a pair; the head's own faults come first."""
    if after.status != "ok":
        return "failed", f"the case ended as: {after.status}"
    if after.invalid:
        return "invalid", f"invalid in the head: {', '.join(after.invalid)}"
    if base is None or before is None:
        return "no-baseline", "no base to compare with" if base is None else "not in the base"
    if before.status != "ok":
        return "no-baseline", f"the base has no figures: it ended as {before.status}"
    if before.invalid:
        return "no-baseline", f"invalid in the base: {', '.join(before.invalid)}"
    if differing := find_differing_keys(before, after):
        return "no-baseline", f"{KEYS_DIFFER}{', '.join(differing)}"
    return None, ""


def _differ(pair: Matched, key: str) -> bool:
    if pair.base is None or pair.head is None:
        return False
    before, after = pair.base.keys.get(key), pair.head.keys.get(key)
    return before is not None and after is not None and before != after


def _match_gone(case: CaseSummary) -> Matched:
    """Describe a case that the head does not have; one that never worked is not missed."""
    if case.status != "ok":
        why = f"not in the head; the base has no figures either: it ended as {case.status}"
        return Matched(case.case, case.task, case, None, "no-baseline", why)
    return Matched(case.case, case.task, case, None, "missing", "in the base and not in the head")


Record = Mapping[str, Any]

# What must be equal, or the two records do not answer the same question. Hardware is a matter of the whole
# run, software only of a warning.
MUST_AGREE = ("data", "case")
MOST_NAMED = 4
LONGEST = 40
ABSENT = "(not there)"


def find_differing_keys(before: CaseSummary, after: CaseSummary) -> list[str]:
    """Name the keys that must agree, that both have, and that do not agree."""
    both = [name for name in MUST_AGREE if name in before.keys and name in after.keys]
    return [name for name in both if before.keys[name] != after.keys[name]]


def read_records(run: RunSummary) -> dict[tuple[str, str], Record]:
    """Return a run's records by case and task; none where its file is gone or was never written.

    A summary holds hashes only, so what is behind them must be read again.
    """
    if not run.path.is_file():
        return {}
    try:
        found = list_records(read_run(run.path))
    except (RecordError, StoreError):
        return {}
    return {(record["case"], record["task"]): record for record in found}


def name_differences(before: Record | None, after: Record | None) -> str:
    """Name the fields of budget and recipe that differ, as the end of a sentence.

    >>> name_differences({"budget": {"epochs": 12}}, {"budget": {"epochs": 30}})
    ': epochs 12 → 30'
    >>> name_differences(None, {"budget": {"epochs": 30}})
    ''
    """
    if before is None or after is None:
        return ""
    # What only one side has is a setting that the program has got or lost meanwhile: it comes last.
    found = sorted(_find_differences(before, after), key=lambda text: ABSENT in text)
    return f": {list_few(found, MOST_NAMED)}" if found else ""


def _find_differences(before: Record, after: Record) -> Iterator[str]:
    """Yield each field that differs; one that only one side has differs, too."""
    for block in ("budget", "recipe"):
        early, late = before.get(block, {}), after.get(block, {})
        for name in dict.fromkeys([*early, *late]):
            differs = early.get(name) != late.get(name) or (name in early) != (name in late)
            if differs and name != "seeds":  # which pair the repeats, and exclude none
                yield f"{name} {_short(early, name)} → {_short(late, name)}"


def _short(block: Mapping[str, Any], name: str) -> str:
    if name not in block:
        return ABSENT
    text = str(block[name])
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
