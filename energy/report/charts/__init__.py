"""The charts of the report: one file each, found by its name.

A chart is a module with a docstring, `PLACE` (charts stand in the order of their places) and
`draw(model) -> tuple[Chart, ...] | str`: the charts that the results have the figures for, or in one
sentence why there is none. A file whose name begins with `_` is machinery.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType

from energy.report.charts._chart import Chart
from energy.report.model import Model


@dataclass(frozen=True)
class Drawn:
    """All charts in their order, and by name why others cannot be drawn."""

    charts: tuple[Chart, ...]
    reasons: tuple[tuple[str, str], ...]


def names() -> tuple[str, ...]:
    """Return the names of the kinds of chart, sorted."""
    found = (module.name for module in pkgutil.iter_modules(__path__))
    return tuple(sorted(name for name in found if not name.startswith("_")))


def draw(model: Model, stands: Callable[[Sequence[Chart]], None] | None = None) -> Drawn:
    """Draw every chart that the results have the figures for.

    Args:
        model: the results.
        stands: is called with the charts of each kind as soon as these stand.
    """
    charts: list[Chart] = []
    reasons: list[tuple[str, str]] = []
    for module in sorted(map(_load, names()), key=lambda module: module.PLACE):
        drawn = module.draw(model)
        if isinstance(drawn, str):
            reasons.append((module.__name__.rpartition(".")[2], drawn))
        else:
            charts += drawn
            if stands:
                stands(drawn)
    return Drawn(tuple(charts), tuple(reasons))


def _load(name: str) -> ModuleType:
    return importlib.import_module(f"{__name__}.{name}")
