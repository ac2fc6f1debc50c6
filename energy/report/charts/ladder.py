"""The study's ladder: techniques tried one after another, each kept if it raises Dice per kJ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from energy import digits
from energy.report.charts import _axis, _encode, _frames, _look, _marks, _table
from energy.report.charts._axis import Axis
from energy.report.charts._chart import Chart
from energy.report.model import Model, Panel, Point, finite, label

PLACE = 5
MOST_LADDERS = 4
MOST_RUNGS = 60
START, KEPT, DROPPED = "start", "kept", "dropped"
VERDICTS = (START, KEPT, DROPPED)
COLOURS = (_look.INK, _look.BLUE, _look.VERMILION)
TITLE = "Dice per kJ / (1/kJ)"


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
            "Techniques tried one after another, from the top, each on top of what was kept so far; a technique is kept if "
            f"Dice per kJ rises beyond the noise. {panel.heading}. Kept: {', '.join(kept) or 'none'}. The line is what was "
            "held. Rungs without a mark were skipped or failed."
        ),
        spec=_frames.finished(_drawn(panel, rungs, axis), data),
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
        figures = "" if rung.dice is None else f"Dice {digits.number(rung.dice)}"
        figures += "" if rung.total_kj is None else f", {digits.number(rung.total_kj)} kJ"
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
    for rung in rungs:
        if rung.verdict in (START, KEPT):
            held = rung.dice_per_kj
        if _axis.bounded(held):
            yield {"rung": rung.name, "value": held}


def _drawn(panel: Panel, rungs: Sequence[Rung], axis: Axis) -> alt.LayerChart:
    order = [rung.name for rung in rungs]
    y = alt.Y("rung:N", sort=order, title=None, axis=alt.Axis(labelLimit=260, grid=True))
    x = _encode.x(axis, TITLE, "value")
    words = [f"{verdict}; {panel.kind or 'not metered'}" for verdict in VERDICTS]
    shapes = list(_marks.SHAPES.get(panel.kind or "", _marks.SHAPES["measured"]))
    scales = {"color": COLOURS, "fill": COLOURS, "shape": shapes}
    encodings = {
        "color": alt.Color(
            "verdict:N", scale=alt.Scale(domain=words, range=list(COLOURS)), title="verdict; kilojoules"
        ),
        "fill": alt.Fill(
            "verdict:N", scale=alt.Scale(domain=words, range=list(COLOURS)), title="verdict; kilojoules"
        ),
        "shape": alt.Shape(
            "verdict:N", scale=alt.Scale(domain=words, range=scales["shape"]), title="verdict; kilojoules"
        ),
    }
    rows = alt.Chart(alt.NamedData("rungs"))
    line = alt.Chart(alt.NamedData("held")).mark_line(interpolate="step", color=_look.SOFT, strokeWidth=1.6)
    marks = rows.mark_point(size=90, opacity=1).encode(
        x=x, y=y, **encodings, description="told:N", tooltip=alt.Tooltip("told:N", title=" ")
    )
    text = rows.mark_text(align="left", color=_look.INK).encode(x=alt.value(570), y=y, text="text:N")
    title = alt.TitleParams(panel.heading, subtitle=", ".join(panel.sources)[:90])
    held = line.encode(x=x, y=y, order=alt.Order("rung:N", sort=None))
    return alt.layer(held, marks, text).properties(width=560, height=alt.Step(22), title=title)
