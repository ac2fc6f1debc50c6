"""One record in full, for people: every figure with its spread, every joule with its provenance."""

import json
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any

from energy.records import provenance
from energy.records.validity import describe_validity
from energy.records.volumes import DICE, name_repeats
from energy.report.terminal import caption
from energy.text import format_number

Record = Mapping[str, Any]


def format_record(record: Record) -> str:
    """Return all of a record as indented text."""
    sections = {
        "metrics": _metrics(record),
        "Dice by volume": _volumes(record),
        "energy by domain": _domains(record),
        "faults": _faults(record),
        "epochs": _epochs(record),
        "budget": _fields(record["budget"]),
        "recipe": _fields(record["recipe"]),
        "keys": _fields(record["keys"]),
        "machine": _fields(record["machine"]),
    }
    lines = list(_head(record))
    for title, rows in sections.items():
        body = [f"  {row}" for row in rows]
        lines += ["", title, *body] if body else []
    return "\n".join(lines)


def _head(record: Record) -> Iterator[str]:
    """Yield what the case was and whether it can be trusted."""
    yield f"{record['case']} ({record['task']}): {record['status']}"
    if record["error"]:
        error = record["error"]
        yield f"failed after {format_number(error['seconds'])} s: {error['type']}: {error['message']}"
    yield f"validity {describe_validity(record)}"
    source = provenance.find_provenance(record)
    if source:
        yield f"{caption.sources_in_words(source)}; total {caption.kilojoules(source)}"
    if record["reference"]:
        reference = record["reference"]
        dice = ", ".join(map(_value, reference["dice"]))
        yield f"reference: {reference['case']} ({reference['origin']}), Dice {dice}"


def _metrics(record: Record) -> Iterator[str]:
    """Yield one line per metric: mean, interval, the values, the reason for a gap."""
    for name, summary in record["metrics"].items():
        ends = summary["ci95"]
        spread = f" 95 % [{_value(ends[0])}, {_value(ends[1])}]" if ends else ""
        values = ", ".join(map(_value, summary["values"]))
        several = f"  of {values}" if len(summary["values"]) > 1 else ""
        reason = f"  ({summary['reason']})" if "reason" in summary else ""
        band = summary.get("band")
        within = f" in [{_value(band[0])}, {_value(band[1])}]" if band else ""
        yield f"{name:24} {_value(summary['mean'])} {_unit(summary)}{within}{spread}{several}{reason}"


def _volumes(record: Record) -> Iterator[str]:
    """Yield one line per volume of folds: its Dice over the seeds, which the mean above is over."""
    for volume, dice in record["metrics"].get(DICE, {}).get("by_volume", {}).items():
        yield f"{volume:24} {_value(dice)}"


def _domains(record: Record) -> Iterator[str]:
    """Yield one line per meter and domain: joules, band, coverage, whether it counts in the total."""
    for domain in record["domains"]:
        known = None not in domain["joules"]
        joules = f"{_value(fmean(domain['joules']))} J" if known else f"– ({domain['reason']})"
        band = domain["band"]
        within = f" in [{_value(band[0])}, {_value(band[1])}] J" if band else ""
        coverage = "unknown" if domain["coverage"] is None else f"{100 * domain['coverage']:.0f} %"
        role = f", witness{_disagreement(domain)}" if domain["witness"] else ""
        what = f"{' '.join(filter(None, (domain['domain'], domain['device'])))} ({domain['boundary']})"
        yield f"{what}: {joules}{within}, {domain['kind']} by {domain['source']}, coverage {coverage}{role}"


def _disagreement(domain: Mapping[str, Any]) -> str:
    """Say how far a second opinion lies from the figure in the total: " (+3.1 %)"."""
    shares = [share for share in domain.get("disagreement") or () if share is not None]
    return f" ({', '.join(f'{100 * share:+.1f} %' for share in shares)})" if shares else ""


def _faults(record: Record) -> Iterator[str]:
    """Yield one line per fault of each repeat: when, how long, what is at stake, why."""
    names = name_repeats(record, len(record.get("faults", ())))
    for name, faults in zip(names, record.get("faults", ()), strict=False):
        for fault in faults:
            stake = fault["joules_at_stake"]
            at_stake = "unknown" if stake is None else f"{_value(stake)} J"
            what = f"{fault['kind']} of {fault['source']} {fault['device']}".strip()
            when = f"at {_value(fault['at_seconds'])} s for {_value(fault['seconds'])} s"
            yield f"{name} {when}: {what}, at stake {at_stake} ({fault['reason']})"


def _epochs(record: Record) -> Iterator[str]:
    """Yield one line per epoch of each repeat."""
    names = name_repeats(record, len(record["epochs"]))
    for name, epochs in zip(names, record["epochs"], strict=False):
        for epoch in epochs:
            own = ("epoch", "joules", "band", "seconds")
            rest = "".join(f", {key} {_value(value)}" for key, value in epoch.items() if key not in own)
            joules, seconds, band = _value(epoch["joules"]), _value(epoch["seconds"]), epoch.get("band")
            within = f" in [{_value(band[0])}, {_value(band[1])}]" if band else ""
            yield f"{name} epoch {epoch['epoch']:3}: {joules} J{within}, {seconds} s{rest}"


def _fields(block: Mapping[str, Any]) -> Sequence[str]:
    """Return one line per field."""
    return [
        f"{name}: {value if isinstance(value, str) else json.dumps(value)}" for name, value in block.items()
    ]


def _value(value: Any) -> str:
    """Write a number in four digits or up to its unit, an unknown one as a dash."""
    if value is None:
        return "–"
    if not isinstance(value, float):
        return str(value)
    return f"{value:.0f}" if abs(value) >= 1e4 else f"{value:.4g}"


def _unit(summary: Mapping[str, Any]) -> str:
    return "" if summary["unit"] == "1" else summary["unit"]
