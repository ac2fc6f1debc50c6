"""Dice against the energy of a steady epoch: Mazurek et al. 2024, Figure 2."""

from __future__ import annotations

from energy.report.charts import _scatter
from energy.report.charts._chart import Chart
from energy.report.model import Model

PLACE = 1
FIGURES = _scatter.Figures(
    name="dice_vs_kj_per_epoch",
    title="Dice against energy per epoch",
    x="kj_per_epoch",
    y="dice",
    x_title="energy of a steady epoch / kJ",
    y_title="Dice on the test volumes",
    ends=(0.0, 1.0),
)


def draw(model: Model) -> tuple[Chart, ...] | str:
    """Draw each case by its Dice and its kJ per epoch."""
    return _scatter.draw(model, FIGURES)
