"""Dice against the energy of the whole training: Mazurek et al. 2024, Figure 3."""

from __future__ import annotations

from energy.report.charts import _scatter
from energy.report.charts._chart import Chart
from energy.report.model import Model

PLACE = 2
FIGURES = _scatter.Figures(
    name="dice_vs_total_kj",
    title="Dice against total energy",
    x="total_kj",
    y="dice",
    x_title="total energy / kJ",
    y_title="Dice on the test volumes",
    ends=(0.0, 1.0),
)


def draw(model: Model) -> tuple[Chart, ...] | str:
    """Draw each case by its Dice and its total kJ."""
    return _scatter.draw(model, FIGURES)
