"""The training loop: what comes out, that it repeats, what it refuses, and what it leaves behind.

A network of a few weights learns slices in real files.
"""

import math
import multiprocessing
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils.data import RandomSampler

import zoo
from tests.networks import count, weightless
from tests.simulated.tiny_slices import losses, network, slices, small_recipe, split
from zoo.size import macs_per_slice
from zoo.training import loop as training

pytestmark = pytest.mark.usefixtures("small_network")


def soft_dice_loss(logits: np.ndarray, masks: np.ndarray) -> float:
    """Compute 1 - Dice of probabilities, with MONAI's smoothing."""
    found = 1 / (1 + np.exp(-logits.astype(np.float64)))
    return 1 - (2 * (found * masks).sum() + 1e-5) / (found.sum() + masks.sum() + 1e-5)


# What comes out


def test_a_training_yields_its_setup_then_each_epoch_and_returns_the_trained(data):
    trained = None

    def steps():
        nonlocal trained
        trained = yield from zoo.epochs(small_recipe(), data)

    yielded = list(steps())

    assert [type(step) for step in yielded] == [zoo.Setup, zoo.Epoch, zoo.Epoch, zoo.Epoch]
    assert (trained.setup, *trained.epochs) == tuple(yielded)
    assert [epoch.number for epoch in trained.epochs] == [1, 2, 3]
    assert [epoch.slices for epoch in trained.epochs] == [8, 8, 8]
    assert trained.seconds == pytest.approx(sum(step.seconds for step in yielded))
    assert not trained.model.training
    assert not trained.stopped_early
    assert trained.peak_gpu_mib is None
    assert trained.params == 4 * 9 + 4 + 2 * 4 + 4 * 9 + 1


def test_what_the_caller_does_between_epochs_is_in_nobody_s_seconds(data):
    steps, waited = zoo.epochs(small_recipe(), data), threading.Event()
    total = sum(step.seconds for step in steps if not waited.wait(0.5))

    assert total < 4 * 0.5


def test_the_losses_are_those_of_a_plain_loop(data):
    """The truth is the textbook's loop over arrays in memory, written here a second time."""
    torch.manual_seed(7)
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    order, expected = RandomSampler(range(8), generator=torch.Generator().manual_seed(7)), []
    for _ in range(3):
        batch_losses = []
        for rows in torch.tensor(list(order)).split(4):
            logits = model(torch.from_numpy(data.train.images)[rows])
            found, masks = logits.sigmoid(), torch.from_numpy(data.train.masks)[rows]
            loss = 1 - (2 * (found * masks).sum() + 1e-5) / (found.sum() + masks.sum() + 1e-5)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            batch_losses.append(loss.item())
        expected.append(np.mean(batch_losses))

    trained = zoo.train(small_recipe(learning_rate=0.05), data, seed=7)

    assert [epoch.loss for epoch in trained.epochs] == pytest.approx(expected, rel=1e-5)


def test_validation_says_what_numpy_says_of_the_returned_model(data):
    trained = zoo.train(small_recipe(epochs=1), data)
    with torch.no_grad():
        logits = trained.model(torch.from_numpy(data.val.images)).numpy()
    found, true = logits > 0, data.val.masks > 0

    assert trained.epochs[0].val_loss == pytest.approx(soft_dice_loss(logits, data.val.masks), rel=1e-5)
    assert trained.epochs[0].val_dice == pytest.approx(2 * (found & true).sum() / (found.sum() + true.sum()))


@pytest.mark.parametrize(
    ("bias", "found", "collapsed"), [(-9.0, 0.0, True), (9.0, 1.0, True), (None, None, False)]
)
def test_weights_that_find_brain_nowhere_or_everywhere_have_collapsed(
    data, monkeypatch, bias, found, collapsed
):
    """At a rate this small the weights stay as they are."""

    def create(*_, **__):
        made = torch.nn.Conv2d(1, 1, 1)
        torch.nn.init.constant_(made.weight, 0.0 if bias is not None else 1.0)
        torch.nn.init.constant_(made.bias, bias or 0.0)
        return made

    monkeypatch.setattr("zoo.model.build.create_network", create)
    trained = zoo.train(small_recipe(epochs=1, learning_rate=1e-12), data)

    assert trained.collapsed == collapsed
    assert found in (None, trained.epochs[0].val_found)


def test_weights_that_find_pixels_and_none_of_the_brain_have_collapsed(tmp_path, monkeypatch):
    monkeypatch.setattr("zoo.training.loop._validate", lambda *_: (0.5, 0.0, 0.01))

    assert zoo.train(small_recipe(epochs=1), slices(tmp_path)).collapsed


