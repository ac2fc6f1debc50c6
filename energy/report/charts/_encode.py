"""Axes and texts as Altair's encodings and layers."""

from __future__ import annotations

import altair as alt

from energy.report.charts import _look
from energy.report.charts._axis import Axis


def x(axis: Axis, title: str | None, field: str = "x") -> alt.X:
    """Return the horizontal place of a row by a field of it."""
    return alt.X(f"{field}:Q", title=title, axis=_ticks(axis), scale=_scale(axis))


def y(axis: Axis, title: str | None, field: str = "y") -> alt.Y:
    """Return the vertical place of a row by a field of it."""
    return alt.Y(f"{field}:Q", title=title, axis=_ticks(axis), scale=_scale(axis))


def labels(number: str, across: Axis, up: Axis, titles: tuple[str, str]) -> list[alt.Chart]:
    """Return the texts of the rows `labels`, each on a halo that keeps lines off, and lines to far ones."""
    place = {"x": x(across, titles[0]), "y": y(up, titles[1])}
    ends = {
        "x": x(across, titles[0], "from_x"),
        "y": y(up, titles[1], "from_y"),
        "x2": "to_x:Q",
        "y2": "to_y:Q",
    }
    base = alt.Chart(alt.NamedData(f"labels{number}"))
    leader = base.mark_rule(color=_look.SOFT, strokeWidth=0.7)
    halo = base.mark_text(
        align="left",
        baseline="middle",
        stroke=_look.PAPER,
        strokeWidth=3,
        color=_look.PAPER,
        strokeJoin="round",
    )
    text = base.mark_text(align="left", baseline="middle", color=_look.INK)
    return [leader.encode(**ends), *(layer.encode(**place, text="text:N") for layer in (halo, text))]


def _ticks(axis: Axis) -> alt.Axis:
    return alt.Axis(values=list(axis.ticks), format=".6~g")


def _scale(axis: Axis) -> alt.Scale:
    return alt.Scale(type="log" if axis.log else "linear", domain=axis.domain, nice=False, zero=False)
