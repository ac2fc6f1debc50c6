"""Do the kilojoules of a run say more than its seconds? Correlation over the techniques of each network.

`python -m tests.audit.time_ranking RUN.json` prints, for each network of a stored run, the correlation of
log kJ with log seconds over its techniques, and over all networks the partial correlation with the networks
taken out. Where both are near 1, the kilojoules rank running times. Of a run whose total is modelled from CPU
time that is so by construction, and its table says "modelled from CPU time".

Of `results/epyc-2c-cpu-12c8/0011_attention_squeeze.json` (CPU of the process and 20 W for the memory of the
machine): 0.9999 over 46 techniques.
"""

from __future__ import annotations

import argparse
import math
import statistics
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from energy.records.provenance import describe_kind, find_provenance
from energy.records.storage.runfile import list_records, read_run

Point = tuple[float, float]  # log seconds, log kJ
FEWEST = 3  # points of a correlation that means anything


def list_points(run: Path) -> tuple[dict[str, list[Point]], set[str]]:
    """Return the techniques of each network, and in words what the totals are made of."""
    points, kinds = defaultdict(list), set()
    for record in list_records(read_run(run)):
        seconds, kilojoules = (_mean(record, name) for name in ("seconds", "total_kj"))
        made_of = find_provenance(record)
        if seconds and kilojoules and made_of is not None:
            points[str(record["arch"])].append((math.log(seconds), math.log(kilojoules)))
            kinds.add(describe_kind(made_of.kind, (source for source, _ in made_of.sources)))
    return dict(points), kinds


def correlate(points: Sequence[Point]) -> float | None:
    """Return the correlation; None of too few points, or where one side does not vary."""
    if len(points) < FEWEST:
        return None
    try:
        return statistics.correlation(*zip(*points, strict=True))
    except statistics.StatisticsError:
        return None


def correlate_within(groups: Mapping[str, Sequence[Point]]) -> float | None:
    """Return the partial correlation with the groups taken out: of differences from their means."""
    rest = []
    for points in (group for group in groups.values() if len(group) > 1):
        means = [statistics.fmean(side) for side in zip(*points, strict=True)]
        rest += [(point[0] - means[0], point[1] - means[1]) for point in points]
    return correlate(rest)


def report(run: Path) -> Iterator[str]:
    """Yield the lines that are printed."""
    groups, kinds = list_points(run)
    yield f"{run.name}: {', '.join(sorted(kinds)) or 'no joules'}"
    for name, points in groups.items():
        yield f"{name}, {len(points)} techniques: {_say(correlate(points))}"
    yield f"networks taken out: {_say(correlate_within(groups))}"


def _mean(record: Mapping[str, object], name: str) -> float | None:
    metrics = record["metrics"]
    assert isinstance(metrics, Mapping)
    mean = metrics.get(name, {}).get("mean")
    return float(mean) if mean else None


def _say(correlation: float | None) -> str:
    return "unknown, too few points" if correlation is None else f"{correlation:.4f}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("run", type=Path)
    print("\n".join(report(parser.parse_args().run)))