def test_without_brain_in_the_validation_part_nobody_can_say_so(tmp_path, monkeypatch):
    monkeypatch.setattr("zoo.training.loop._validate", lambda *_: (0.5, math.nan, 0.0))

    assert not zoo.train(small_recipe(epochs=1), slices(tmp_path)).collapsed


def test_an_epoch_s_loss_weighs_batches_by_their_slices(tmp_path, monkeypatch):
    data = slices(tmp_path, train=6)
    said = iter([0.25, 1.0])
    monkeypatch.setattr(training, "_validate", lambda *_: (0.5, 0.5, 0.5))
    monkeypatch.setattr(training.Learner, "step", lambda learner, image, mask: torch.tensor(next(said)))

    trained = zoo.train(small_recipe(epochs=1), data)

    assert trained.epochs[0].loss == pytest.approx((4 * 0.25 + 2 * 1.0) / 6)


def test_it_learns(data):
    trained = zoo.train(small_recipe(loading="device", epochs=60, learning_rate=0.03), data)

    assert zoo.evaluate(trained.model, data.test, small_recipe()).dice > 0.9


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] * (name != "edanet")) for name in zoo.architectures()],
)
def test_every_network_of_the_zoo_trains(name, tmp_path, monkeypatch):
    monkeypatch.undo()
    wanted = zoo.recipe(name, epochs=1, batch_size=2, threads=1)
    trained = zoo.train(wanted, slices(tmp_path, train=2, val=1, size=32))

    assert math.isfinite(trained.epochs[0].loss)
    assert trained.params == count(weightless(name))
    assert trained.macs_per_slice == macs_per_slice(name, 32)


# Repeatability


@pytest.mark.parametrize("technique", ["baseline", "augment+cache", "novograd+bf16", "lr_find"])
def test_the_same_seed_gives_identical_losses(data, native_bf16, technique):
    wanted = small_recipe(technique)
    wanted = replace(wanted, lr_find_steps=min(20, wanted.lr_find_steps))

    assert losses(zoo.train(wanted, data, seed=3)) == losses(zoo.train(wanted, data, seed=3))


@pytest.mark.parametrize("persistent", [False, True])
@pytest.mark.slow
def test_the_same_seed_gives_identical_losses_with_workers_and_augmentation(data, persistent):
    wanted = small_recipe("augment", epochs=2, workers=2, persistent_workers=persistent)

    assert losses(zoo.train(wanted, data, seed=3)) == losses(zoo.train(wanted, data, seed=3))


def test_another_seed_gives_another_training(data):
    assert losses(zoo.train(small_recipe(), data, seed=0)) != losses(zoo.train(small_recipe(), data, seed=1))


@pytest.mark.parametrize(
    "changes", [{"loading": "cache"}, {"workers": 2, "persistent_workers": True, "loading": "cache"}]
)
def test_how_slices_are_loaded_changes_no_loss(data, changes):
    assert losses(zoo.train(small_recipe(**changes), data)) == losses(zoo.train(small_recipe(), data))


# What goes wrong


@pytest.mark.parametrize(
    ("part", "words"), [("train", "training loss of epoch 1"), ("val", "validation loss of epoch 1")]
)
def test_a_loss_that_is_no_number_names_its_epoch_and_step(tmp_path, data, part, words):
    clean = getattr(data, part)
    images = np.full_like(clean.images, np.nan)
    broken = replace(data, **{part: split(tmp_path, "nan", images, clean.masks)})

    with pytest.raises(zoo.Diverged, match=rf"{words} is nan at step 1 of {len(images) // 4}"):
        zoo.train(small_recipe(), broken)


def test_divergence_names_the_step_where_it_began(data, monkeypatch):
    said = iter([0.5, 0.5, 0.5, math.inf])
    monkeypatch.setattr(training, "_validate", lambda *_: (0.5, 0.5, 0.5))
    monkeypatch.setattr(training.Learner, "step", lambda learner, image, mask: torch.tensor(next(said)))

    with pytest.raises(zoo.Diverged, match="training loss of epoch 2 is inf at step 2 of 2"):
        zoo.train(small_recipe(), data)


@pytest.mark.parametrize(
    ("changes", "seed", "message"),
    [
        ({}, -1, "seed is -1; expected a whole number of 0 or more"),
        ({}, 0.5, "seed is 0.5; expected a whole number of 0 or more"),
        ({"device": "cuda:7"}, 0, "cannot run here: device cuda:7 was asked for, but"),
    ],
)
def test_what_cannot_be_trained_is_refused_with_the_value(data, changes, seed, message):
    with pytest.raises(ValueError, match=message):
        zoo.train(small_recipe(**changes), data, seed)


