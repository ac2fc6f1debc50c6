"""Dice by three definitions, against hand counts and a second library."""

import math
from types import SimpleNamespace

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays
from monai.metrics import compute_dice
from torch import nn

import zoo
from zoo.evaluation import count_pixels, score_slices

RECIPE = zoo.recipe("unet", batch_size=2, threads=1)


def row(*found: int) -> np.ndarray:
    """Draw a slice (1, 1, 4) from four pixels."""
    return np.array(found)[None, None]


def split(found: list, true: list, volume: list[str]) -> SimpleNamespace:
    """Make a split whose images are the logits that an identity network will give."""
    return SimpleNamespace(
        images=np.stack(found).astype(np.float32) - 0.5,
        masks=np.stack(true).astype(np.uint8),
        volume=tuple(volume),
        subject=tuple(volume),
    )


# Volume a: slices with 1 of 2 and 0 of 1 pixels found, pooled 2·1 / (1 + 3) = 1/2.
# Volume b: one slice without brain, where one pixel was found: unknown.
# Volume c: one slice, perfect: 1.
FOUND = [row(1, 0, 0, 0), row(0, 0, 0, 0), row(0, 0, 0, 1), row(0, 1, 1, 0)]
TRUE = [row(1, 1, 0, 0), row(0, 0, 1, 0), row(0, 0, 0, 0), row(0, 1, 1, 0)]
EXAMPLE = split(FOUND, TRUE, ["a", "a", "b", "c"])


def test_dice_is_pooled_in_each_volume_then_averaged():
    found = zoo.evaluate(nn.Identity(), EXAMPLE, RECIPE)

    assert (found.dice_by_volume["a"], found.dice_by_volume["c"]) == (1 / 2, 1)
    assert found.dice == (1 / 2 + 1) / 2


def test_dice_slice_averages_the_slices_with_brain():
    found = zoo.evaluate(nn.Identity(), EXAMPLE, RECIPE)

    assert found.dice_slice == pytest.approx((2 / 3 + 0 + 1) / 3)


@pytest.mark.parametrize(
    ("batch_size", "expected"),
    [
        (2, (1 / 2 * 2 + 4 / 5 * 2) / 4),
        (3, (2 * 1 / 5 * 3 + 1 * 1) / 4),
        (4, 2 * 3 / (4 + 5)),
    ],
)
def test_dice_batch_pools_each_batch_and_weighs_it_by_its_size(batch_size, expected):
    found = zoo.evaluate(nn.Identity(), EXAMPLE, zoo.recipe("unet", batch_size=batch_size))

    assert found.dice_batch == pytest.approx(expected)


def test_where_there_is_no_brain_dice_is_unknown():
    nothing = split([row(0, 0, 0, 0)] * 2, [row(0, 0, 0, 0)] * 2, ["a", "a"])
    found = zoo.evaluate(nn.Identity(), nothing, RECIPE)

    assert math.isnan(found.dice)
    assert math.isnan(found.dice_slice)
    assert found.dice_batch == 0  # the study's convention


def test_sensitivity_and_precision_are_shares_of_each_volume():
    """Of a 1 of 3 brain pixels is found and nothing else; of c all; b has no brain."""
    found = zoo.evaluate(nn.Identity(), EXAMPLE, RECIPE)

    assert found.sensitivity == pytest.approx((1 / 3 + 1) / 2)
    assert found.precision == 1


def test_a_volume_without_brain_is_in_no_mean_whatever_was_found_in_it():
    logits, masks = [row(1, 1, 0, 0), row(1, 1, 1, 1)], [row(1, 0, 0, 0), row(0, 0, 0, 0)]
    found = zoo.evaluate(nn.Identity(), split(logits, masks, ["a", "b"]), RECIPE)

    assert found.dice == found.dice_by_volume["a"] == pytest.approx(2 / 3)
    assert math.isnan(found.dice_by_volume["b"])


def test_a_logit_of_zero_is_no_brain():
    assert count_pixels(torch.zeros(1, 1, 2, 2), torch.ones(1, 1, 2, 2)).tolist() == [[0, 0, 4]]


@settings(max_examples=30, deadline=None)
@given(
    arrays(np.float32, (3, 1, 4, 4), elements=st.floats(-2, 2, width=32)),
    arrays(np.uint8, (3, 1, 4, 4), elements=st.integers(0, 1)),
)
def test_a_slice_of_its_own_volume_has_monai_s_dice(logits, masks):
    masks[:, :, 0, 0] = 1  # MONAI leaves slices without brain undefined
    found, true = torch.from_numpy(logits > 0).float(), torch.from_numpy(masks)
    result = score_slices(count_pixels(torch.from_numpy(logits), true), ["a", "b", "c"], batch_size=3)

    expected = compute_dice(found, true, include_background=True)[:, 0].tolist()
    assert list(result.dice_by_volume.values()) == pytest.approx(expected)
    assert result.dice_slice == pytest.approx(np.mean(expected))
    assert result.dice_batch == pytest.approx(2 * (found * true).sum() / (found.sum() + true.sum()))


def test_evaluation_leaves_the_mode_of_the_model():
    model = nn.Identity().train()
    zoo.evaluate(model, EXAMPLE, RECIPE)

    assert model.training


def test_evaluation_uses_running_statistics_not_those_of_the_batch():
    model = nn.Sequential(nn.BatchNorm2d(1)).train()
    by_two = zoo.evaluate(model, EXAMPLE, RECIPE)

    assert by_two.dice == zoo.evaluate(nn.Identity(), EXAMPLE, RECIPE).dice
    assert model[0].num_batches_tracked == 0


def test_an_empty_split_is_refused():
    empty = SimpleNamespace(images=np.zeros((0, 1, 4, 4)), masks=None, volume=(), subject=())
    with pytest.raises(ValueError, match="no slices"):
        zoo.evaluate(nn.Identity(), empty, RECIPE)


def test_a_volume_name_that_two_subjects_share_is_refused():
    mixed = split(FOUND, TRUE, ["a", "a", "b", "c"])
    mixed.subject = ("one", "two", "b", "c")
    with pytest.raises(ValueError, match="volume 'a' belongs to subjects 'one' and 'two'"):
        zoo.evaluate(nn.Identity(), mixed, RECIPE)
