"""Any image size with any network: slices are padded to what it takes, and its logits cropped back."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import zoo
from tests.networks import every_network, weightless
from tests.simulated.tiny_slices import TinySplit, slices, small_recipe
from zoo._registry import side_to_pad_to
from zoo.model.forward import compute_logits


def seen_by(recipe: zoo.Recipe, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what a network gets, and what comes out if it gives back what it got."""
    got = []
    model = nn.Identity()
    model.register_forward_pre_hook(lambda layer, inputs: got.append(inputs[0]))
    return compute_logits(recipe, model, image), got[0]


@pytest.mark.parametrize(
    ("name", "side", "expected"),
    [
        ("unet", 64, 64),
        ("unet", 65, 80),
        ("unet", 1, 16),
        ("linknet", 100, 128),
        ("micronet", 98, 100),
        ("contextnet", 20, 32),
        ("monai_dynunet", 20, 64),  # at 32 its instance normalisation would see a single pixel
        ("monai_dynunet", 65, 96),
    ],
)
def test_the_side_to_pad_to_is_the_next_one_that_the_network_takes(name, side, expected):
    assert side_to_pad_to(name, side) == expected


def test_what_was_padded_is_cropped_to_the_pixel():
    image = torch.randn(2, 1, 50, 33)
    out, got = seen_by(small_recipe(), image)

    assert got.shape == (2, 1, 64, 48)
    assert torch.equal(out, image)


def test_padding_goes_on_with_the_outermost_pixels_on_all_sides():
    image = torch.arange(9.0).view(1, 1, 3, 3)
    _, got = seen_by(small_recipe(), image)

    assert got[0, 0, 5:10, 5:10].tolist() == [
        [0, 0, 1, 2, 2],
        [0, 0, 1, 2, 2],
        [3, 3, 4, 5, 5],
        [6, 6, 7, 8, 8],
        [6, 6, 7, 8, 8],
    ]
    assert got[0, 0, 0, 0] == 0
    assert got[0, 0, -1, -1] == 8


def test_a_size_that_fits_is_handed_on_untouched():
    image = torch.randn(2, 1, 32, 16)

    assert seen_by(small_recipe(), image)[1] is image


@every_network
def test_every_network_takes_slices_of_a_hundred_pixels(name):
    logits = compute_logits(zoo.recipe(name), weightless(name), torch.empty(2, 1, 100, 100, device="meta"))

    assert logits.shape == (2, 1, 100, 100)


def test_dice_is_that_of_the_original_field():
    """A network that finds brain where the image is above 0 is right in the field, whatever the padding."""
    images = np.random.default_rng(0).normal(size=(6, 1, 21, 21)).astype(np.float32)
    volumes = ("a", "a", "a", "b", "b", "b")
    split = TinySplit(images, (images > 0).astype(np.uint8), volumes, volumes, items=())

    assert zoo.evaluate(nn.Identity(), split, small_recipe()).dice == 1.0


def test_training_with_a_learning_rate_search_takes_any_size(tmp_path):
    recipe = replace(zoo.recipe("edanet", "lr_find", epochs=1, batch_size=2, threads=1), lr_find_steps=10)
    trained = zoo.train(recipe, slices(tmp_path, train=4, val=1, size=21))

    assert trained.setup.applied["padded_to"] == 24
    assert trained.setup.applied["lr_find"]["steps"] > 0
    assert 0 <= zoo.evaluate(trained.model, slices(tmp_path, size=21).test, recipe).dice <= 1


def test_warming_up_takes_any_size(tmp_path):
    assert zoo.warm_up(zoo.recipe("edanet", batch_size=2), slices(tmp_path, size=21)) > 0
