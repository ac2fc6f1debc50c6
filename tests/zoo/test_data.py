"""Techniques of the data: workers, slices on the device, fewer empty slices, lower resolution."""

import json
import multiprocessing
import shutil
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.transforms import Compose, Rotate, Transform
from torch import nn

import zoo
from tests.simulated.tiny_slices import TinySplit, discs, losses, network, slices, small_recipe, split
from zoo.feeding import feed, resident
from zoo.model import forward
from zoo.model.forward import compute_logits
from zoo.size import macs_per_slice
from zoo.training import loop as training

pytestmark = pytest.mark.usefixtures("small_network")

CHANGES = {
    "workers_2": {"workers": 2},
    "workers_4": {"workers": 4},
    "workers_6": {"workers": 6},
    "workers_8": {"workers": 8},
    "prefetch": {"workers": 2, "prefetch": 4},
    "persistent_workers": {"workers": 2, "persistent_workers": True},
    "pin_memory": {"pin_memory": True},
    "device_cache": {"loading": "device"},
    "brain_slices": {"empty_kept": 0.1},
    "half_resolution": {"resolution": 0.5},
    "quarter_resolution": {"resolution": 0.25},
    "eighth_resolution": {"resolution": 0.125},
    "progressive_resize": {"resolution_stages": (0.5, 0.75, 1.0)},
}


@pytest.mark.parametrize("technique", CHANGES)
def test_a_technique_sets_what_its_name_says_and_nothing_else(technique):
    plain, changed = asdict(zoo.recipe("unet")), asdict(zoo.recipe("unet", technique))

    assert {name: value for name, value in changed.items() if plain[name] != value} == {
        "technique": technique,
        **CHANGES[technique],
    }


@pytest.mark.parametrize("technique", [name for name in CHANGES if name != "pin_memory"])
def test_a_warm_up_takes_steps_of_the_technique(tmp_path, technique):
    assert zoo.warm_up(small_recipe(technique), slices(tmp_path, size=32)) > 0


# Loader processes


@pytest.mark.parametrize("number", [2, 4, 6, 8])
def test_so_many_processes_load_as_the_name_says(data, number):
    before = len(multiprocessing.active_children())
    with feed.opened(small_recipe(f"workers_{number}"), data, seed=0) as opened, opened.train() as batches:
        next(batches)
        during = len(multiprocessing.active_children())

    assert during - before == number
    assert len(multiprocessing.active_children()) == before


@pytest.mark.parametrize("technique", ["workers_2", "prefetch", "persistent_workers"])
def test_who_loads_changes_no_loss(data, technique):
    trained = zoo.train(small_recipe(technique, epochs=2), data)

    assert losses(trained) == losses(zoo.train(small_recipe(epochs=2), data))
    assert trained.applied["workers"] == CHANGES[technique]["workers"]


