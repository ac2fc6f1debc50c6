"""The table behind a chart: the figures of its marks as text."""

from __future__ import annotations

from collections.abc import Sequence

from energy.records.metrics import METRICS
from energy.report.model import Figure, Panel, Point
from energy.report.terminal.table import TITLES, UNKNOWN

GOOD = "ok"


def number(value: float | None) -> str:
    """Write a figure to four digits; the table of cases has those that its uncertainty supports.

    >>> number(0.815742), number(12345.6), number(None)
    ('0.8157', '12350', '–')
    """
    if value is None:
        return UNKNOWN
    text = f"{value:.4g}"
    return f"{float(text):.0f}" if "e+0" in text else text


def title(metric: str) -> str:
    """Name a metric with its unit: "Dice", "total kJ", "mean_watts / W"."""
    unit = METRICS[metric].unit
    name = TITLES.get(metric, metric)
    return name if metric in TITLES or unit == "1" else f"{metric} / {unit}"


def titles(metrics: Sequence[str], *more: str) -> tuple[str, ...]:
    """Return the column titles of `row`."""
    figures = (text for metric in metrics for text in (title(metric), "95 % interval"))
    return ("machine", "joules", "case", *figures, "n", "record", *more)


def row(panel: Panel, point: Point, metrics: Sequence[str], *more: str) -> tuple[str, ...]:
    """Return the row of a point: where, what, metrics with intervals, repeats, what speaks against it."""
    figures = [point.figures.get(metric) for metric in metrics]
    cells = (text for figure in figures for text in _cells(figure))
    repeats = max((len(figure.values) for figure in figures if figure), default=0)
    return (
        panel.machine, panel.kind or UNKNOWN, point.case, *cells, str(repeats), _record(point), *more,
    )  # fmt: skip


def _cells(figure: Figure | None) -> tuple[str, str]:
    if figure is None:
        return UNKNOWN, UNKNOWN
    return number(figure.mean), interval(figure)


def interval(figure: Figure) -> str:
    """Write the interval of a mean."""
    return f"{number(figure.interval[0])} to {number(figure.interval[1])}" if figure.interval else UNKNOWN


def telling(point: Point, metrics: Sequence[str]) -> str:
    """Say in one line what a mark stands for: shown to a pointer that rests on it."""
    figures = (f"{title(metric)} {number(point.mean(metric))}" for metric in metrics)
    against = f"; invalid: {point.against}" if point.against else ""
    collapse = f"; {point.collapse}" if point.collapse else ""
    return f"{point.case}: {', '.join(figures)}{against}{collapse}"


def _record(point: Point) -> str:
    """Say what speaks against a record, and what is to be known of it."""
    return "; ".join(filter(None, (point.against or GOOD, point.collapse)))
