"""Per cent of Dice lost against the U-Net: Mazurek et al. 2024, Figure 4."""

from __future__ import annotations

from energy.report.charts import _scatter
from energy.report.charts._chart import Chart
from energy.report.model import Model

PLACE = 3
FIGURES = _scatter.Figures(
    name="dice_lost_vs_unet",
    title="Dice lost against U-Net, and the energy it takes",
    x="total_kj",
    y="dice_loss_vs_unet_pct",
    x_title="total energy / kJ",
    y_title="Dice lost against U-Net / %",
    higher=False,
)


def draw(model: Model) -> tuple[Chart, ...] | str:
    """Draw each case by its loss of Dice and its total kJ; below zero it is better than the U-Net."""
    return _scatter.draw(model, FIGURES)
