"""Runs of many days as summaries, made by hand or from random numbers."""

import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path

from energy.records.summary import CaseSummary, RunSummary

MACHINE = "h200-700w-3f2a"
FIRST = datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.UTC)


def case(name: str, values: Sequence[float | None], metric: str = "total_kj", **changes) -> CaseSummary:
    """Return a good training case with one metric."""
    fields = {
        "task": "training",
        "status": "ok",
        "seeds": tuple(range(len(values))),
        "keys": {"hardware": MACHINE, "software": "5f0e", "data": "77ab", "case": f"{name}-51d0"},
        "values": {metric: tuple(values)},
        "kind": "measured",
        "sources": ("nvml_counter",),
    }
    return CaseSummary(name, **fields | changes)


def run(day: int, cases: Sequence[CaseSummary], fingerprint: str = MACHINE, **changes) -> RunSummary:
    """Return a run that was stored so many days after the first of January 2026."""
    path = Path(f"results/{fingerprint}/{day + 1:04}_x.json")
    when = (FIRST + datetime.timedelta(days=day)).isoformat()
    fields = {"dirty": False, "finished": True, "commit": f"{day:040x}"} | changes
    return RunSummary(path, f"{fingerprint}/{path.stem}", fingerprint, when, cases=tuple(cases), **fields)


def runs(series: Mapping[str, Sequence[float]], metric: str = "total_kj") -> list[RunSummary]:
    """Return one run per day, with one repeat of each case."""
    days = range(len(next(iter(series.values()))))
    return [run(day, [case(name, [own[day]], metric) for name, own in series.items()]) for day in days]
