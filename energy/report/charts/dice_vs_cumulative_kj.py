"""Validation Dice against the kilojoules spent so far, epoch by epoch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from energy.report.charts import _axis, _curves, _frames, _spec, _table
from energy.report.charts._chart import Chart
from energy.report.charts._curves import Curves
from energy.report.charts._frames import Frame
from energy.report.model import Epoch, Model, Panel, Point

PLACE = 6
# With more machines in a chart, each case shows its first repeat only.
MOST_WITH_REPEATS = 2
TITLES = ("energy so far / kJ", "Dice on the validation slices")


def draw(model: Model) -> tuple[Chart, ...] | str:
    """Draw the way of each of a few cases."""
    frames = _frames.sort_panels(model, lambda point: point.good and any(map(any, _ways(point))))
    if not frames:
        return "no record has joules and validation Dice by epoch"
    return tuple(_chart(frame) for frame in frames)


def spent(point: Point) -> list[list[tuple[float, float]]]:
    """Return by repeat the kJ spent after each epoch, and the validation Dice there.

    What was spent before the first epoch (set-up, a teacher) counts where it is known. A repeat ends where
    the joules of an epoch are unknown, since what is spent after it is unknown, too.
    """
    return [list(way) for way in _ways(point)]


def first_spent(point: Point) -> list[list[tuple[float, float]]]:
    """Return `spent` of the first repeat that has any."""
    return list(filter(None, spent(point)))[:1]


def _ways(point: Point) -> Iterator[Iterator[tuple[float, float]]]:
    return (_spent(epochs, _before(point, repeat)) for repeat, epochs in enumerate(point.epochs()))


def _before(point: Point, repeat: int) -> float:
    figures = (point.figures.get(name) for name in ("setup_kj", "teacher_kj"))
    return sum(figure.values[repeat] for figure in figures if figure and repeat < len(figure.values))


def _spent(epochs: Iterable[Epoch], before: float) -> Iterator[tuple[float, float]]:
    total = before
    for epoch in epochs:
        if epoch.joules is None:
            return
        total += epoch.joules / 1000
        if _axis.shown(total) and epoch.val_dice is not None and _axis.bounded(epoch.val_dice):
            yield total, epoch.val_dice


def _chart(frame: Frame) -> Chart:
    shown = spent if len(frame.panels) <= MOST_WITH_REPEATS else first_spent
    found = list(zip(frame.panels, _curves.chosen(frame, shown), strict=True))
    places = [place for _, curves in found for curve in curves for place in curve.places]
    across = _axis.logarithmic([x for x, _ in places])
    up = _axis.linear([y for _, y in places], 0.0, 1.0)
    size = _frames.size(frame)
    drawn = [Curves(panel, curves, across, up, TITLES, size, step=False) for panel, curves in found]
    data = _curves.data(drawn)
    panels = [_curves.panel(one, number) for number, one in enumerate(drawn)]
    return Chart(
        name=f"dice_vs_cumulative_kj{frame.suffix}",
        title=f"Dice against the energy spent so far: {frame.task}, {frame.setting}",
        description=" ".join(_description(frame, drawn)),
        spec=_spec.finished(panels, data),
        titles=("machine", "joules", "case", "kJ so far", "validation Dice"),
        rows=tuple(row for one in drawn for row in _rows(one.panel, one)),
    )


def _rows(panel: Panel, drawn: Curves) -> Iterator[tuple[str, ...]]:
    for curve in drawn.curves:
        for kj, dice in curve.places:
            yield panel.machine, panel.kind or "–", curve.point.case, _table.number(kj), _table.number(dice)


def _description(frame: Frame, drawn: Sequence[Curves]) -> Iterator[str]:
    yield "Dice on the validation slices after each epoch, against the kJ spent until then, a mark each."
    yield "What set-up took before the first epoch counts where it is known. Logarithmic horizontal axis."
    if len(frame.panels) > MOST_WITH_REPEATS:
        yield "The first repeat of each case."
    for one in drawn:
        cases = dict.fromkeys(curve.point.case for curve in one.curves)
        yield f"{one.panel.heading}: {', '.join(cases)}."
    yield from _frames.left_out(frame, _curves.left(frame, drawn))
