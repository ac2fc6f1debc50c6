"""Check records and run files against `schema.json`, and say in words what is wrong where."""

import functools
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from energy.records.metrics import METRICS
from energy.records.provenance import find_boundary
from energy.records.volumes import list_seeds

SCHEMA = 1
REMEDY = "write JSON types, and null with a reason for NaN"

EVENTS = ("start", "repeat", "case", "end")
WITH_RECORD = ("repeat", "case")

_FILE = Path(__file__).with_name("schema.json")


class RecordError(ValueError):
    """A record, journal or run file is not what it must be; names file, place, expectation and remedy."""


def check_record(record: Any, where: str) -> None:
    """Raise RecordError unless `record` is a valid case record; `where` names its origin."""
    check_version(record, where)
    _check(record, "record", where)
    for problem in _record_problems(record):
        raise RecordError(f"{where}: {problem}")


def check_event(event: Any, where: str) -> None:
    """Raise RecordError unless `event` is a valid journal event."""
    check_event_head(event, where)
    if event["event"] in WITH_RECORD:
        check_record(event["record"], f"{where}: record")
    _check(event, "event", where)


def check_event_head(event: Any, where: str) -> None:
    """Raise RecordError unless `event` is one of ours, of a schema that we read; costs no validator."""
    block = (
        event.get("record" if event.get("event") in WITH_RECORD else "energy")
        if isinstance(event, Mapping)
        else None
    )
    if isinstance(block, Mapping) and "schema" in block:
        check_version(block, where)
    if not isinstance(event, Mapping) or event.get("event") not in EVENTS or not event.get("run"):
        raise RecordError(f"{where}: not a journal event: expected event ({', '.join(EVENTS)}) and run")
    if event["event"] in WITH_RECORD and not isinstance(block, Mapping):
        raise RecordError(f"{where}: a {event['event']} without its record")


def check_run(data: Any, path: Path | str) -> None:
    """Raise RecordError unless `data` is a run file of ours, or a plain one of pytest-benchmark."""
    if is_plain(data, path) or is_valid(data):
        return
    _check(data, None, str(path))
    for number, benchmark in enumerate(data["benchmarks"], start=1):
        where = f"{path}: benchmark {number}"
        for problem in _record_problems(benchmark["extra_info"]["energy"]):
            raise RecordError(f"{where}: {problem}")


def is_valid(data: Any) -> bool:
    """Tell whether `data`, as read from JSON, is a run file or a case record of ours, but not why not."""
    if not isinstance(data, Mapping):
        return False
    part = None if "benchmarks" in data else "record"
    try:
        if not _validator(part).is_valid(data):
            return False
    except ValueError:  # a type that JSON does not have
        return False
    records = [data] if part else [benchmark["extra_info"]["energy"] for benchmark in data["benchmarks"]]
    return not any(problem for record in records for problem in _record_problems(record))


def is_plain(data: Any, where: Path | str) -> bool:
    """Tell a plain pytest-benchmark file from one of ours, which must be of a schema that we can read.

    This is all that listing files needs, and costs no import of a validator.

    Raises:
        RecordError: neither of the two, or ours of another schema.
    """
    if not isinstance(data, Mapping) or not isinstance(data.get("benchmarks"), list):
        raise RecordError(f"{where}: not a results file: expected a JSON object with a list of benchmarks")
    if "energy" not in data:
        return True
    check_version(data["energy"], f"{where}: energy")
    return False


def check_version(block: Any, where: str) -> None:
    """Raise RecordError unless `block` says a schema that this version reads."""
    schema = block.get("schema") if isinstance(block, Mapping) else None
    if isinstance(schema, int) and schema > SCHEMA:
        raise RecordError(
            f"{where}: written by a newer joulebench: schema {schema}, this one reads {SCHEMA}: upgrade"
        )
    if schema != SCHEMA:
        raise RecordError(f"{where}: schema is {schema!r}, expected {SCHEMA}; damaged, or not ours")


def to_json(data: Any, where: str, **layout: Any) -> str:
    """Return `data` as JSON text; RecordError where it holds what JSON has no word for."""
    try:
        return json.dumps(data, allow_nan=False, **layout)
    except (TypeError, ValueError) as problem:
        raise RecordError(f"{where}: {problem}; {REMEDY}") from problem


def _check(data: Any, part: str | None, where: str) -> None:
    """Validate `data` against the whole schema or one of its `$defs`; of several errors tell the first."""
    try:
        for path in _not_finite(data, ()):
            raise RecordError(f"{where}: {_words(path)}not a finite number; write null with a reason")
    except RecursionError:
        raise RecordError(f"{where}: nested too deep, expected the few levels of a record") from None
    try:
        errors = list(_validator(part).iter_errors(data))
    except ValueError as problem:
        raise RecordError(f"{where}: {problem}; {REMEDY}") from problem
    if errors:
        error = min(errors, key=lambda one: len(one.instance_path))  # the outermost
        raise RecordError(f"{where}: {_words(error.instance_path)}{_shortened(error.message)}")


