"""A sheet of slices with the outline of their masks, to see at a glance whether the two fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fixtures

COLUMNS, ROWS = 6, 4
CELL_PIXELS = 192
OUTLINE = (255, 80, 80)


def draw_sheet(slices: fixtures.Slices, path: Path) -> None:
    """Draw the slice with most brain of each volume, and more where there are few; write a PNG file."""
    import numpy as np
    from PIL import Image, ImageDraw

    sheet = Image.new("RGB", (COLUMNS * CELL_PIXELS, ROWS * CELL_PIXELS))
    drawing = ImageDraw.Draw(sheet)
    for number, (part, row) in enumerate(_choose(slices)):
        place = (number % COLUMNS * CELL_PIXELS, number // COLUMNS * CELL_PIXELS)
        image, mask = np.asarray(part.images[row, 0]), np.asarray(part.masks[row, 0]) > 0
        cell = Image.fromarray(_paint(image, mask)).resize(
            (CELL_PIXELS, CELL_PIXELS), Image.Resampling.NEAREST
        )
        sheet.paste(cell, place)
        drawing.text((place[0] + 4, place[1] + 4), f"{part.volume[row]} {part.index[row]}"[:30], fill="white")
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)


def _choose(slices: fixtures.Slices) -> list[tuple[fixtures.Split, int]]:
    """Return slices in turn from each volume, those with most brain first."""
    by_volume: dict[str, list[tuple[int, fixtures.Split, int]]] = {}
    for part in (slices.train, slices.val, slices.test):
        for row, volume in enumerate(part.volume):
            by_volume.setdefault(volume, []).append((int(part.masks[row].sum()), part, row))
    ranked = [sorted(own, key=lambda one: -one[0]) for own in by_volume.values()]
    longest = max(map(len, ranked))
    turns = [own[turn] for turn in range(longest) for own in ranked if turn < len(own)]
    return [(part, row) for _, part, row in turns[: COLUMNS * ROWS]]


def _paint(image: Any, mask: Any) -> Any:
    """Return grey levels (H, W, 3) with the mask's inner outline in red."""
    import numpy as np

    low, high = np.percentile(image, [1, 99])
    grey = np.clip((image - low) / ((high - low) or 1.0) * 255, 0, 255).astype(np.uint8)
    padded = np.pad(mask, 1)
    inside = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    colours = np.repeat(grey[..., None], 3, axis=2)
    colours[mask & ~inside] = OUTLINE
    return colours
