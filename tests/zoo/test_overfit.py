"""Every network can learn: eight slices of the phantom by heart, in a few steps."""

from pathlib import Path

import numpy as np
import pytest
import torch

import fixtures
import zoo
from fixtures import phantom
from tests import study
from zoo.evaluation import count_pixels, pool_dice
from zoo.training import losses as loss_functions

# Pixels, learning rate (Adam) and steps allowed: about a third more than were needed. Networks whose logits
# come from 1/16 of the size need larger slices to draw an edge; those without normalisation smaller rates.
STEPS = {
    "attention_squeeze_unet": (64, 0.01, 24),
    "cgnet": (64, 0.003, 20),
    "contextnet": (64, 0.01, 16),
    "dabnet": (64, 0.01, 16),
    "edanet": (64, 0.01, 24),
    "efficientnet": (32, 0.01, 12),
    "enet": (64, 0.01, 32),
    "erfnet": (64, 0.01, 62),
    "esnet": (32, 0.01, 74),
    "espnetv2": (64, 0.01, 78),
    "fpenet": (32, 0.01, 24),
    "fssnet": (64, 0.01, 36),
    "linknet": (32, 0.01, 40),
    "micronet": (32, 0.001, 84),
    "mobilenet_v3_small": (96, 0.01, 26),
    "segnet": (32, 0.003, 24),
    "sqnet": (32, 0.0003, 76),
    "squeeze_unet": (64, 0.01, 26),
    "unet": (32, 0.01, 18),
}


@pytest.fixture(scope="module")
def phantom_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("phantom") / "slices"
    phantom.generate(folder, subjects=6, slices=4)
    return folder


def slices(folder: Path, cache: Path, size: int, number: int = 8) -> tuple[torch.Tensor, torch.Tensor]:
    """Cut the 128 mm around the brain out of the first slices of the phantom that show one.

    Image and mask (number, 1, size, size); in the whole field of 256 mm a brain would be a few pixels.
    """
    train = fixtures.load(folder, 2 * size, cache=cache).train
    shown = [row for row in range(len(train)) if train.masks[row].any()][:number]
    return tuple(
        torch.stack(
            [_around_the_brain(torch.from_numpy(array[row]), train.masks[row], size) for row in shown]
        )
        for array in (train.images, train.masks)
    )


def _around_the_brain(pixels: torch.Tensor, mask: np.ndarray, size: int) -> torch.Tensor:
    top, left = (
        int(np.clip(np.nonzero(mask[0])[axis].mean() - size / 2, 0, mask.shape[-1] - size)) for axis in (0, 1)
    )
    return pixels[:, top : top + size, left : left + size]


def test_every_network_of_the_study_is_asked():
    assert set(STEPS) == set(study.NETWORKS)


@pytest.mark.slow
@pytest.mark.parametrize("name", STEPS)
def test_a_network_learns_eight_slices_by_heart(name, phantom_folder, tmp_path):
    """Dice is that of a training step: with the statistics of its batch, and with dropout where there is."""
    size, rate, steps = STEPS[name]
    images, masks = slices(phantom_folder, tmp_path, size)
    assert len(images) == 8
    torch.manual_seed(0)
    model = zoo.create(name).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    reached = []
    while len(reached) < steps and max(reached, default=0.0) < 0.95:
        logits = model(images)
        reached.append(pool_dice(count_pixels(logits, masks)))
        optimizer.zero_grad()
        loss_functions.dice(logits, masks).backward()
        optimizer.step()

    assert max(reached) >= 0.95
    assert reached[0] < 0.8
