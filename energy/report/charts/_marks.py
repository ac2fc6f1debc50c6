"""Which mark a case gets: its shape says how the joules were got, shape and colour what kind of case it is.

Measured and modelled kilojoules never share a shape; a record that something speaks against is hollow.
"""

from __future__ import annotations

from collections.abc import Sequence

from energy.report.charts import _look, _spec
from energy.report.charts._spec import Spec
from energy.report.model import Panel, Point

REFERENCE, PLAIN, WITH = "U-Net, baseline", "other network, baseline", "with a technique"
TITLE = "case; kilojoules"
ROLES = (REFERENCE, PLAIN, WITH)
COLOURS = dict(zip(ROLES, (_look.INK, _look.BLUE, _look.VERMILION), strict=True))

_STAR = (
    "M0,-1L0.22,-0.31L0.95,-0.31L0.36,0.12L0.59,0.81L0,0.38L-0.59,0.81L-0.36,0.12L-0.95,-0.31L-0.22,-0.31Z"
)
_HOURGLASS = "M-0.8,-0.9L0.8,-0.9L-0.8,0.9L0.8,0.9Z"
# Round or square where joules are measured, triangles where modelled, crosses where a total has both.
SHAPES = {
    "measured": ("diamond", "circle", "square"),
    "modelled": ("triangle-down", "triangle-up", "triangle-right"),
    "mixed": (_STAR, "cross", _HOURGLASS),
}
GOOD, INVALID = "ok", "invalid"


def role(point: Point) -> str:
    """Return what kind of case a point is."""
    if point.is_reference:
        return REFERENCE
    return PLAIN if point.technique in ("", "baseline") else WITH


def mark(panel: Panel, point: Point) -> str:
    """Return the word of the legend: what kind of case, and how its joules were got."""
    return f"{role(point)}; {panel.kind or 'not metered'}"


def mark_fields(panel: Panel, point: Point) -> dict[str, str]:
    """Return the fields of a row that say what its mark looks like."""
    return {"mark": mark(panel, point), "record": GOOD if point.good else INVALID}


def outline(words: Sequence[str], any_invalid: bool) -> Spec:
    """Return the encodings of colour and shape for the words of a legend, whose title says what is hollow."""
    shapes = [_shape(word) for word in words]
    return {
        "color": _spec.word("mark", words, _colours(words), _title(any_invalid)),
        "shape": _spec.word("mark", words, shapes, _title(any_invalid)),
    }


def inside(words: Sequence[str], any_invalid: bool) -> Spec:
    """Return the encodings that fill marks and leave invalid ones hollow."""
    return {
        "fill": _spec.word("mark", words, _colours(words), _title(any_invalid)),
        "fillOpacity": _spec.word("record", (GOOD, INVALID), (1, 0), None),
    }


def _title(any_invalid: bool) -> str:
    return f"{TITLE} (hollow: something speaks against the record)" if any_invalid else TITLE


def _colours(words: Sequence[str]) -> list[str]:
    return [COLOURS[word.rpartition("; ")[0]] for word in words]


def _shape(word: str) -> str:
    kind_of_case, _, kind = word.rpartition("; ")
    return SHAPES.get(kind, SHAPES["measured"])[ROLES.index(kind_of_case)]


def in_order(words: Sequence[str]) -> list[str]:
    """Return the words of a legend, each once, in an order that does not depend on the records'."""
    kinds = list(SHAPES)
    known = set(words)
    return sorted(
        known, key=lambda word: (ROLES.index(word.rpartition("; ")[0]), kinds.index(word.rpartition("; ")[2]))
    )
