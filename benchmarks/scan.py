"""What the field reports beside Dice, on the grid of the scan itself: Dice and the distance of surfaces."""

from __future__ import annotations

import warnings
from statistics import fmean
from typing import Any

import zoo
from energy.plugin import Case
from fixtures import Split
from fixtures.native import Volume, restore

METRICS = ("dice_native", "hd95_mm")


def score_scans(case: Case, model: Any, split: Split, recipe: zoo.Recipe) -> dict[str, float | None]:
    """Return `dice_native` and `hd95_mm`, means over volumes with brain; tell `case` why one is unknown."""
    volumes = [one for one in restore(zoo.predict(model, split, recipe), split) if one.true.any()]
    if not volumes:
        case.explain(**dict.fromkeys(METRICS, "the test part has no brain"))
        return dict.fromkeys(METRICS)
    if nothing := [one.name for one in volumes if not one.found.any()]:
        case.explain(hd95_mm=f"no brain was found in {nothing[0]}: there is no surface to measure from")
    return {
        "dice_native": fmean(map(find_dice, volumes)),
        "hd95_mm": None if nothing else fmean(map(find_hd95_mm, volumes)),
    }


def find_dice(volume: Volume) -> float:
    """Return the Dice of a volume's voxels."""
    both = float((volume.found & volume.true).sum())
    return 2 * both / float(volume.found.sum() + volume.true.sum())


def find_hd95_mm(volume: Volume) -> float:
    """Return the 95th percentile of the distances between the surfaces, in both directions (MONAI's)."""
    import torch
    from monai.metrics import compute_hausdorff_distance

    found, true = (torch.from_numpy(mask)[None, None].float() for mask in (volume.found, volume.true))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # MONAI 1.5 uses an argument that it has deprecated
        far = compute_hausdorff_distance(
            found, true, include_background=True, percentile=95, spacing=list(volume.spacing_mm)
        )
    return float(far.item())
