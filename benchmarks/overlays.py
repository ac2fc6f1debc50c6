"""Save what a network predicts on the test slices, for pictures of true and predicted masks.

Off unless asked for: these are images of people. What a file holds, `energy/report/charts/_predictions.py`
says.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import zoo
from benchmarks.suite import Training
from fixtures import Split

OPTION = "--save-overlays"


def check(folder: Path, results: Path) -> Path:
    """Return the folder for predictions, made; it may not be among the results, which people commit.

    Raises:
        ValueError: it is, or cannot be written.
    """
    if folder.resolve().is_relative_to(results.resolve()):
        raise ValueError(
            f"{OPTION} {folder}: lies in the results folder {results}, and results are committed; "
            "images of people belong elsewhere"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise ValueError(f"{OPTION} {folder}: cannot be made: {problem.strerror or problem}") from problem
    return folder


def save(folder: Path, case: str, training: Training, model: Any, split: Split, recipe: zoo.Recipe) -> Path:
    """Write CASE-seedN.npz, of folds CASE-seedN-foldK.npz: each slice, its true and its predicted mask.

    Slices are in 256 grey levels.
    """
    import numpy as np

    fold = "" if training.fold is None else f"-fold{training.fold}"
    path = folder / f"{case}-seed{training.seed}{fold}.npz"
    np.savez_compressed(
        path,
        image=np.stack([_grey(image[0]) for image in np.asarray(split.images)]),
        truth=np.asarray(split.masks)[:, 0] > 0.5,
        prediction=zoo.predict(model, split, recipe)[:, 0],
        subject=np.array(split.subject, dtype=str),
    )
    return path


def _grey(image: Any) -> Any:
    """Return pixels of shape (H, W) from black, the darkest, to white, the brightest."""
    low, high = float(image.min()), float(image.max())
    return ((image - low) * (255 / ((high - low) or 1.0))).round().astype("uint8")