@functools.cache
def _validator(part: str | None) -> Any:
    """Return the validator of the whole schema or of one of its `$defs`."""
    # A tenth of a second to import; `list` does without.
    import jsonschema_rs

    return jsonschema_rs.Draft202012Validator(_part(part))


def _part(part: str | None) -> dict[str, Any]:
    """Return the whole schema, or the one of its `$defs` that is asked for."""
    schema: dict[str, Any] = json.loads(_FILE.read_text(encoding="utf-8"))
    return schema if part is None else {"$ref": f"#/$defs/{part}", "$defs": schema["$defs"]}


def _words(path: Iterable[str | int]) -> str:
    """Spell a JSON path: "benchmarks, item 3, stats: "."""
    steps = [f"item {step + 1}" if isinstance(step, int) else str(step) for step in path]
    return ", ".join(steps) + ": " if steps else ""


def _shortened(message: str, limit: int = 300) -> str:
    """Keep both ends of a message that quotes a whole record."""
    return message if len(message) <= limit else f"{message[: limit // 2]} ... {message[-limit // 2 :]}"


def _not_finite(data: Any, path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    """Yield the path of every NaN or infinity, which JSON has no word for."""
    if isinstance(data, float) and not math.isfinite(data):
        yield path
    elif isinstance(data, Mapping):
        for key, value in data.items():
            yield from _not_finite(value, (*path, key))
    elif isinstance(data, (list, tuple)):
        for number, value in enumerate(data):
            yield from _not_finite(value, (*path, number))


def _record_problems(record: Mapping[str, Any]) -> Iterator[str]:
    """Yield what JSON Schema cannot say: lists as long as there are repeats, units as in METRICS."""
    lists = list(_per_repeat(record))
    repeats = _repeats(record, lists)
    for path, values in lists:
        # A case that failed has the repeats that ended before.
        if len(values) > repeats or (len(values) < repeats and record["status"] == "ok"):
            yield f"{path}: {len(values)} values for {repeats} repeats"
    for path, ends in _intervals(record):
        if ends and ends[0] > ends[1]:
            yield f"{path}: the lower end {ends[0]} is above the upper end {ends[1]}"
    for name, summary in record["metrics"].items():
        metric = METRICS.get(name)
        if metric and (summary["unit"], summary["better"]) != (metric.unit, metric.better):
            given = f"unit {summary['unit']}, better {summary['better']}"
            yield f"metrics, {name}: {given}, expected unit {metric.unit}, better {metric.better}"
    if (boundary := find_boundary(record["domains"])) != record["boundary"]:
        yield f"boundary: {record['boundary']}, but its domains are of: {boundary}"
    if record["status"] == "ok" and None in record["metrics"]["seconds"]["values"]:
        yield "metrics, seconds: unknown; a clock always has an answer"


def _repeats(record: Mapping[str, Any], lists: list[tuple[str, list[Any]]]) -> int:
    """Return how many repeats a record has: as it says, one per seed, or as many as the first list holds."""
    seeds = list_seeds(record)
    by_default = len(seeds) if seeds else max((len(values) for _, values in lists[:1]), default=1)
    return int(record.get("repeats", by_default))


def _intervals(record: Mapping[str, Any]) -> Iterator[tuple[str, list[float] | None]]:
    """Yield every interval with its path in words."""
    for name, summary in record["metrics"].items():
        yield f"metrics, {name}, ci95", summary["ci95"]
        yield f"metrics, {name}, band", summary.get("band")
    for number, domain in enumerate(record["domains"], start=1):
        yield f"domains, item {number} ({domain['source']}), band", domain["band"]


def _per_repeat(record: Mapping[str, Any]) -> Iterator[tuple[str, list[Any]]]:
    """Yield every list that holds one entry per repeat, with its path in words."""
    for name, summary in record["metrics"].items():
        yield f"metrics, {name}, values", summary["values"]
    for number, domain in enumerate(record["domains"], start=1):
        yield f"domains, item {number} ({domain['source']}), joules", domain["joules"]
        if domain.get("disagreement"):
            yield f"domains, item {number} ({domain['source']}), disagreement", domain["disagreement"]
    for lists in ("epochs", "faults"):
        if record.get(lists):
            yield lists, record[lists]
    if record["reference"]:
        yield "reference, dice", record["reference"]["dice"]
