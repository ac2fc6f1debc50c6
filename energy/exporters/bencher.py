"""Bencher Metric Format: JSON for `bencher run --adapter json`, with the bounds of each figure.

A modelled energy is another measure (total-kj-modelled) than a measured one (total-kj), so that no threshold
ever compares the two. Where a flag speaks against a record, its name ends in -bencher-ignore: Bencher keeps
the data and raises no alert. The measure `failed` is 1 for a case that has no figures, and 0 otherwise.

https://bencher.dev/docs/reference/bencher-metric-format
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Mapping
from typing import Any

from energy.exporters import Exported, Request
from energy.exporters._cases import TRACKED, hardware, names, records
from energy.records.metrics import METRICS
from energy.records.provenance import kind_of

OPTIONS = ()

IGNORE = "-bencher-ignore"
LONGEST_NAME = 1024
FAILED = "failed"
# Bencher's percentage test compares with the mean of earlier runs. It knows no noise: this is a start, to be
# replaced by what `calibrate` says of the machine.
BOUNDARY = 0.1
SAMPLES = 10
ONE_FAILED = 0.5


def export(request: Request) -> Exported:
    """Return the file; the note is a command line that uploads it."""
    found = records(request)
    benchmarks = {
        _name(name, record): _measures(record) for name, record in zip(names(found), found, strict=True)
    }
    text = json.dumps(benchmarks, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    used = {measure: metric for record in found for measure, metric in _known(record).items()}
    return Exported({".bencher.json": text}, (_command(request, used),))


def slug(metric: str, kind: str | None) -> str:
    """Return the measure of a metric.

    >>> slug("total_kj", "measured"), slug("total_kj", "modelled"), slug("dice", None)
    ('total-kj', 'total-kj-modelled', 'dice')
    """
    suffix = f"-{kind}" if kind not in (None, "measured") else ""
    return metric.replace("_", "-") + suffix


def _name(name: str, record: Mapping[str, Any]) -> str:
    """Return the benchmark's name: no longer than Bencher takes, and still one of its own."""
    suffix = IGNORE if record["status"] == "ok" and not record["validity"]["ok"] else ""
    room = LONGEST_NAME - len(suffix)
    if len(name) > room:
        digest = f"-{hashlib.sha256(name.encode()).hexdigest()[:12]}"
        name = name[: room - len(digest)] + digest
    return name + suffix


def _measures(record: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    failed = {FAILED: {"value": 0.0 if record["status"] == "ok" else 1.0}}
    return failed | {measure: _value(record["metrics"][metric]) for measure, metric in _known(record).items()}


def _known(record: Mapping[str, Any]) -> dict[str, str]:
    """Return the metrics of a good record by the measures that they are to Bencher."""
    figures = record["metrics"] if record["status"] == "ok" else {}
    known = [name for name in TRACKED if figures.get(name, {"mean": None})["mean"] is not None]
    return {slug(name, kind_of(record, name)): name for name in known}


def _value(figure: Mapping[str, Any]) -> dict[str, float]:
    value = {"value": figure["mean"]}
    if figure["ci95"] is not None:
        value |= {"lower_value": figure["ci95"][0], "upper_value": figure["ci95"][1]}
    return value


def _command(request: Request, measures: Mapping[str, str]) -> str:
    """Return the command line that uploads the file, with a limit on the worse side of each measure."""
    parts = ["bencher", "run", "--adapter", "json", "--testbed", hardware(request.run)]
    parts += _limit(FAILED, "static", "upper", ONE_FAILED)
    for measure, metric in measures.items():
        # A percentage of what may be 0 or negative, such as Dice lost in per cent, limits nothing.
        if METRICS[metric].unit != "%":
            side = "upper" if METRICS[metric].better == "lower" else "lower"
            sample = ["--threshold-max-sample-size", str(SAMPLES)]
            parts += [*_limit(measure, "percentage", side, BOUNDARY), *sample]
    export = ["joulebench", "export", "bencher", request.reference]
    return f"upload by: {shlex.join(export)} | {shlex.join(parts)}"


def _limit(measure: str, test: str, side: str, boundary: float) -> list[str]:
    """Return the options of one threshold; `_` is Bencher's word for no boundary."""
    lower, upper = (str(boundary) if side == own else "_" for own in ("lower", "upper"))
    return [
        *("--threshold-measure", measure, "--threshold-test", test),
        *("--threshold-lower-boundary", lower, "--threshold-upper-boundary", upper),
    ]
