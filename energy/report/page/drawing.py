"""Charts as the page shows them, and as files for papers."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from energy.records.storage.gather import FoundRun
from energy.report import charts, model
from energy.report.charts import Drawn, _render
from energy.report.charts._chart import Chart
from energy.report.charts._workers import Each, alone
from energy.report.groups import Group
from energy.report.page import past
from energy.report.page.page import Drawing, Drawings
from energy.report.words import clipped

# Rows of the table behind a chart; the table of cases has all.
MOST_ROWS = 150


@dataclass(frozen=True)
class Begun:
    """Charts that are being drawn.

    Args:
        drawn: the charts.
        images: as SVG for the page, in their order.
        specs: as specifications of Vega, which the page need not compile; none if nobody asked for them.
    """

    drawn: Drawn
    images: Iterator[str]
    specs: Iterator[str]


def begin(
    groups: Sequence[Group],
    found: Sequence[FoundRun],
    *,
    overlays: Path | None = None,
    interactive: bool = False,
    each: Each = alone,
) -> Begun:
    """Begin to draw what these results have the figures for: each chart as soon as it is specified."""
    images: list[Iterator[str]] = []
    specs: list[Iterator[str]] = []

    def stands(some: Sequence[Chart]) -> None:
        images.append(each(_render.svg, some))
        if interactive:
            specs.append(each(_render.vega, some))

    drawn = charts.draw(model.of_groups(groups, past.series(found), overlays), stands)
    return Begun(drawn, itertools.chain.from_iterable(images), itertools.chain.from_iterable(specs))


def as_drawings(begun: Begun) -> Drawings:
    """Return the charts as the page shows them, when they are drawn."""
    pairs = list(zip(begun.drawn.charts, begun.images, strict=True))
    return Drawings(
        study=tuple(_drawing(chart, svg) for chart, svg in pairs if chart.part == "study"),
        others=tuple(_drawing(chart, svg) for chart, svg in pairs if chart.part != "study"),
        not_drawn=begun.drawn.reasons,
    )


def specs(begun: Begun) -> dict[str, str]:
    """Return the specifications by the chart's name, when they are made."""
    names = [chart.name for chart in begun.drawn.charts]
    return dict(zip(names, begun.specs, strict=True))


def figures(drawn: Drawn, folder: Path) -> list[Path]:
    """Write each chart as SVG and PNG; OSError if that cannot be."""
    return _render.figures(drawn.charts, folder)


def _drawing(chart: Chart, svg: str) -> Drawing:
    return Drawing(
        name=chart.name,
        title=chart.title,
        description=chart.description,
        svg=svg,
        titles=chart.titles,
        rows=tuple(tuple(map(clipped, row)) for row in chart.rows[:MOST_ROWS]),
        rows_left=max(0, len(chart.rows) - MOST_ROWS),
    )
