"""Dice and surface distance on the grid of the scan, by hand."""

import itertools
import math

import numpy as np
import pytest

from benchmarks import scan
from fixtures.native import Volume


def surface(mask):
    """Return the voxels of a mask of which a neighbour, by a face, is outside of it."""
    padded = np.pad(mask, 1)
    steps = [step for step in itertools.product((-1, 0, 1), repeat=3) if sum(map(abs, step)) == 1]
    return [
        place
        for place in np.argwhere(mask)
        if not all(padded[tuple(place + 1 + np.array(step))] for step in steps)
    ]


def brute_force_hd95_mm(volume):
    """Return the greater 95th percentile of both directions, over all pairs of surface voxels."""
    sides = [np.array(surface(mask)) * volume.spacing_mm for mask in (volume.found, volume.true)]
    far = np.linalg.norm(sides[0][:, None] - sides[1][None], axis=2)
    return max(np.percentile(far.min(axis=1), 95), np.percentile(far.min(axis=0), 95))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("spacing_mm", [(1.0, 1.0, 1.0), (0.7, 1.3, 5.0)])
def test_the_distance_of_surfaces_is_that_of_all_pairs_in_mm(seed, spacing_mm):
    rng = np.random.default_rng(seed)
    grid = np.indices((9, 8, 6)).transpose(1, 2, 3, 0)
    middles, radii = rng.uniform(2, 5, (2, 3)), rng.uniform(1.6, 3.4, 2)
    found, true = (
        np.linalg.norm(grid - middle, axis=-1) < radius for middle, radius in zip(middles, radii, strict=True)
    )
    volume = Volume("v", found, true, spacing_mm)

    assert scan.find_hd95_mm(volume) == pytest.approx(brute_force_hd95_mm(volume), rel=1e-5)


def test_dice_of_voxels():
    found, true = np.zeros((2, 4, 4, 2), bool)
    found[0, :3, 0] = true[0, 1:, 0] = True  # two of three on either side

    assert scan.find_dice(Volume("v", found, true, (1, 1, 1))) == pytest.approx(4 / 6)


class Case:
    """Stands for the case that is told what is not known."""

    def __init__(self):
        self.unknown = {}

    def explain(self, **reasons):
        self.unknown |= reasons


def scored(monkeypatch, *volumes):
    monkeypatch.setattr(scan, "restore", lambda *_: iter(volumes))
    monkeypatch.setattr("zoo.predict", lambda *_: None)
    case = Case()
    return scan.score_scans(case, None, None, None), case.unknown


def cube(name, found, true):
    masks = np.zeros((2, 6, 6, 4), bool)
    masks[0, found : found + 2, 1:3, 1:3] = found >= 0
    masks[1, true : true + 2, 1:3, 1:3] = true >= 0
    return Volume(name, *masks, (2.0, 3.0, 4.0))


def test_volumes_with_brain_are_averaged(monkeypatch):
    values, unknown = scored(monkeypatch, cube("a", 1, 1), cube("b", 1, 2), cube("c", 1, -9))

    assert values == {"dice_native": pytest.approx((1 + 1 / 2) / 2), "hd95_mm": pytest.approx((0 + 2.0) / 2)}
    assert unknown == {}


def test_where_nothing_was_found_there_is_no_distance(monkeypatch):
    values, unknown = scored(monkeypatch, cube("a", 1, 1), cube("b", -9, 2))

    assert values == {"dice_native": pytest.approx(1 / 2), "hd95_mm": None}
    assert unknown["hd95_mm"].startswith("no brain was found in b")


def test_without_brain_both_are_unknown(monkeypatch):
    values, unknown = scored(monkeypatch, cube("a", 1, -9))

    assert values == {"dice_native": None, "hd95_mm": None}
    assert set(unknown.values()) == {"the test part has no brain"}
    assert not any(isinstance(value, float) and math.isnan(value) for value in values.values())
