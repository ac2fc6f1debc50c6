"""Every network can learn: eight phantom-like slices by heart, in a few steps."""

import numpy as np
import pytest
import torch

import zoo
from zoo._dice import counts, pooled
from zoo._learning import losses as loss_functions

# Pixels, learning rate (Adam) and steps allowed: about a third more than were needed. Networks whose logits
# come from 1/16 of the size need larger slices to draw an edge; those without normalisation smaller rates.
STEPS = {
    "attention_squeeze_unet": (64, 0.01, 12),
    "cgnet": (64, 0.003, 16),
    "contextnet": (64, 0.01, 16),
    "dabnet": (64, 0.01, 14),
    "edanet": (64, 0.01, 22),
    "efficientnet": (32, 0.01, 14),
    "enet": (64, 0.01, 34),
    "erfnet": (64, 0.01, 62),
    "esnet": (32, 0.01, 66),
    "espnetv2": (32, 0.01, 62),
    "fpenet": (32, 0.01, 28),
    "fssnet": (64, 0.01, 36),
    "linknet": (32, 0.01, 40),
    "micronet": (32, 0.003, 16),
    "mobilenet_v3_small": (96, 0.01, 60),
    "segnet": (32, 0.003, 28),
    "sqnet": (64, 0.001, 16),
    "squeeze_unet": (64, 0.01, 8),
    "unet": (32, 0.01, 16),
}


def slices(size: int, number: int = 8) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw a bright ellipse in a grey disc, with noise, z-scored: image and mask (N, 1, size, size)."""
    generator = np.random.default_rng(0)
    y, x = np.mgrid[:size, :size] / size - 0.5
    images, masks = [], []
    for _ in range(number):
        (u, v), (a, b) = generator.uniform(-0.12, 0.12, 2), generator.uniform(0.2, 0.32, 2)
        angle = generator.uniform(0, np.pi)
        along = (x - u) * np.cos(angle) + (y - v) * np.sin(angle)
        across = (y - v) * np.cos(angle) - (x - u) * np.sin(angle)
        mask = (along / a) ** 2 + (across / b) ** 2 < 1
        image = mask + 0.5 * (np.hypot(x, y) < 0.48) + generator.normal(0, 0.2, mask.shape)
        images.append((image - image.mean()) / image.std())
        masks.append(mask)
    return torch.tensor(np.stack(images)[:, None]).float(), torch.tensor(np.stack(masks)[:, None]).byte()


def test_every_network_is_asked():
    assert set(STEPS) == set(zoo.architectures())


@pytest.mark.parametrize("name", STEPS)
def test_a_network_learns_eight_slices_by_heart(name):
    """Dice is that of a training step: with the statistics of its batch, and with dropout where there is."""
    size, rate, steps = STEPS[name]
    images, masks = slices(size)
    torch.manual_seed(0)
    model = zoo.create(name).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    reached = []
    while len(reached) < steps and max(reached, default=0.0) < 0.95:
        logits = model(images)
        reached.append(pooled(counts(logits, masks)))
        optimizer.zero_grad()
        loss_functions.dice(logits, masks).backward()
        optimizer.step()

    assert max(reached) >= 0.95
    assert reached[0] < 0.8
