"""The layers of a scatter of cases: lines below, intervals, repeats, cases, labels on top.

All read rows that are named by their panel: points0, repeats0, front0, labels0, reference0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from energy.report.charts import _look, _marks, _spec
from energy.report.charts._axis import Axis
from energy.report.charts._spec import Spec
from energy.report.model import Figure, Panel


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
        invalid: whether the legend tells what is hollow.
    """

    number: str
    across: Axis
    up: Axis
    titles: tuple[str, str]
    size: tuple[int, int]
    words: Sequence[str]
    invalid: bool

    def rows(self, name: str) -> str:
        """Return the name of some rows of this panel."""
        return f"{name}{self.number}"

    def at(self, x: str = "x", y: str = "y") -> Spec:
        """Return the place by two fields."""
        return {
            "x": _spec.place(self.across, x, self.titles[0]),
            "y": _spec.place(self.up, y, self.titles[1]),
        }


def panel(layers: Layers, of: Panel, *, below: Sequence[Spec] = (), of_reference: bool = True) -> Spec:
    """Return the layers of one panel, headed by machine, kind of joules and meters.

    Args:
        layers: what they share.
        of: the panel.
        below: what lies under all others.
        of_reference: whether there are lines of the U-Net and of the front.
    """
    lines = _lines(layers) if of_reference else []
    texts = _spec.labels(layers.rows("labels"), layers.across, layers.up, layers.titles)
    drawn = [*below, *lines, *_intervals(layers), *_cases(layers), *texts]
    return _spec.panel(drawn, of.heading, ", ".join(of.sources), *layers.size)


def ends(name: str, figure: Figure, axis: Axis) -> dict[str, float]:
    """Return the ends of an interval as fields of a row, x1 and x2, as far as the frame goes."""
    if figure.interval is None:
        return {}
    low, high = map(axis.clamp, figure.interval)
    return {f"{name}1": low, f"{name}2": high}


def _lines(layers: Layers) -> list[Spec]:
    """Return the dashed lines of the U-Net, and the step line of the front."""
    dashed = {"strokeDash": [3, 3], "color": _look.SOFT}
    steps = {"interpolate": "step-after", "color": _look.SOFT, "strokeWidth": 1.6}
    at = layers.at()
    return [
        _spec.layer(layers.rows("reference"), "rule", {"x": at["x"]}, **dashed),
        _spec.layer(layers.rows("reference"), "rule", {"y": at["y"]}, **dashed),
        _spec.layer(layers.rows("front"), "line", at, **steps),
    ]


def _intervals(layers: Layers) -> list[Spec]:
    style = {"color": _look.SOFT, "strokeWidth": 1.2}
    across = {**layers.at(x="x1"), "x2": {"field": "x2"}}
    up = {**layers.at(y="y1"), "y2": {"field": "y2"}}
    return [_spec.layer(layers.rows("points"), "rule", encoding, **style) for encoding in (across, up)]


def _cases(layers: Layers) -> list[Spec]:
    """Return the small marks of the repeats and the marks of the cases, hollow where invalid."""
    marked = {
        **layers.at(),
        **_marks.outline(layers.words, layers.invalid),
        **_marks.inside(layers.words, layers.invalid),
    }
    cases = {**marked, **_spec.hover()}
    return [
        _spec.layer(layers.rows("repeats"), "point", marked, size=16, strokeWidth=1, opacity=1),
        _spec.layer(layers.rows("points"), "point", cases, size=80, strokeWidth=1.8, opacity=1),
    ]
