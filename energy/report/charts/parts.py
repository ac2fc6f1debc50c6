"""What a total is made of: GPU, CPU and RAM, and how much of it the idle machine would have drawn anyway."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from energy.report.charts import _axis, _frames, _labels, _look, _names, _spec, _table
from energy.report.charts._chart import Chart
from energy.report.charts._frames import Frame
from energy.report.charts._front import choose_few
from energy.report.charts._spec import Rows, Spec
from energy.report.model import Model, Panel, Point
from energy.report.words import clipped
from energy.text import format_number

PLACE = 8
MOST_BARS = 24
WIDTH = 430
GAP = 5  # pixels between a bar and its total
LONGEST_TEXT = 40  # so that a share that is no such thing leaves the bars their room
# Full where measured, pale where modelled, in both themes: the page's style does not know these.
COLOURS = {"gpu": ("#009e74", "#8ccfbb"), "cpu": ("#0072b3", "#92c1df"), "ram": ("#e69f02", "#f4d28c")}
OTHER = ("#cc79a8", "#e6bdd4")
TITLE = "part; how its joules were got"


def draw(model: Model) -> tuple[Chart, ...] | str:
    """Draw a stacked bar for each case whose parts are all known."""
    frames = _frames.sort_panels(model, _has)
    if not frames:
        return "no record tells the joules of every part of the machine"
    return tuple(_chart(frame) for frame in frames)


def _has(point: Point) -> bool:
    known = [_axis.shown(point.mean("total_kj")), *(_axis.bounded(part.joules) for part in point.parts)]
    return point.good and bool(point.parts) and all(known)


def _chart(frame: Frame) -> Chart:
    chosen = [(panel, _bars(panel)) for panel in frame.panels]
    words = sorted(
        {_word(part.domain, part.kind) for _, points in chosen for point in points for part in point.parts}
    )
    data: dict[str, Rows] = {}
    panels = []
    for number, (panel, points) in enumerate(chosen):
        data |= {
            f"parts{number}": list(_parts(points)),
            f"totals{number}": list(_totals(points)),
        }
        panels.append(_panel(panel, points, number, words))
    return Chart(
        name=f"parts{frame.suffix}",
        title=f"Where the joules go: {frame.task}, {frame.setting}",
        description=" ".join(_description(frame, chosen)),
        spec=_spec.finished(panels, data),
        titles=("machine", "case", "part", "joules are", "kJ", "total kJ", "idle kJ"),
        rows=tuple(row for panel, points in chosen for row in _rows(panel, points)),
    )


def _bars(panel: Panel) -> list[Point]:
    return sorted(choose_few(panel.points, MOST_BARS), key=lambda point: point.figures["total_kj"].mean)


def _word(domain: str, kind: str) -> str:
    return f"{domain.upper().replace(',', ' ')}, {kind}"


def _parts(points: Sequence[Point]) -> Iterator[dict[str, Any]]:
    for point, name in zip(points, _names.short_names(points), strict=True):
        begin = 0.0
        for part in sorted(point.parts, key=lambda part: [*COLOURS, part.domain].index(part.domain)):
            kj = part.joules / 1000
            told = f"{point.case}: {_word(part.domain, part.kind)} {_table.number(kj)} kJ"
            yield {
                "case": point.case,
                "name": name,
                "begin": begin,
                "end": begin + kj,
                "part": _word(part.domain, part.kind),
                "told": told,
            }
            begin += kj


def _totals(points: Sequence[Point]) -> Iterator[dict[str, Any]]:
    for point, name in zip(points, _names.short_names(points), strict=True):
        total, idle = point.figures["total_kj"].mean, point.mean("idle_kj")
        share = "idle share unknown" if idle is None else f"{100 * idle / total:.0f} % idle"
        yield {
            "case": point.case,
            "name": name,
            "total": total,
            "idle": idle,
            "text": clipped(f"{format_number(total)} kJ, {share}", LONGEST_TEXT),
        }


def _panel(panel: Panel, points: Sequence[Point], number: int, words: Sequence[str]) -> Spec:
    order = _names.short_names(points)
    most = max(map(_reach, _totals(points)))
    axis = {"format": ".6~g", "tickCount": 6}

    def along(field: str) -> Spec:
        scale = {"domain": [0, most], "nice": False}
        return {"field": field, "type": "quantitative", "title": "energy / kJ", "scale": scale, "axis": axis}

    y = {"y": _spec.named("name", order, width=400)}
    bars = {"x": along("begin"), "x2": {"field": "end"}, **y, **_inside(words), **_spec.hover()}
    totals = {"x": along("total"), **y, "text": _spec.text()}
    # Clipped: an idle share of a thousand per cent must not widen the chart.
    upright = {"color": _look.INK, "thickness": 2.5, "size": 19, "clip": True}
    layers = [
        _spec.layer(f"parts{number}", "bar", bars, stroke=_look.INK, strokeWidth=0.6, height=13),
        _spec.layer(f"totals{number}", "tick", {"x": along("idle"), **y}, **upright),
        _spec.inside(f"totals{number}", totals, align="left", dx=GAP, color=_look.INK),
    ]
    below = "upright line: what the idle machine would have drawn anyway"
    return _spec.panel(layers, panel.heading, below, WIDTH, {"step": 22})


def _reach(total: Mapping[str, Any]) -> float:
    """Return how many kJ the axis must hold so that the text behind a bar stays in the frame."""
    behind = GAP + _labels.CHARACTER * len(total["text"])
    return float(total["total"]) * WIDTH / (WIDTH - behind)


def _inside(words: Sequence[str]) -> Spec:
    """Fill what was measured, and leave pale and its edge broken what was modelled."""
    colours = [_colour(*word.split(", ")) for word in words]
    dashes = [[1, 0] if word.endswith("measured") else [3, 2] for word in words]
    return {
        "fill": _spec.word("part", words, colours, TITLE),
        "strokeDash": _spec.word("part", words, dashes, TITLE),
    }


def _colour(domain: str, kind: str) -> str:
    full, pale = COLOURS.get(domain.lower(), OTHER)
    return full if kind == "measured" else pale


def _rows(panel: Panel, points: Sequence[Point]) -> Iterator[tuple[str, ...]]:
    for point in points:
        total, idle = point.figures["total_kj"].mean, point.mean("idle_kj")
        for part in point.parts:
            kj = _table.number(part.joules / 1000)
            yield (
                panel.machine,
                point.case,
                part.domain,
                part.kind,
                kj,
                _table.number(total),
                _table.number(idle),
            )


def _description(frame: Frame, chosen: Sequence[tuple[Panel, Sequence[Point]]]) -> Iterator[str]:
    yield "Bars: kJ of GPU, CPU and RAM, one after the other. Full colour was measured;"
    yield "what is pale, its edge broken, was modelled."
    yield "The upright line on a bar is what the machine would have drawn doing nothing, for as long."
    for panel, points in chosen:
        shares = [
            point.figures["idle_kj"].mean / point.figures["total_kj"].mean
            for point in points
            if "idle_kj" in point.figures
        ]
        told = f", of which {100 * min(shares):.0f} to {100 * max(shares):.0f} % are idle" if shares else ""
        yield f"{panel.heading}: {len(points)} cases{told}."
    yield from _frames.left_out(frame, sum(len(panel.points) - len(points) for panel, points in chosen))
