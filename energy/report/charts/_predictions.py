"""Predictions that a run has saved: slices of one case with their true and their predicted masks.

One file CASE.npz per case, seed and data, without pickles: `image`, `truth` and `prediction`, each of shape
(N, H, W), the masks of booleans; `subject`, N texts. Any program that has predictions can write it
(`pytest benchmarks --save-overlays FOLDER` does); it holds images of people, so nothing reads it unasked.
"""

from __future__ import annotations

import tokenize
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LARGEST = 1024
MOST_BYTES = 2**30
ARRAYS = ("image", "truth", "prediction", "subject")
# What zipfile, zlib and numpy raise when bytes of a file are others than were written: any may be hit, those
# that hold a length, a method of compression or the header of an array, too.
_DAMAGED = (
    OSError, KeyError, TypeError, ValueError, EOFError, RuntimeError, MemoryError, OverflowError, SyntaxError,
    SystemError, zipfile.BadZipFile, zlib.error, tokenize.TokenError,
)  # fmt: skip


class PredictionsError(ValueError):
    """A file of predictions is not what it must be; says which and why."""


@dataclass(frozen=True)
class Slice:
    """One slice, pixels of shape (H, W); Dice is that of its two masks."""

    image: Any
    truth: Any
    prediction: Any
    subject: str
    number: int
    dice: float


def read(path: Path) -> list[Slice]:
    """Read the slices of a file that contain brain, worst Dice first.

    Raises:
        PredictionsError: it is damaged, or not such a file.
    """
    arrays = _arrays(path)
    image, truth, prediction, subject = (arrays[name] for name in ARRAYS)
    masks = truth.astype(bool), prediction.astype(bool)
    with_brain = [number for number in range(len(image)) if masks[0][number].any()]
    slices = [
        Slice(image[number], masks[0][number], masks[1][number], str(subject[number]), number, dice)
        for number in with_brain
        for dice in [_dice(masks[0][number], masks[1][number])]
    ]
    if not slices:
        raise PredictionsError(f"{path.name}: no slice has any brain")
    return sorted(slices, key=lambda one: one.dice)


def _arrays(path: Path) -> dict[str, Any]:
    """Load and check the arrays of a file, whose sizes are known before they are unpacked."""
    import numpy as np  # here, since pages without images of people need none

    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > MOST_BYTES:
            raise PredictionsError(f"{path.name}: {size / 2**30:.1f} GiB; save fewer slices")
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: np.asarray(file[name]) for name in ARRAYS}
        arrays["subject"] = arrays["subject"].astype(object)  # its texts are read here, or fail here
    except PredictionsError:
        raise
    except _DAMAGED as problem:
        reason = str(problem) or type(problem).__name__
        raise PredictionsError(
            f"{path.name}: {reason}; expected a whole .npz with {', '.join(ARRAYS)}"
        ) from problem
    _check(arrays, path)
    return arrays


def _check(arrays: dict[str, Any], path: Path) -> None:
    import numpy as np

    shapes = {name: arrays[name].shape for name in ARRAYS[:3]}
    shape = shapes["image"]
    if len(shape) != 3 or len(set(shapes.values())) > 1 or arrays["subject"].shape != shape[:1]:
        raise PredictionsError(f"{path.name}: shapes {shapes}; expected (N, H, W) of all, and N subjects")
    if max(shape[1:]) > LARGEST or 0 in shape:
        raise PredictionsError(f"{path.name}: slices of {shape[1:]} pixels; expected 1 to {LARGEST}")
    if arrays["image"].dtype.kind not in "fiu" or not np.isfinite(arrays["image"]).all():
        raise PredictionsError(f"{path.name}: the image holds what is no finite number")
    if any(arrays[name].dtype.kind not in "biuf" for name in ("truth", "prediction")):
        raise PredictionsError(f"{path.name}: a mask holds what is neither true nor false")


def _dice(truth: Any, prediction: Any) -> float:
    """Return 2 |A ∩ B| / (|A| + |B|) of two masks, the first of which is not empty."""
    return float(2 * (truth & prediction).sum() / (truth.sum() + prediction.sum()))
