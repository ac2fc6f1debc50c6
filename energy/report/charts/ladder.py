"""The study's ladder: techniques tried one after another, each kept if it raises Dice per kJ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from energy.report.charts import _axis, _look, _marks, _spec, _table
from energy.report.charts._axis import Axis
from energy.report.charts._chart import Chart
from energy.report.charts._spec import Spec
from energy.report.model import Model, Panel, Point, finite, label
from energy.text import format_number

PLACE = 5
MOST_LADDERS = 4
MOST_RUNGS = 60
WIDTH = 560
START, KEPT, DROPPED = "start", "kept", "dropped"
VERDICTS = (START, KEPT, DROPPED)
COLOURS = (_look.INK, _look.BLUE, _look.VERMILION)
TITLE = "Dice per kJ / (1/kJ)"
LEGEND = "verdict; kilojoules"


@dataclass(frozen=True)
class Rung:
    """One step of a ladder as its record has it; None where there is no figure."""

    name: str
    verdict: str
    why: str
    dice: float | None
    total_kj: float | None
    dice_per_kj: float | None


def draw(model: Model) -> tuple[Chart, ...] | str:
    """Draw each ladder: its rungs from the top, their Dice per kJ, what was kept."""
    found = [
        (panel, point, rungs)
        for panel in model.panels
        if panel.task == "ladder"
        for point in panel.points
        if (rungs := _rungs(point))
    ]
    if not found:
        return "no ladder was climbed (pytest benchmarks --ladder)"
    return tuple(
        _chart(panel, point, rungs, "" if number == 1 else f"-{number}")
        for number, (panel, point, rungs) in enumerate(found[:MOST_LADDERS], start=1)
    )


def _rungs(point: Point) -> list[Rung]:
    """Return the rungs that the record tells in the form that the suite writes; none if it has another."""
    if point.status != "ok" or not point.facts:
        return []
    told = point.facts[0].get("ladder")
    rungs = told.get("rungs") if isinstance(told, Mapping) else None
    if not isinstance(rungs, list) or not all(isinstance(rung, Mapping) for rung in rungs):
        return []
    read = [_rung(number, rung) for number, rung in enumerate(rungs[:MOST_RUNGS])]
    return read if any(_axis.bounded(rung.dice_per_kj) for rung in read) else []


def _rung(number: int, rung: Mapping[str, Any]) -> Rung:
    tried = label(str(rung.get("tried")), 40)
    return Rung(
        name=tried if number == 0 else f"{number}. + {tried}",
        verdict=label(str(rung.get("verdict")), 20),
        why=label(str(rung.get("why") or ""), 200),
        dice=finite(rung.get("dice")),
        total_kj=finite(rung.get("total_kj")),
        dice_per_kj=finite(rung.get("dice_per_kj")),
    )


def _chart(panel: Panel, point: Point, rungs: Sequence[Rung], suffix: str) -> Chart:
    known = [rung.dice_per_kj for rung in rungs if rung.dice_per_kj is not None]
    axis = _axis.linear([0.0, *(value for value in known if _axis.bounded(value))], least=0.0)
    data = {"rungs": list(_rows(panel, rungs)), "held": list(_held(rungs))}
    kept = [rung.name for rung in rungs if rung.verdict == KEPT]
    return Chart(
        name=f"ladder{suffix}",
        title=f"The ladder of {point.arch or point.case}: {panel.machine}, {panel.setting}",
        description=(
            "Techniques tried one after another, from the top, each on top of what is kept; one is kept "
            f"if Dice per kJ rises beyond the noise. {panel.heading}. Kept: {', '.join(kept) or 'none'}. "
            "The line is what was held. Rungs without a mark were skipped or failed."
        ),
        spec=_spec.finished([_drawn(panel, rungs, axis)], data),
        titles=("rung", "Dice", "total kJ", "Dice/kJ", "verdict", "why"),
        rows=tuple(
            (
                rung.name,
                *map(_table.number, (rung.dice, rung.total_kj, rung.dice_per_kj)),
                rung.verdict,
                rung.why or "–",
            )
            for rung in rungs
        ),
    )


def _rows(panel: Panel, rungs: Sequence[Rung]) -> Iterator[dict[str, Any]]:
    for rung in rungs:
        has_mark = rung.verdict in VERDICTS and _axis.bounded(rung.dice_per_kj)
        figures = "" if rung.dice is None else f"Dice {format_number(rung.dice)}"
        figures += "" if rung.total_kj is None else f", {format_number(rung.total_kj)} kJ"
        told = f"{rung.name}: {rung.verdict}{f', {rung.why}' if rung.why else ''}"
        yield {
            "rung": rung.name,
            "value": rung.dice_per_kj if has_mark else None,
            "verdict": f"{rung.verdict}; {panel.kind or 'not metered'}",
            "text": f"{rung.verdict}{f' ({figures})' if figures else ''}",
            "told": told,
        }


def _held(rungs: Sequence[Rung]) -> Iterator[dict[str, Any]]:
    """Yield by rung the Dice per kJ that is held after it."""
    held = None
    for place, rung in enumerate(rungs):
        if rung.verdict in (START, KEPT):
            held = rung.dice_per_kj
        if _axis.bounded(held):
            yield {"rung": rung.name, "value": held, "place": place}


def _drawn(panel: Panel, rungs: Sequence[Rung], axis: Axis) -> Spec:
    order = [rung.name for rung in rungs]
    at = {
        "x": _spec.place(axis, "value", TITLE),
        "y": _spec.named("rung", order, grid=True),
    }
    kind = panel.kind or "not metered"
    words = [f"{verdict}; {kind}" for verdict in VERDICTS]
    shapes = _marks.SHAPES.get(kind, _marks.SHAPES["measured"])
    ways = {"color": COLOURS, "fill": COLOURS, "shape": shapes}
    marks = {channel: _spec.word("verdict", words, values, LEGEND) for channel, values in ways.items()}
    held = {**at, "order": {"field": "place", "type": "quantitative"}}
    text = {"x": {"value": WIDTH + 10}, "y": at["y"], "text": _spec.text()}
    layers = [
        _spec.layer("held", "line", held, interpolate="step-before", color=_look.SOFT, strokeWidth=1.6),
        _spec.layer("rungs", "point", {**at, **marks, **_spec.hover()}, size=90, opacity=1),
        _spec.layer("rungs", "text", text, align="left", color=_look.INK),
    ]
    return _spec.panel(layers, panel.heading, ", ".join(panel.sources), WIDTH, {"step": 22})
