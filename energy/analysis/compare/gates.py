"""Read a gate as people write it: METRIC[@CASE-REGEX]:LIMIT, METRIC<=LIMIT or METRIC>=LIMIT."""

from __future__ import annotations

import math
import re
from typing import Literal

from energy.analysis.compare.gate import Gate
from energy.records.metrics import METRICS
from energy.text import explain_unknown

FORM = "METRIC[@CASE-REGEX]:LIMIT, as in kj_per_epoch:5%, dice:0.01, total_kj@attention.*<=25 or session:4%"
COMMAND_LINE = "command line"
SESSION = "session"
# What all cases have in common is told by what they cost in all.
SESSION_METRIC = "total_kj"

# The regex may hold any of the three signs; a limit holds none, so the last sign is the gate's.
_GATE = re.compile(r"(?P<metric>[^@:<>=]+)(?:@(?P<cases>.*))?(?P<sign>:|<=|>=)(?P<limit>[^:<>=]*)", re.DOTALL)

Kind = Literal["relative", "absolute", "ceiling", "floor", "session"]


class GateError(ValueError):
    """A gate that cannot be meant; names the gate, where it was written, and what to write instead."""


def parse(text: str, origin: str) -> Gate:
    """Read one gate.

    The direction comes from the metric, so a limit has no sign: `dice:0.01` fails a Dice that is 0.01 lower,
    `total_kj:5%` a total that is 5 % higher.

    Args:
        text: the gate.
        origin: where it was written, such as "command line".

    Raises:
        GateError: not of that form, no such metric, one without a direction, or a limit that nothing can
            break or keep.
    """
    try:
        return _parsed(text, origin)
    except ValueError as mistake:
        raise GateError(f"gate {text!r} ({origin}): {mistake}") from None


def of_case(text: str, origin: str, case: str) -> Gate:
    """Read a gate that stands on one case, as a marker does, and is about no other.

    Raises:
        GateError: as `parse`, or it names cases of its own.
    """
    gate = parse(text, origin)
    if gate.cases is not None or gate.kind == SESSION:
        told = "is about all cases" if gate.kind == SESSION else "names its cases after @"
        raise GateError(f"gate {text!r} ({origin}): {told}, but a marker is about its own; leave that out")
    return Gate(gate.text, gate.metric, only([case]), gate.kind, gate.limit, origin)


def only(cases: list[str]) -> re.Pattern[str]:
    """Return the pattern that fits these names and no other."""
    return re.compile(rf"\A(?:{'|'.join(map(re.escape, cases))})\Z")


def _parsed(text: str, origin: str) -> Gate:
    parts = _GATE.fullmatch(text.strip())
    if parts is None:
        raise ValueError(f"expected {FORM}")
    metric, sign = parts["metric"].strip(), parts["sign"]
    limit, is_share = _limit(parts["limit"].strip())
    cases = None if parts["cases"] is None else _pattern(parts["cases"])
    if metric == SESSION:
        _check_session(sign, is_share, cases)
        return Gate(text, SESSION_METRIC, None, "session", limit, origin)
    _check_metric(metric)
    kind = _kind(sign, is_share)
    _check(metric, kind, limit)
    return Gate(text, metric, cases, kind, limit, origin)


def _limit(text: str) -> tuple[float, bool]:
    """Return the number, and whether it is a share: 5% is 0.05."""
    if text[:1] in ("+", "-"):
        raise ValueError("a limit has no sign: whether more or less is worse is known of the metric")
    number = text.removesuffix("%").strip()
    if not re.fullmatch(r"\d+(\.\d*)?|\.\d+", number):
        raise ValueError(f"limit {text!r} is no number: expected 5%, 0.01 or the like; {FORM}")
    is_share = text.endswith("%")
    value = float(number) / (100 if is_share else 1)
    if not math.isfinite(value):
        raise ValueError(f"limit {text!r} is not a finite number")
    return value, is_share


def _pattern(text: str) -> re.Pattern[str]:
    if not text:
        raise ValueError("no case after @: write a regular expression, or leave out the @")
    try:
        return re.compile(text)
    except re.error as problem:
        raise ValueError(f"{text!r} is no regular expression: {problem}") from None


def _check_session(sign: str, is_share: bool, cases: re.Pattern[str] | None) -> None:
    if sign != ":" or not is_share or cases is not None:
        raise ValueError("what all cases have in common is limited in per cent, as in session:4%")


def _check_metric(metric: str) -> None:
    if metric not in METRICS:
        raise ValueError(explain_unknown("metric", metric, (*METRICS, SESSION)))
    if METRICS[metric].better is None:
        raise ValueError(
            f"{metric} is a witness: neither more nor less of it is better, so nothing limits it"
        )


def _kind(sign: str, is_share: bool) -> Kind:
    if sign == ":":
        return "relative" if is_share else "absolute"
    if is_share:
        raise ValueError(f"{sign} compares with a figure: expected a number in the metric's unit, without %")
    return "ceiling" if sign == "<=" else "floor"


def _check(metric: str, kind: Kind, limit: float) -> None:
    better, unit = METRICS[metric].better, METRICS[metric].unit
    if (kind, better) in (("ceiling", "higher"), ("floor", "lower")):
        right = ">=" if better == "higher" else "<="
        raise ValueError(f"{better} is better for {metric}: expected {right}")
    if kind == "relative" and unit == "%":
        points = f"{100 * limit:g}"
        raise ValueError(f"{metric} is in per cent itself: write {metric}:{points}, in points of it")
    if kind == "relative" and better == "higher" and limit >= 1:
        raise ValueError(f"{metric} cannot fall by {100 * limit:g} %: nothing would break this limit")