class Noted(Transform):
    """Note in a file that a slice was read: one byte per slice, whichever process reads it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()

    def __call__(self, item):
        with self.path.open("ab") as file:
            file.write(b".")
        return item


@pytest.mark.parametrize(("technique", "batches_ahead"), [("workers_2", 2 * 2), ("prefetch", 2 * 4)])
def test_so_many_batches_are_read_before_the_first_is_asked_for(tmp_path, technique, batches_ahead):
    data = slices(tmp_path, train=24)
    noted = Noted(tmp_path / "read")
    data = replace(data, transform=Compose([noted, *data.transform.transforms]))
    wanted, expected = small_recipe(technique, batch_size=2), 2 * batches_ahead
    with feed.opened(wanted, data, seed=0) as opened, opened.train():
        deadline = time.monotonic() + 20
        while noted.path.stat().st_size < expected and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.2)  # in which nothing more is read
        read = noted.path.stat().st_size

    assert read == expected


@pytest.mark.parametrize(("technique", "stay"), [("workers_2", False), ("persistent_workers", True)])
def test_persistent_workers_are_the_same_processes_in_the_next_epoch(data, technique, stay):
    seen = []
    with feed.opened(small_recipe(technique), data, seed=0) as opened:
        for _ in range(2):
            with opened.train() as batches:
                next(batches)
                seen.append({child.pid for child in multiprocessing.active_children()})

    assert len(seen[0]) == 2
    assert (seen[0] == seen[1]) is stay


def test_pinned_memory_is_skipped_without_cuda_and_says_why():
    assert zoo.unavailable(zoo.recipe("unet", "pin_memory")) == (
        "pin_memory on cpu: it has only an effect with a CUDA GPU, which fetches from page-locked memory by "
        "itself"
    )


@pytest.mark.parametrize(("technique", "pinned"), [("pin_memory", True), ("baseline", False)])
def test_a_gpu_s_loader_pins_what_the_recipe_says(data, technique, pinned):
    opened = feed.LoaderFeed(small_recipe(technique, device="cuda:0"), data, seed=0)

    assert opened.applied["pin_memory"] is pinned


# Slices on the device


@pytest.mark.parametrize("others", ["", "+novograd", "+half_resolution", "+bf16"])
@pytest.mark.parametrize("number", [8, 9])  # of 9 in batches of 4, a last batch of one slice is left out
def test_slices_on_the_device_give_the_losses_of_the_disk_bit_for_bit(tmp_path, native_bf16, others, number):
    data = slices(tmp_path, train=number, size=32)
    resident = zoo.train(small_recipe("device_cache" + others), data, seed=3)
    plain = zoo.train(small_recipe((others or "+baseline")[1:]), data, seed=3)

    assert losses(resident) == losses(plain)
    assert [epoch.slices for epoch in resident.epochs] == [epoch.slices for epoch in plain.epochs] == [8] * 3


def test_a_real_network_learns_the_same_from_the_device(tmp_path, monkeypatch):
    monkeypatch.undo()
    data = slices(tmp_path, train=6, size=32)
    resident, plain = (
        zoo.train(zoo.recipe("attention_squeeze_unet", name, epochs=2, batch_size=4, threads=1), data)
        for name in ("device_cache", "baseline")
    )

    assert losses(resident) == losses(plain)


def test_the_learning_rate_search_sees_the_same_batches_on_the_device(data, monkeypatch):
    monkeypatch.setattr("zoo.model.build.create_network", lambda _: nn.Sequential(nn.Dropout(0.1), network()))
    resident, plain = (
        zoo.train(small_recipe(name, lr_find_steps=20), data) for name in ("device_cache+lr_find", "lr_find")
    )

    assert resident.applied["lr_find"] == plain.applied["lr_find"]
    assert losses(resident) == losses(plain)


def test_no_file_is_read_and_no_loader_made_once_the_slices_are_on_the_device(tmp_path, monkeypatch):
    data = slices(tmp_path)
    steps = zoo.epochs(small_recipe("device_cache+augment"), data)
    next(steps)
    shutil.rmtree(tmp_path)
    monkeypatch.setattr(torch.utils.data.DataLoader, "__iter__", None)

    assert [epoch.slices for epoch in steps] == [8, 8, 8]


def test_the_bytes_on_the_device_are_five_a_pixel_and_the_fill_is_in_the_set_up(data):
    trained = zoo.train(small_recipe("device_cache", epochs=1), data)
    told = trained.applied["loading"]

    assert (told["from"], told["slices"]) == ("device", 8 + 4)
    assert told["bytes"] == (8 + 4) * 16 * 16 * (4 + 1)
    assert 0 < told["fill_seconds"] < trained.setup.seconds


@pytest.mark.parametrize(
    "others", ["workers_2", "prefetch", "persistent_workers", "pin_memory", "cache", "paper"]
)
def test_a_loader_s_techniques_are_refused_beside_slices_on_the_device(others):
    with pytest.raises(ValueError, match=r"leave out device_cache, or workers|contradict each other"):
        zoo.recipe("unet", f"device_cache+{others}")


def test_a_mask_that_one_byte_cannot_hold_is_refused_with_its_file(tmp_path, data):
    grey = split(tmp_path, "grey", data.train.images, data.train.masks * 2)

    with pytest.raises(ValueError, match=r"item 0, .*grey_0_mask.nii, holds \[0.0, 2.0\]; expected 0 and 1"):
        zoo.train(small_recipe("device_cache"), replace(data, train=grey))


# Augmentation of batches


def batch(number: int, height: int = 33, width: int = 33) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw slices whose darkest value is not 0, and masks of two rectangles."""
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(number, 1, height, width, generator=generator)
    mask = torch.zeros(number, 1, height, width)
    mask[:, :, 4:20, 4:8] = mask[:, :, 4:8, 4:14] = 1
    return image, mask


