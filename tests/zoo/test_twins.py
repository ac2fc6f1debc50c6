"""Networks that no library states a second time, against second statements of our own.

Each file of `tests/twins` says what one network computes, in plain functions that read the network's weights
by name, and was written from the paper's structure before the network's file was read. With equal weights the
logits must be equal: a wrong order of two steps, a missing skip, a wrong dilation or enlargement cannot hide.
In double precision, so that a difference is no rounding.
"""

import importlib
from pathlib import Path

import pytest
import torch
from torch import nn

import zoo

TWINS = sorted(file.stem for file in (Path(__file__).parents[1] / "twins").glob("[!_]*.py"))


def shake(model: nn.Module) -> None:
    """Draw what is 0 or 1 in a fresh network: statistics, scales, shifts, biases and slopes."""
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            # Small variances, so that the distance kept from zero is seen.
            nn.init.uniform_(layer.running_var, 0.05, 1.5)
            nn.init.normal_(layer.running_mean, std=0.5)
        if isinstance(layer, nn.PReLU):
            nn.init.uniform_(layer.weight)
        if getattr(layer, "bias", None) is not None:
            nn.init.normal_(layer.bias, std=0.5)


@pytest.mark.parametrize("name", TWINS)
@torch.no_grad()
@pytest.mark.slow
def test_a_network_computes_what_its_paper_says_with_the_same_weights(name):
    torch.manual_seed(0)
    model = zoo.create(name, in_channels=3, classes=2).eval().double()
    shake(model)
    images = torch.randn(2, 3, 64, 96, dtype=torch.double)
    logits = model(images)
    expected = importlib.import_module(f"tests.twins.{name}").logits(model.state_dict(), images)

    assert logits.std() > 1e-6
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-9 * float(expected.abs().max()))
