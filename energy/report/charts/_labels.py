"""Where labels of points go: beside their point, where no other label and no other mark is."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from energy.report.charts._axis import Axis

# Of text of 11 px in a usual sans-serif: mean width of a character, height of a line.
CHARACTER = 6.1
LINE = 13.0
MARK = 11.0
GAP = 3.0
SQUARE = 4.0
# A text without a line keeps this far from what is not its own, or it would be read as that mark's.
APART = 8.0
# Pixels between a mark and a text where there is no room beside it; a line joins the two.
RIGHT = 16
FAR = (14.0, 28.0, 44.0, 62.0)
# Among so many marks only important labels stand far off: lines from all of them would hide the marks.
CROWD = 40

Box = tuple[float, float, float, float]  # left, top, right, bottom
Leader = tuple[tuple[float, float], tuple[float, float]]


@dataclass(frozen=True)
class Anchor:
    """A point with a text, in pixels from the upper left."""

    x: float
    y: float
    text: str
    important: bool = False


@dataclass(frozen=True)
class Placed:
    """A text beside its anchor.

    Args:
        index: of the anchor.
        x: left end of the text.
        y: middle of its height.
        leader: ends of the line from the anchor to a text that stands far off; None if it stands near.
    """

    index: int
    x: float
    y: float
    leader: Leader | None


def place(
    anchors: Sequence[Anchor],
    size: tuple[int, int],
    most: int,
    *,
    right: bool = False,
    avoid: Sequence[Box] = (),
) -> list[Placed]:
    """Place the labels that fit, those of the first anchors first; the others stay without one.

    Args:
        anchors: in the order of their importance.
        size: of the frame, width and height in pixels.
        most: labels at most.
        right: whether all are to stand on the right.
        avoid: what a label covers only where there is no other place for it.
    """
    candidates = _on_the_right if right else _around
    taken = [_mark(anchor) for anchor in anchors]
    placed: list[Placed] = []
    for index, anchor in enumerate(anchors):
        if len(placed) == most:
            break
        others = [box for place, box in enumerate(taken) if place != index]
        far = anchor.important or len(anchors) <= CROWD
        for beside in (avoid, ()) if avoid else ((),):
            taken_here = [*others, *beside]
            box, leader = _free(candidates(anchor), size, taken_here, far=far, may_cross=anchor.important)
            if box is not None:
                break
        if box is not None:
            taken.append(box)
            placed.append(Placed(index, box[0], (box[1] + box[3]) / 2, leader))
    return placed


def _free(
    candidates: Iterator[tuple[Box, Leader | None]],
    size: tuple[int, int],
    others: Sequence[Box],
    *,
    far: bool,
    may_cross: bool,
) -> tuple[Box | None, Leader | None]:
    """Return the first free place, far off only if it may be; its line crosses others only if it may."""
    crossing: tuple[Box | None, Leader | None] = (None, None)
    for box, leader in candidates:
        if leader is not None and not far:
            continue
        if not _inside(box, size) or _hits(_widened(box) if leader is None else box, others):
            continue
        if not _crosses(leader, others):
            return box, leader
        if may_cross and crossing[0] is None:
            crossing = (box, leader)
    return crossing


def rows(
    places: Sequence[tuple[float, float]],
    texts: Sequence[str],
    important: int,
    across: Axis,
    up: Axis,
    size: tuple[int, int],
    most: int,
    *,
    right: bool = False,
    avoid: Sequence[tuple[float, float]] = (),
) -> Iterator[dict[str, Any]]:
    """Yield the labels that fit as rows in the units of the axes: x, y, text, and the ends of their lines.

    Args:
        places: of the marks, the most important first.
        texts: one for each.
        important: how many of them may have a line that crosses others.
        across: horizontal axis.
        up: vertical axis.
        size: of the frame, width and height in pixels.
        most: labels at most.
        right: whether all are to stand on the right.
        avoid: places that a label covers only where there is no other place for it.
    """
    width, height = size

    def there(x: float, y: float) -> tuple[float, float]:
        return across.value(x, width), up.value(height - y, height)

    def pixel(x: float, y: float) -> tuple[float, float]:
        return across.pixel(x, width), height - up.pixel(y, height)

    pixels = list(itertools.starmap(pixel, places))
    # Each small square once: curves of many repeats run over the same.
    covered = {tuple(SQUARE * round(end / SQUARE) for end in pixel(*at)) for at in avoid}
    anchors = [
        Anchor(x, y, text, number < important)
        for number, ((x, y), text) in enumerate(zip(pixels, texts, strict=True))
    ]
    for label in place(anchors, size, most, right=right, avoid=[(x, y, x, y) for x, y in covered]):
        x, y = there(label.x, label.y)
        row: dict[str, Any] = {"x": x, "y": y, "text": anchors[label.index].text}
        if label.leader:
            (row["from_x"], row["from_y"]), (row["to_x"], row["to_y"]) = (there(*end) for end in label.leader)
        yield row


def _mark(anchor: Anchor) -> Box:
    half = MARK / 2
    return anchor.x - half, anchor.y - half, anchor.x + half, anchor.y + half


def _around(anchor: Anchor) -> Iterator[tuple[Box, Leader | None]]:
    """Yield places around a point, the nearest first, those that are far off with their line."""
    width = CHARACTER * len(anchor.text)
    for distance in (0.0, *FAR):
        near = MARK / 2 + GAP + distance
        high = LINE / 2 + MARK / 2 + distance
        right, left, middle = anchor.x + near, anchor.x - near - width, anchor.x - width / 2
        level = () if distance else ((right, 0.0), (left, 0.0))
        around = ((middle, -high), (middle, high), (right, -high), (right, high), (left, -high), (left, high))
        for x, y in (*level, *around):
            centre = anchor.y + y
            box = (x, centre - LINE / 2, x + width, centre + LINE / 2)
            yield box, _leader(anchor, box) if distance else None


def _on_the_right(anchor: Anchor) -> Iterator[tuple[Box, Leader | None]]:
    """Yield places on the right, the nearest first; those that are higher or lower with their line."""
    width, near = CHARACTER * len(anchor.text), anchor.x + MARK / 2 + GAP
    for step in range(RIGHT):
        for drop in (step * LINE / 2, -step * LINE / 2):
            x, y = near + (FAR[0] if step else 0.0), anchor.y + drop
            box = (x, y - LINE / 2, x + width, y + LINE / 2)
            yield box, _leader(anchor, box) if step else None


def _leader(anchor: Anchor, box: Box) -> Leader:
    """Return the line from the anchor to the nearest point of the text."""
    x, y = min(max(anchor.x, box[0]), box[2]), min(max(anchor.y, box[1]), box[3])
    return (anchor.x, anchor.y), (x, y)


def _crosses(leader: Leader | None, others: Sequence[Box]) -> bool:
    """Tell whether a line runs through a mark or a text; looked at every tenth of its length."""
    if leader is None:
        return False
    (x1, y1), (x2, y2) = leader
    spots = [(x1 + (x2 - x1) * step / 10, y1 + (y2 - y1) * step / 10) for step in range(2, 11)]
    return any(_hits((x, y, x, y), others) for x, y in spots)


def _inside(box: Box, size: tuple[int, int]) -> bool:
    return box[0] >= 0 and box[1] >= 0 and box[2] <= size[0] and box[3] <= size[1]


def _widened(box: Box) -> Box:
    return box[0] - APART, box[1], box[2] + APART, box[3]


def _hits(box: Box, others: Sequence[Box]) -> bool:
    return any(
        box[0] < other[2] and other[0] < box[2] and box[1] < other[3] and other[1] < box[3]
        for other in others
    )