@pytest.mark.parametrize("shape", [(33, 33), (24, 40)])
def test_a_rotation_is_monai_s_on_air_that_is_zero(shape):
    image, mask = batch(4, *shape)
    angles = torch.tensor([0.4, -1.2, 0.0, 3.0])
    got_image, got_mask = resident.rotate(image, mask, angles)

    for i, angle in enumerate(angles.tolist()):
        air = image[i].min()
        linear = Rotate(angle, mode="bilinear", padding_mode="zeros")(image[i] - air) + air
        nearest = Rotate(angle, mode="nearest", padding_mode="zeros")(mask[i])
        torch.testing.assert_close(got_image[i], linear.as_tensor(), atol=1e-4, rtol=0)
        assert (got_mask[i] != nearest.as_tensor()).sum() <= 2  # a pixel's middle may lie on an edge


def test_a_quarter_turn_moves_every_pixel_to_its_place():
    image, mask = batch(2)
    got_image, got_mask = resident.rotate(image, mask, torch.full((2,), np.pi / 2))
    turns = 1 if torch.equal(got_mask, mask.rot90(1, (2, 3))) else 3

    torch.testing.assert_close(got_image, image.rot90(turns, (2, 3)), atol=1e-4, rtol=0)
    assert torch.equal(got_mask, mask.rot90(turns, (2, 3)))


def test_a_batch_is_mirrored_and_rotated_as_often_and_as_far_as_the_recipe_says():
    recipe, number = small_recipe("augment", rotation_degrees=30.0), 400
    mask = torch.zeros(number, 1, 33, 33)
    mask[:, :, 15:18, 27:30] = 1  # a dot at the right, on the axis of the mirror
    _, turned = resident.Turning(recipe, seed=0)(torch.randn(mask.shape), mask)
    y, x = (
        (turned * place).sum((1, 2, 3)) / turned.sum((1, 2, 3))
        for place in (torch.arange(33.0).view(-1, 1), torch.arange(33.0))
    )
    degrees = torch.atan2(16 - y, x - 16).rad2deg().abs()

    assert degrees.max() <= 30 + 3  # a dot of 9 pixels may be off by so much
    assert degrees.max() > 0.7 * 30
    assert 160 <= (degrees > 1).sum() <= 225  # 200 are rotated, 10 standard deviation; some of them hardly


def test_slices_that_are_neither_mirrored_nor_rotated_stay_bit_for_bit():
    recipe = small_recipe("augment", rotation_probability=0.0)
    image, mask = batch(400)
    got_image, got_mask = resident.Turning(recipe, seed=0)(image, mask)
    same, flipped = ((got_image == expected).all(dim=(1, 2, 3)) for expected in (image, image.flip(2)))

    assert (same ^ flipped).all()
    assert 92 <= flipped.sum() <= 148  # 120 expected, 9.2 standard deviation
    assert torch.equal(got_mask[flipped], mask[flipped].flip(2))


def test_augmentation_on_the_device_turns_image_and_mask_together_and_keeps_masks_binary(data, tmp_path):
    seen = replace(data, train=split(tmp_path, "own", data.train.masks.astype(np.float32), data.train.masks))
    wanted = small_recipe("device_cache+augment", rotation_probability=1.0)
    with feed.opened(wanted, seen, seed=0) as opened, opened.train() as batches:
        for image, mask in batches:
            assert set(mask.unique().tolist()) == {0.0, 1.0}
            assert ((image > 0.5) == (mask > 0.5)).float().mean() > 0.97


