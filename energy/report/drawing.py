"""Charts as the page shows them, and as files for papers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from energy.gather import FoundRun
from energy.report import charts, model, past
from energy.report.charts import Drawn, _render
from energy.report.charts._chart import Chart
from energy.report.charts._workers import Draw, alone
from energy.report.groups import Group
from energy.report.page import Drawing, Drawings
from energy.report.words import clipped

# Rows of the table behind a chart; the table of cases has all.
MOST_ROWS = 150


def draw(groups: Sequence[Group], found: Sequence[FoundRun], overlays: Path | None) -> Drawn:
    """Draw what these results have the figures for."""
    return charts.draw(model.of_groups(groups, past.series(found), overlays))


def as_drawings(drawn: Drawn, draw: Draw = alone) -> Drawings:
    """Return charts as SVG for the page, drawn by this process or by what `_workers.together` gives."""
    images = list(zip(drawn.charts, draw(drawn.charts), strict=True))
    return Drawings(
        study=tuple(_drawing(chart, svg) for chart, svg in images if chart.part == "study"),
        others=tuple(_drawing(chart, svg) for chart, svg in images if chart.part != "study"),
        not_drawn=drawn.reasons,
    )


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


def specs(drawn: Drawn) -> str:
    """Return the charts as specifications of Vega by name, as JSON: the page need not compile them."""
    import vl_convert

    compiled = {
        chart.name: vl_convert.vegalite_to_vega(dict(chart.spec), vl_version=_render.VL_VERSION)
        for chart in drawn.charts
    }
    return json.dumps(compiled, allow_nan=False, separators=(",", ":"))
