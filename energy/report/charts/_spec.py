"""Vega-Lite specifications from a few words: layers of named rows, encodings, panels side by side.

Plain dictionaries: Altair's objects would take half a second for each chart, most of it for copies of
themselves. The tests have Altair validate what comes out.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from energy.report.charts import _look
from energy.report.charts._axis import Axis
from energy.report.words import clipped

# Pixels that a character takes on average: of names and subtitles (12 px), of titles (14 px, bold).
CHARACTER, BOLD_CHARACTER = 6.6, 8.0
MOST_LINES = 4  # of a subtitle
INSIDE = "inside"  # begins the names of layers of texts that stay within the frame

Spec = dict[str, Any]
Rows = Sequence[Mapping[str, Any]]


def layer(rows: str, mark: str, encoding: Mapping[str, Any], **style: Any) -> Spec:
    """Return a layer of marks.

    Args:
        rows: name of the data.
        mark: point, line, rule, ...
        encoding: by channel.
        style: of all its marks.
    """
    drawn = {"type": mark, **style}
    if "description" not in encoding:
        drawn["aria"] = False  # else each mark would be told as a list of its fields
    return {"data": {"name": rows}, "mark": drawn, "encoding": dict(encoding)}


def inside(rows: str, encoding: Mapping[str, Any], **style: Any) -> Spec:
    """Return a layer of texts none of which leaves the frame: nobody need measure them, see `_render`."""
    field = encoding["text"]["field"]
    return {"name": f"{INSIDE}_{rows}_{field}", **layer(rows, "text", encoding, **style)}


def place(axis: Axis, field: str, title: str | None, ticks: Mapping[str, Any] | None = None) -> Spec:
    """Return the encoding of a place by a field on an axis; ticks: other than the axis's own."""
    return {
        "field": field,
        "type": "quantitative",
        "title": title,
        "axis": dict(ticks)
        if ticks
        else {"values": list(axis.ticks), "format": ".6~g", "labelOverlap": True},
        "scale": {
            "type": "log" if axis.log else "linear",
            "domain": axis.domain,
            "nice": False,
            "zero": False,
        },
    }


def named(field: str, order: Sequence[str], width: int = 260, **axis: Any) -> Spec:
    """Return the encoding of a place by a name, in a given order; names are cut to about a width (pixels)."""
    most = int(width / CHARACTER)
    cut = f"length(datum.label) > {most} ? slice(datum.label, 0, {most - 1}) + '…' : datum.label"
    axis = {"labelExpr": cut, **axis}
    return {"field": field, "type": "nominal", "sort": list(order), "title": None, "axis": axis}


def word(field: str, words: Sequence[str], values: Sequence[Any], title: str | None) -> Spec:
    """Return the encoding of a word by a colour, a shape, ...; without a title it has no legend."""
    return {
        "field": field,
        "type": "nominal",
        "title": title,
        "scale": {"domain": list(words), "range": list(values)},
        **({} if title else {"legend": None}),
    }


def hover(field: str = "told") -> Spec:
    """Return the encodings of what is shown to a pointer that rests on a mark."""
    return {
        "description": {"field": field, "type": "nominal"},
        "tooltip": {"field": field, "type": "nominal", "title": " "},
    }


def text(field: str = "text") -> Spec:
    """Return the encoding of a text."""
    return {"field": field, "type": "nominal"}


def labels(
    rows: str,
    across: Axis,
    up: Axis,
    titles: tuple[str | None, str | None],
    ticks: Mapping[str, Any] | None = None,
) -> list[Spec]:
    """Return the layers of the rows of `_labels.rows`: each text on a halo, and lines to far ones."""

    def at(x: str, y: str) -> Spec:
        return {"x": place(across, x, titles[0], ticks), "y": place(up, y, titles[1])}

    ends = {**at("from_x", "from_y"), "x2": {"field": "to_x"}, "y2": {"field": "to_y"}}
    texts = {**at("x", "y"), "text": text()}
    beside = {"align": "left", "baseline": "middle"}
    # One text, its halo below: see `_render` and the page's style.
    halo = {"stroke": _look.PAPER, "strokeWidth": 3, "strokeJoin": "round"}
    return [
        layer(rows, "rule", ends, color=_look.SOFT, strokeWidth=0.7),
        inside(rows, texts, **beside, **halo, color=_look.INK),
    ]


def panel(layers: Sequence[Spec], title: str, subtitle: str, width: Any, height: Any) -> Spec:
    """Return layers as one panel with its heading; a long subtitle is broken into lines."""
    drawn: Spec = {"layer": list(layers), "width": width, "height": height}
    if isinstance(width, int):
        title = clipped(title, int(width / BOLD_CHARACTER))
        lines = textwrap.wrap(subtitle, int(width / CHARACTER), max_lines=MOST_LINES, placeholder=" …")
        return {**drawn, "title": {"text": title, "subtitle": lines}}
    return {**drawn, "title": {"text": title, "subtitle": subtitle}}


def finished(panels: Sequence[Spec], data: Mapping[str, Rows], columns: int = 2) -> Spec:
    """Return the specification of panels in columns, with the rows that they name."""
    shared = {"color": "shared", "fill": "shared", "shape": "shared", "fillOpacity": "shared"}
    whole: Spec = (
        panels[0]
        if len(panels) == 1
        else {"concat": list(panels), "columns": columns, "resolve": {"scale": shared}}
    )
    return {
        "$schema": _look.SCHEMA,
        **whole,
        "config": _look.config(),
        "datasets": {name: list(rows) for name, rows in data.items()},
    }