def test_augmentation_on_the_device_differs_by_pass_and_seed_and_never_touches_validation(data):
    def passes(seed: int) -> list[torch.Tensor]:
        with feed.opened(small_recipe("device_cache+augment", batch_size=8), data, seed) as opened:
            found = []
            for _ in range(2):
                with opened.train() as batches:
                    images = next(batches)[0]
                    found.append(images[images[:, 0, 8, 8].argsort()])  # the middle hardly moves
            with opened.val() as batches:
                assert torch.equal(
                    torch.cat([image for image, _ in batches]), torch.from_numpy(data.val.images)
                )
        return found

    first = passes(0)

    assert all(torch.equal(one, other) for one, other in zip(first, passes(0), strict=True))
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first[0], passes(1)[0])


# Fewer empty slices


def mostly_empty(folder: Path, brain: int = 4, empty: int = 40):
    """Write a training split whose slices are told apart by their first pixel."""
    data = slices(folder, train=2)
    images, masks = discs(np.random.default_rng(2), brain + empty, 16)
    masks[brain:] = 0
    images[:, 0, 0, 0] = np.arange(brain + empty)
    return replace(data, train=split(folder, "mixed", images, masks))


def trained_on(data, seed: int = 0, technique: str = "brain_slices") -> list[int]:
    with feed.opened(small_recipe(technique), data, seed) as opened, opened.train() as batches:
        return sorted(int(number) for image, _ in batches for number in image[:, 0, 0, 0])


@pytest.mark.parametrize("loading", ["", "+cache", "+device_cache"])
def test_all_slices_with_brain_and_a_tenth_of_the_empty_ones_are_trained_on(tmp_path, loading):
    data = mostly_empty(tmp_path)
    kept = trained_on(data, technique="brain_slices" + loading)
    trained = zoo.train(small_recipe("brain_slices" + loading), data)
    told = trained.applied["selected"]

    assert kept[:4] == [0, 1, 2, 3]
    assert len(kept) == len(set(kept)) == 4 + 4
    assert (told["brain"], told["empty"], told["empty_kept"]) == (4, 40, 4)
    assert 0 < told["seconds"] < trained.setup.seconds
    assert [epoch.slices for epoch in trained.epochs] == [8, 8, 8]
    assert trained.applied["loading"].get("slices", 8 + 4) == 8 + 4  # no other is held


def test_the_seed_alone_draws_which_empty_slices_stay(tmp_path):
    data = mostly_empty(tmp_path)

    assert trained_on(data, seed=1) == trained_on(data, seed=1)
    assert trained_on(data, seed=1)[4:] != trained_on(data, seed=2)[4:]


def test_validation_keeps_its_empty_slices(tmp_path):
    data = mostly_empty(tmp_path)
    data = replace(data, val=data.train)
    with feed.opened(small_recipe("brain_slices"), data, seed=0) as opened, opened.val() as batches:
        assert sum(len(image) for image, _ in batches) == 44


def test_data_without_empty_slices_make_the_technique_fail(data):
    with pytest.raises(
        zoo.Ineffective, match="no slice was left out: 8 training slices show brain, and 0 of 0"
    ):
        zoo.train(small_recipe("brain_slices"), data)


def test_too_few_slices_with_brain_are_refused(tmp_path):
    with pytest.raises(
        ValueError, match=r"1 training slices show brain, and 0 of 3 empty ones are kept; expected 2"
    ):
        zoo.train(small_recipe("brain_slices"), mostly_empty(tmp_path, brain=1, empty=3))


# Lower resolution


