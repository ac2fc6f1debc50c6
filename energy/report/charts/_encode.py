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


def labels(data: str, across: Axis, up: Axis, *, align: str = "left") -> list[alt.Chart]:
    """Return the texts of named rows (x, y, text), each on a halo that keeps lines off it."""
    place = {"x": x(across, None), "y": y(up, None), "text": alt.Text("text:N")}
    base = alt.Chart(alt.NamedData(data))
    halo = base.mark_text(
        align=align,
        baseline="middle",
        stroke=_look.PAPER,
        strokeWidth=3,
        color=_look.PAPER,
        strokeJoin="round",
    )
    text = base.mark_text(align=align, baseline="middle", color=_look.INK)
    return [halo.encode(**place), text.encode(**place)]


def _ticks(axis: Axis) -> alt.Axis:
    return alt.Axis(values=list(axis.ticks), format="~g")


def _scale(axis: Axis) -> alt.Scale:
    return alt.Scale(type="log" if axis.log else "linear", domain=axis.domain, nice=False, zero=False)
