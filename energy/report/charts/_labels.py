"""Where labels of points go: beside their point, where no other label and no other mark is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

# Of text of 11 px in a usual sans-serif: mean width of a character, height of a line.
CHARACTER = 6.1
LINE = 13.0
MARK = 11.0
GAP = 3.0

Box = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True)
class Anchor:
    """A point with a text, in pixels from the upper left."""

    x: float
    y: float
    text: str


@dataclass(frozen=True)
class Placed:
    """The left end and the middle of the height of the text of the anchor at `index`."""

    index: int
    x: float
    y: float


def place(anchors: Sequence[Anchor], size: tuple[float, float], most: int) -> list[Placed]:
    """Place the labels that fit, those of the first anchors first; the others stay without one.

    Args:
        anchors: in the order of their importance.
        size: of the frame, width and height in pixels.
        most: labels at most.
    """
    taken = [_mark(anchor) for anchor in anchors]
    placed: list[Placed] = []
    for index, anchor in enumerate(anchors):
        if len(placed) == most:
            break
        others = [box for place, box in enumerate(taken) if place != index]
        free = (box for box in _candidates(anchor) if _inside(box, size) and not _hits(box, others))
        box = next(free, None)
        if box is not None:
            taken.append(box)
            placed.append(Placed(index, box[0], (box[1] + box[3]) / 2))
    return placed


def _mark(anchor: Anchor) -> Box:
    half = MARK / 2
    return anchor.x - half, anchor.y - half, anchor.x + half, anchor.y + half


def _candidates(anchor: Anchor) -> Iterator[Box]:
    """Yield places around a point: right, left, above, below, then between them, then farther off."""
    width = CHARACTER * len(anchor.text)
    near, wide = MARK / 2 + GAP, LINE / 2 + MARK / 2
    right, left, middle = anchor.x + near, anchor.x - near - width, anchor.x - width / 2
    for drop in (1.0, 1.9):
        for x, y in (
            (right, 0.0), (left, 0.0), (middle, -wide), (middle, wide),
            (right, -wide), (right, wide), (left, -wide), (left, wide),
        ):  # fmt: skip
            centre = anchor.y + drop * y
            yield x, centre - LINE / 2, x + width, centre + LINE / 2


def _inside(box: Box, size: tuple[float, float]) -> bool:
    return box[0] >= 0 and box[1] >= 0 and box[2] <= size[0] and box[3] <= size[1]


def _hits(box: Box, others: Sequence[Box]) -> bool:
    return any(
        box[0] < other[2] and other[0] < box[2] and box[1] < other[3] and other[1] < box[3]
        for other in others
    )
