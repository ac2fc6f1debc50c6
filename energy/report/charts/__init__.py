"""The charts of the report: one file each, found by its name.

A chart is a module with a docstring, `PLACE` (charts stand in the order of their places) and
`draw(model) -> tuple[Chart, ...] | str`: the charts that the results have the figures for, or in one
sentence why there is none. A file whose name begins with `_` is machinery.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from energy._registry import list_entries, load_entry
from energy.report.charts._chart import Chart
from energy.report.model import Model


@dataclass(frozen=True)
class Drawn:
    """All charts in their order, and by name why others cannot be drawn."""

    charts: tuple[Chart, ...]
    reasons: tuple[tuple[str, str], ...]


def names() -> tuple[str, ...]:
    """Return the names of the kinds of chart, sorted."""
    return list_entries(__name__)


def draw(model: Model, stands: Callable[[Sequence[Chart]], None] | None = None) -> Drawn:
    """Draw every chart that the results have the figures for.

    Args:
        model: the results.
        stands: is called with the charts of each kind as soon as these stand.
    """
    charts: list[Chart] = []
    reasons: list[tuple[str, str]] = []
    modules = [load_entry(__name__, "chart", name) for name in names()]
    for module in sorted(modules, key=lambda module: module.PLACE):
        drawn = module.draw(model)
        if isinstance(drawn, str):
            reasons.append((module.__name__.rpartition(".")[2], drawn))
        else:
            charts += drawn
            if stands:
                stands(drawn)
    return Drawn(tuple(charts), tuple(reasons))