def shrunk(rows: np.ndarray, factor: int) -> np.ndarray:
    """Shrink along the last axis by a triangle twice `factor` wide: linear interpolation without aliasing."""
    places = np.arange(rows.shape[-1]) + 0.5
    middles = (np.arange(rows.shape[-1] // factor) + 0.5) * factor
    weights = np.clip(1 - np.abs(places[:, None] - middles) / factor, 0, None)
    return rows @ (weights / weights.sum(0))


def stretched(rows: np.ndarray, factor: int) -> np.ndarray:
    """Scale back along the last axis by linear interpolation between the middles of pixels."""
    middles = (np.arange(rows.shape[-1]) + 0.5) * factor
    places = np.arange(rows.shape[-1] * factor) + 0.5
    return np.apply_along_axis(lambda row: np.interp(places, middles, row), -1, rows)


def both_ways(step, image: np.ndarray, factor: int) -> np.ndarray:
    return step(step(image, factor).swapaxes(-1, -2), factor).swapaxes(-1, -2)


FACTORS = [("half_resolution", 2), ("quarter_resolution", 4), ("eighth_resolution", 8)]


@pytest.mark.parametrize(("technique", "factor"), FACTORS)
def test_slices_are_shrunk_without_aliasing_and_logits_scaled_back_linearly(technique, factor):
    """By hand, for a network that gives back what it got."""
    image = np.random.default_rng(0).normal(size=(2, 1, 128, 128))
    got, model = [], nn.Identity()
    model.register_forward_pre_hook(lambda layer, inputs: got.append(inputs[0]))
    logits = compute_logits(small_recipe(technique), model, torch.from_numpy(image).float())
    small = both_ways(shrunk, image, factor)

    np.testing.assert_allclose(got[0].numpy(), small, atol=1e-5)
    np.testing.assert_allclose(logits.numpy(), both_ways(stretched, small, factor), atol=1e-5)


@pytest.mark.parametrize(("technique", "factor"), FACTORS)
def test_dice_is_that_of_the_full_field(technique, factor):
    images = np.random.default_rng(0).normal(size=(6, 1, 128, 128)).astype(np.float32)
    masks, volumes = (images > 0).astype(np.uint8), ("a",) * 6
    found = both_ways(stretched, both_ways(shrunk, images.astype(np.float64), factor), factor) > 0
    expected = 2 * (found & (masks > 0)).sum() / (found.sum() + masks.sum())
    scored = zoo.evaluate(
        nn.Identity(), TinySplit(images, masks, volumes, volumes, ()), small_recipe(technique)
    )

    assert scored.dice == pytest.approx(expected, abs=1e-4)  # a logit near 0 may fall to either side


@pytest.mark.parametrize(("technique", "factor"), FACTORS)
def test_training_and_validation_see_small_slices_and_the_record_counts_their_products(
    tmp_path, monkeypatch, technique, factor
):
    sides = watch(monkeypatch)
    trained = zoo.train(small_recipe(technique, epochs=1), slices(tmp_path, train=4, val=2, size=128))

    assert set(sides) == {(True, 128 // factor), (False, 128 // factor)}
    assert trained.macs_per_slice * factor**2 == macs_per_slice("unet", 128)
    assert trained.applied["resolution"] == [{"from_epoch": 1, "side": 128 // factor}]
    assert trained.applied["padded_to"] is None


def test_a_real_network_searches_its_rate_and_trains_at_half_resolution(tmp_path, monkeypatch):
    monkeypatch.undo()
    wanted = zoo.recipe(
        "attention_squeeze_unet", "half_resolution+lr_find", epochs=1, batch_size=2, threads=1
    )
    data = slices(tmp_path, train=4, val=2, size=32)
    trained = zoo.train(replace(wanted, lr_find_steps=10), data)

    assert trained.macs_per_slice == macs_per_slice("attention_squeeze_unet", 16)
    assert trained.epochs[0].val_dice == pytest.approx(
        zoo.evaluate(trained.model, replace(data.val, volume=("a",) * 2, subject=("a",) * 2), wanted).dice
    )


def test_padding_comes_after_shrinking(tmp_path, monkeypatch):
    sides = watch(monkeypatch)
    trained = zoo.train(small_recipe("eighth_resolution", epochs=1), slices(tmp_path, train=2, size=64))

    assert set(sides) == {(True, 16), (False, 16)}
    assert trained.applied["resolution"] == [{"from_epoch": 1, "side": 8}]
    assert trained.applied["padded_to"] == 16


@pytest.mark.parametrize("technique", ["half_resolution", "progressive_resize"])
def test_slices_that_padding_makes_as_large_as_before_make_the_technique_fail(tmp_path, technique):
    wanted = replace(small_recipe(technique), architecture="contextnet")

    with pytest.raises(
        zoo.Ineffective, match=r"contextnet was to see slices of 16 px, not of 32, but takes no less"
    ):
        zoo.train(wanted, slices(tmp_path, size=32))


# Growing slices


def watch(monkeypatch) -> list[tuple[bool, int]]:
    """Collect, for each batch, whether it was for training, and the side that the network saw."""
    seen = []

    def watched(name):
        model = network()
        model.register_forward_pre_hook(
            lambda layer, inputs: seen.append((layer.training, inputs[0].shape[-1]))
        )
        return model

    monkeypatch.setattr("zoo.model.build.create_network", watched)
    return seen


def test_training_slices_grow_and_validation_is_at_full_size(tmp_path, monkeypatch):
    seen = watch(monkeypatch)
    wanted = small_recipe("progressive_resize", epochs=6)
    trained = zoo.train(wanted, slices(tmp_path, train=4, val=2, size=64))

    assert [side for training, side in seen if training] == [32, 32, 48, 48, 64, 64]
    assert [side for training, side in seen if not training] == [64] * 6
    assert trained.macs_per_slice == macs_per_slice("unet", 64)
    assert trained.applied["resolution"] == [
        {"from_epoch": 1, "side": 32},
        {"from_epoch": 3, "side": 48},
        {"from_epoch": 5, "side": 64},
    ]


@pytest.mark.parametrize(
    ("epochs", "expected"),
    [
        (1, [1.0]),
        (2, [0.75, 1.0]),
        (3, [0.5, 0.75, 1.0]),
        (5, [0.5, 0.75, 0.75, 1.0, 1.0]),
        (10, [0.5] * 3 + [0.75] * 3 + [1.0] * 4),
        (12, [0.5] * 4 + [0.75] * 4 + [1.0] * 4),
    ],
)
def test_the_stages_share_the_epochs_and_the_last_epoch_is_at_full_size(epochs, expected):
    recipe = small_recipe("progressive_resize", epochs=epochs)
    shares = [forward.recipe_in_epoch(recipe, number).resolution for number in range(1, epochs + 1)]

    assert shares == expected
    assert forward.growing_until(recipe) == sum(share < 1 for share in expected)


def test_the_patience_of_early_stopping_begins_with_the_full_size(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "_validate", lambda *_: (0.5, 0.5, 0.5))
    data = slices(tmp_path, size=32)
    growing = zoo.train(small_recipe("progressive_resize", epochs=15, early_stop_patience=3), data)
    plain = zoo.train(small_recipe(epochs=15, early_stop_patience=3), data)

    assert len(plain.epochs) == 1 + 3
    assert len(growing.epochs) == 10 + 3


def test_a_single_epoch_leaves_nothing_to_grow_and_says_so(tmp_path):
    trained = zoo.train(small_recipe("progressive_resize", epochs=1), slices(tmp_path, size=32))

    assert trained.applied["without_effect"] == ["progressive_resize: 1 epoch"]
    assert trained.applied["resolution"] is None


# What is refused


def test_growing_to_full_size_and_never_showing_it_is_refused():
    with pytest.raises(ValueError, match=r"resolution is 0.5 with resolution_stages .*: choose one"):
        zoo.recipe("unet", "half_resolution+progressive_resize")


@pytest.mark.parametrize(
    "stages", [(1.0,), (0.5, 0.9), (1.0, 0.5), (0.5, 0.5, 1.0), (0, 1), ("half", 1.0), (0.5, True)]
)
def test_stages_that_do_not_rise_to_one_are_refused(stages):
    with pytest.raises(
        ValueError, match=r"resolution_stages is .*; expected none, or two or more rising numbers"
    ):
        small_recipe(resolution_stages=stages)


@pytest.mark.parametrize("changes", [{"resolution": 0}, {"resolution": 1.5}, {"empty_kept": -0.1}])
def test_a_share_out_of_range_is_refused(changes):
    with pytest.raises(ValueError, match=f"{next(iter(changes))} is .*; expected a number from 0"):
        small_recipe(**changes)


def test_stages_come_back_from_json_as_they_were():
    recipe = zoo.recipe("unet", "progressive_resize")

    assert zoo.Recipe(**json.loads(json.dumps(asdict(recipe)))) == recipe
