"""True and predicted masks on test slices: the worst, the median and the best of a case. Only on request.

These are images of people. Nothing here is drawn unless the reader named the folder that holds them.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from energy.report.charts import _look, _spec, _table
from energy.report.charts._chart import Chart
from energy.report.charts._predictions import PredictionsError, Slice, read
from energy.report.charts._spec import Rows, Spec
from energy.report.model import Model, label

PLACE = 14
# All networks with a seed each; three slices of 256 px make about 0.4 MB of a page.
MOST_FILES = 24
MOST_BYTES = 8_000_000
PIECE_BYTES = 130  # of an outline, as SVG
MOST_NAMED = 10
WIDTH = 300
WHICH = ("worst", "median", "best")
MASKS = ("truth", "prediction")
# On images, not on paper: these stay what they are in both themes.
COLOURS = ("#ffd92e", "#40b5ff")
NOT_ASKED = "images of people are shown only on request (--overlays FOLDER)"


def draw(model: Model) -> tuple[Chart, ...] | str:
    """Draw three slices of each file of predictions in the folder that was asked for."""
    if model.overlays is None:
        return NOT_ASKED
    paths = sorted(model.overlays.glob("*.npz"))
    charts, problems, left = _charts(paths)
    if not charts:
        return _named(problems) if problems else f"no .npz file in {model.overlays}"
    told = " ".join([charts[0].description, *_not_shown(problems, left)])
    return replace(charts[0], description=told), *charts[1:]


def _charts(paths: Sequence[Path]) -> tuple[list[Chart], list[str], int]:
    """Draw as many files as a page has room for; say what is wrong with others, and how many are left."""
    charts: list[Chart] = []
    problems: list[str] = []
    room = MOST_BYTES
    for tried, path in enumerate(paths):
        if len(charts) == MOST_FILES or room <= 0:
            return charts, problems, len(paths) - tried
        try:
            charts.append(_chart(path, read(path), len(charts) + 1))
        except PredictionsError as problem:
            problems.append(label(" ".join(str(problem).split()), 200))
        else:
            room -= _bytes(charts[-1])
    return charts, problems, 0


def _bytes(chart: Chart) -> int:
    """Return about how much of a page a chart takes."""
    rows = (row for rows in chart.spec["datasets"].values() for row in rows)
    return sum(len(row["url"]) if "url" in row else PIECE_BYTES for row in rows)


def _not_shown(problems: Sequence[str], left: int) -> Iterator[str]:
    if problems:
        yield f"Not shown: {_named(problems)}."
    if left:
        yield (
            f"{left} more files are not shown: a page has room for {MOST_FILES}, and for "
            f"{MOST_BYTES / 1e6:.0f} MB of images and outlines; name a folder that holds only those you want."
        )


def _named(problems: Sequence[str]) -> str:
    more = [f"and {len(problems) - MOST_NAMED} more"] if len(problems) > MOST_NAMED else []
    return "; ".join([*problems[:MOST_NAMED], *more])


def _chart(path: Path, slices: Sequence[Slice], number: int) -> Chart:
    chosen = (slices[0], slices[len(slices) // 2], slices[-1])
    data: dict[str, Rows] = {}
    panels = []
    for index, (which, one) in enumerate(zip(WHICH, chosen, strict=True)):
        data |= {f"image{index}": [{"url": _url(one.image)}], f"edges{index}": list(_edges(one))}
        panels.append(_panel(one, index, f"{which}: Dice {one.dice:.3f}"))
    case = label(path.stem)
    return Chart(
        name="overlays" if number == 1 else f"overlays-{number}",
        title=f"Masks on slices: {case}",
        description=(
            f"Of {len(slices)} slices with brain of {case}, those of worst, median and best Dice. "
            "The outline of the true mask is solid and yellow, that of the predicted one broken and blue. "
            f"Dice {slices[0].dice:.3f}, {chosen[1].dice:.3f} and {slices[-1].dice:.3f}."
        ),
        spec=_spec.finished(panels, data, columns=3),
        titles=("slice", "subject", "number in the file", "Dice", "true pixels", "predicted pixels"),
        rows=tuple(
            (which, label(one.subject), str(one.number), _table.number(one.dice), *_pixels(one))
            for which, one in zip(WHICH, chosen, strict=True)
        ),
    )


def _pixels(one: Slice) -> tuple[str, str]:
    return str(int(one.truth.sum())), str(int(one.prediction.sum()))


def _url(image: Any) -> str:
    """Return a slice as PNG inside of an address: its darkest pixel black, its brightest white."""
    import numpy as np
    from PIL import Image

    low, high = float(image.min()), float(image.max())
    grey = (image.astype(float) - low) / ((high - low) or 1.0) * 255
    file = io.BytesIO()
    Image.fromarray(np.round(grey).astype(np.uint8)).save(file, format="PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def _edges(one: Slice) -> Iterator[dict[str, Any]]:
    """Yield the outlines of both masks as straight pieces between pixels."""
    for name, mask in zip(MASKS, (one.truth, one.prediction), strict=True):
        for x, y, x2, y2 in outline(mask):
            yield {"x": x, "y": y, "x2": x2, "y2": y2, "mask": name}


def outline(mask: Any) -> list[tuple[int, int, int, int]]:
    """Return the edges between a mask and what is not, runs of them joined.

    Args:
        mask: booleans of shape (H, W).

    Returns:
        Pieces (x, y, x2, y2) in pixels from the upper left corner, of columns and rows.
    """
    import numpy as np

    padded = np.pad(mask, 1)
    level = padded[1:, 1:-1] != padded[:-1, 1:-1]  # between rows: (H + 1, W)
    upright = padded[1:-1, 1:] != padded[1:-1, :-1]  # between columns: (H, W + 1)
    across = [(begin, y, end, y) for y, row in enumerate(level) for begin, end in _runs(row)]
    down = [(x, begin, x, end) for x, column in enumerate(upright.T) for begin, end in _runs(column)]
    return across + down


def _runs(flags: Any) -> Iterator[tuple[int, int]]:
    """Yield begin and end of each run of true flags."""
    import numpy as np

    steps = np.flatnonzero(np.diff(np.concatenate(([0], flags.astype(np.int8), [0]))))
    return ((int(begin), int(end)) for begin, end in zip(steps[::2], steps[1::2], strict=True))


def _panel(one: Slice, index: int, title: str) -> Spec:
    height, width = one.truth.shape
    x, y = _hidden("x", [0, width]), _hidden("y", [height, 0])
    ends = {"x2": {"field": "x2"}, "y2": {"field": "y2"}}
    drawn_height = round(WIDTH * height / width)
    ways: Spec = {"color": COLOURS, "strokeDash": ([1, 0], [4, 3])}
    masks = {channel: _spec.word("mask", MASKS, values, "outline") for channel, values in ways.items()}
    middle = {"x": {"value": WIDTH / 2}, "y": {"value": drawn_height / 2}}
    layers = [
        _spec.layer(
            f"image{index}", "image", {**middle, "url": _spec.text("url")}, width=WIDTH, height=drawn_height
        ),
        _spec.layer(f"edges{index}", "rule", {"x": x, "y": y, **ends, **masks}, strokeWidth=1.8),
    ]
    subject = f"{label(one.subject)}, slice {one.number}"
    return {**_spec.panel(layers, title, subject, WIDTH, drawn_height), "view": {"stroke": _look.LINE}}


def _hidden(field: str, domain: Sequence[int]) -> Spec:
    scale = {"domain": list(domain), "nice": False, "zero": False}
    return {"field": field, "type": "quantitative", "axis": None, "scale": scale}
