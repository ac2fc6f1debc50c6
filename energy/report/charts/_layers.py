"""The layers of a scatter of cases: lines below, intervals, repeats, cases, labels on top.

All read rows that are named by their panel: points0, repeats0, front0, labels0, reference0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt

from energy.report.charts import _encode, _look, _marks
from energy.report.charts._axis import Axis
from energy.report.model import Figure, Panel

LONGEST_SUBTITLE = 90


@dataclass(frozen=True)
class Layers:
    """What the layers of a panel share.

    Args:
        number: of the panel, which its rows' names end in.
        across: horizontal axis.
        up: vertical axis.
        titles: of the two.
        size: width and height in pixels.
        words: of the legend of marks.
        flagged: whether the legend tells what is hollow.
    """

    number: str
    across: Axis
    up: Axis
    titles: tuple[str, str]
    size: tuple[int, int]
    words: Sequence[str]
    flagged: bool

    def rows(self, name: str) -> alt.Chart:
        """Return an empty chart of some named rows of this panel."""
        return alt.Chart(alt.NamedData(f"{name}{self.number}"))

    def x(self, field: str = "x") -> alt.X:
        """Return the horizontal place by a field."""
        return _encode.x(self.across, self.titles[0], field)

    def y(self, field: str = "y") -> alt.Y:
        """Return the vertical place by a field."""
        return _encode.y(self.up, self.titles[1], field)


def panel(
    layers: Layers, of: Panel, *, below: Sequence[alt.Chart] = (), of_reference: bool = True
) -> alt.LayerChart:
    """Return the layers of one panel, headed by machine, kind of joules and meters.

    Args:
        layers: what they share.
        of: the panel.
        below: what lies under all others.
        of_reference: whether there are lines of the U-Net and of the front.
    """
    width, height = layers.size
    title = alt.TitleParams(of.heading, subtitle=", ".join(of.sources)[:LONGEST_SUBTITLE])
    lines = _lines(layers) if of_reference else []
    texts = _encode.labels(layers.number, layers.across, layers.up, layers.titles)
    drawn = alt.layer(*below, *lines, *_intervals(layers), *_cases(layers), *texts)
    return drawn.properties(width=width, height=height, title=title)


def ends(name: str, figure: Figure, axis: Axis) -> dict[str, float]:
    """Return the ends of an interval as fields of a row, x1 and x2, as far as the frame goes."""
    if figure.interval is None:
        return {}
    low, high = map(axis.clamp, figure.interval)
    return {f"{name}1": low, f"{name}2": high}


def _lines(layers: Layers) -> list[alt.Chart]:
    """Return the dashed lines of the U-Net, and the step line of the front."""
    reference = layers.rows("reference").mark_rule(strokeDash=[3, 3], color=_look.SOFT)
    line = layers.rows("front").mark_line(
        interpolate="step-after", color=_look.SOFT, strokeWidth=1.6, clip=True
    )
    x, y = layers.x(), layers.y()
    return [reference.encode(x=x), reference.encode(y=y), line.encode(x=x, y=y)]


def _intervals(layers: Layers) -> list[alt.Chart]:
    bars = layers.rows("points").mark_rule(color=_look.SOFT, strokeWidth=1.2, clip=True)
    return [
        bars.encode(x=layers.x("x1"), x2="x2:Q", y=layers.y()),
        bars.encode(x=layers.x(), y=layers.y("y1"), y2="y2:Q"),
    ]


def _cases(layers: Layers) -> list[alt.Chart]:
    """Return the small marks of the repeats and the marks of the cases, hollow where flagged."""
    colour, shape = _marks.colour(layers.words), _marks.shape(layers.words)
    place = {"x": layers.x(), "y": layers.y(), "shape": shape}
    repeats = layers.rows("repeats").mark_point(size=16, strokeWidth=1, opacity=1)
    cases = layers.rows("points").mark_point(size=80, strokeWidth=1.8, opacity=1)
    told = {"description": alt.Description("told:N"), "tooltip": alt.Tooltip("told:N", title=" ")}
    return [
        repeats.encode(**place, color=colour),
        cases.encode(
            **place,
            **told,
            color=colour,
            fill=_marks.fill(layers.words),
            fillOpacity=_marks.fill_opacity(layers.flagged),
        ),
    ]