@pytest.mark.parametrize(
    ("sizes", "message"), [((1, 2), "train split has 1 slices"), ((4, 0), "val split has 0 slices")]
)
def test_too_few_slices_are_refused(tmp_path, sizes, message):
    train, val = sizes
    with pytest.raises(ValueError, match=message):
        zoo.train(
            small_recipe(), slices(tmp_path, train=train, val=max(val, 1)) if val else without_val(tmp_path)
        )


def without_val(folder):
    data = slices(folder)
    return replace(data, val=replace(data.val, items=()))


def test_slices_of_a_size_that_does_not_fit_are_padded_and_the_account_says_so(tmp_path, monkeypatch):
    seen = []

    def watched(*arguments):
        made = network()
        made.register_forward_pre_hook(lambda layer, inputs: seen.append(inputs[0].shape[-2:]))
        return made

    monkeypatch.setattr("zoo.model.build.create_network", watched)
    trained = zoo.train(small_recipe(epochs=1), slices(tmp_path, size=40))

    assert set(seen) == {(48, 48)}
    assert trained.setup.applied["padded_to"] == 48
    assert trained.macs_per_slice == macs_per_slice("unet", 48)


def test_slices_of_a_size_that_fits_are_not_padded(data):
    assert zoo.train(small_recipe(epochs=1), data).setup.applied["padded_to"] is None


def test_a_machine_without_bf16_says_so(monkeypatch):
    monkeypatch.setattr(
        torch.cpu, "get_capabilities", lambda: {"avx2": True, "avx512_bf16": False}, raising=False
    )

    assert "this hardware computes no bfloat16" in zoo.unavailable(small_recipe("bf16"))
    assert zoo.unavailable(small_recipe()) is None


@pytest.mark.parametrize("instruction", ["avx512_bf16", "amx_bf16", "bf16"])
def test_a_machine_with_any_bf16_instruction_runs_it(monkeypatch, instruction):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {instruction: True}, raising=False)

    assert zoo.unavailable(small_recipe("bf16")) is None


def test_a_gpu_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)

    assert (
        zoo.unavailable(small_recipe(device="cuda:2"))
        == "device cuda:2 was asked for, but there are 2 CUDA GPUs here"
    )


def test_an_old_gpu_runs_fp32_but_not_bf16(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))

    assert zoo.unavailable(small_recipe(device="cuda:0")) is None
    assert "no bfloat16" in zoo.unavailable(small_recipe("bf16", device="cuda:0"))


# What is left behind


@pytest.mark.parametrize("persistent", [False, True])
def test_closing_the_generator_ends_the_workers(data, persistent):
    before = len(multiprocessing.active_children())
    steps = zoo.epochs(small_recipe(workers=2, persistent_workers=persistent), data)
    next(steps), next(steps)
    steps.close()

    assert len(multiprocessing.active_children()) == before


@pytest.mark.parametrize("persistent", [False, True])
def test_a_training_that_fails_in_a_step_leaves_no_worker(data, monkeypatch, persistent):
    def fail(*_):
        raise MemoryError("somebody keeps this traceback, and with it the loop's iterator")

    monkeypatch.setattr(training.Learner, "step", fail)
    before = len(multiprocessing.active_children())
    with pytest.raises(MemoryError) as kept:
        zoo.train(small_recipe(workers=2, persistent_workers=persistent), data)

    assert len(multiprocessing.active_children()) == before
    assert kept.value.__traceback__ is not None


def test_threads_are_set_for_the_training_and_set_back(data):
    before = torch.get_num_threads()
    steps = zoo.epochs(small_recipe(threads=before + 1), data)
    during = [torch.get_num_threads() for _ in steps]

    assert set(during) == {before + 1}
    assert torch.get_num_threads() == before


def test_a_warm_up_takes_its_steps_and_leaves_the_random_state(data, monkeypatch):
    models = []
    monkeypatch.setattr("zoo.model.build.create_network", lambda name: models.append(network()) or models[0])
    before = torch.random.get_rng_state(), np.random.get_state()[1].tolist(), torch.get_num_threads()

    seconds = zoo.warm_up(small_recipe("augment"), data, batches=3)

    assert seconds > 0
    assert models[0][1].num_batches_tracked == 3
    assert torch.equal(torch.random.get_rng_state(), before[0])
    assert (np.random.get_state()[1].tolist(), torch.get_num_threads()) == before[1:]


def test_a_warm_up_changes_no_training(data):
    expected = losses(zoo.train(small_recipe("augment"), data))
    zoo.warm_up(small_recipe("augment"), data)

    assert losses(zoo.train(small_recipe("augment"), data)) == expected


def test_a_warm_up_of_no_batches_is_refused(data):
    with pytest.raises(ValueError, match="batches is 0; expected 1 or more"):
        zoo.warm_up(small_recipe(), data, batches=0)
