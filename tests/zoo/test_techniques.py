"""Every technique by its mechanism: not that it runs, but that it does what its name says."""

import math
import threading
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import zoo
from tests.simulated.tiny_slices import losses, network, small_recipe, split
from zoo.feeding import loaders
from zoo.training import loop as training
from zoo.training import losses as loss_functions
from zoo.training import optimizers, rate_search

pytestmark = pytest.mark.usefixtures("small_network")


def validation_losses(monkeypatch, *values: float) -> list[dict[str, torch.Tensor]]:
    """Let the validation say these losses, the last one for ever; collect the weights it saw."""
    seen = []

    def validate(learner, feed, epoch):
        seen.append({name: value.clone() for name, value in learner.model.state_dict().items()})
        return values[min(epoch, len(values)) - 1], 0.5, 0.5

    monkeypatch.setattr(training, "_validate", validate)
    return seen


# Techniques


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_bf16_is_seen_inside_the_network_and_never_in_the_loss(data, monkeypatch, native_bf16, precision):
    inside, into_loss, losses_seen = [], [], []

    def watched(*_):
        model = network()
        model[0].register_forward_hook(lambda layer, inputs, output: inside.append(output.dtype))
        return model

    class Dice(loss_functions.DiceLoss):
        def forward(self, logits, mask):
            into_loss.append(logits.dtype)
            losses_seen.append(super().forward(logits, mask))
            return losses_seen[-1]

    monkeypatch.setattr("zoo.model.build.create_network", watched)
    monkeypatch.setattr(loss_functions, "DiceLoss", Dice)
    trained = zoo.train(small_recipe(precision=precision), data)

    assert set(inside) == {torch.bfloat16 if precision == "bf16" else torch.float32}
    assert set(into_loss) == {torch.float32}
    assert {loss.dtype for loss in losses_seen} == {torch.float32}
    assert {weights.dtype for weights in trained.model.parameters()} == {torch.float32}


def test_novograd_takes_the_steps_of_its_paper():
    """By hand: one second moment per layer, started at the first norm, with AMSGrad's running maximum."""
    layer = nn.Linear(2, 1, bias=False)
    weights = layer.weight.detach().clone().numpy().astype(np.float64)
    optimizer = optimizers.build(small_recipe("novograd_amsgrad"), layer, learning_rate=0.1)
    first, second, largest = np.zeros((1, 2)), None, 0.0
    for gradient in np.array([[[3.0, 4.0]], [[0.6, 0.8]], [[-30.0, 40.0]]]):
        layer.weight.grad = torch.from_numpy(gradient).float()
        optimizer.step()
        norm = (gradient**2).sum()
        second = norm if second is None else 0.98 * second + 0.02 * norm
        largest = max(largest, second)
        first = 0.9 * first + gradient / (np.sqrt(largest) + 1e-8)
        weights -= 0.1 * first

    np.testing.assert_allclose(layer.weight.detach().numpy(), weights, rtol=1e-5)


def test_the_rate_falls_to_a_tenth_after_the_sixth_flat_epoch_and_not_below_its_floor(data, monkeypatch):
    validation_losses(monkeypatch, 0.5)
    rates = [epoch.lr for epoch in zoo.train(small_recipe("plateau", epochs=26), data).epochs]

    steps = [1e-3] * 7 + [1e-4] * 6 + [1e-5] * 6 + [1e-6] * 6 + [1e-6]  # the first epoch is never flat
    assert rates == pytest.approx(steps)


def test_progress_above_the_threshold_keeps_the_rate(data, monkeypatch):
    validation_losses(monkeypatch, *(0.5 * 0.998**epoch for epoch in range(12)))

    assert {epoch.lr for epoch in zoo.train(small_recipe("plateau", epochs=12), data).epochs} == {1e-3}


def test_early_stopping_waits_fifteen_epochs_without_progress(data, monkeypatch):
    validation_losses(monkeypatch, 0.6, 0.5, 0.4995)  # the third falls by less than 1e-3: no progress
    trained = zoo.train(small_recipe("early_stop", epochs=40), data)

    assert len(trained.epochs) == 2 + 15
    assert trained.stopped_early
    assert trained.best_epoch == 3  # yet it is the lowest


def test_slow_progress_adds_up_before_patience_ends(data, monkeypatch):
    validation_losses(monkeypatch, *(0.5 - 0.0004 * epoch for epoch in range(30)))

    assert len(zoo.train(small_recipe("early_stop", epochs=30), data).epochs) == 30


def test_without_early_stopping_all_epochs_are_run(data, monkeypatch):
    validation_losses(monkeypatch, 0.5)

    assert len(zoo.train(small_recipe(epochs=20), data).epochs) == 20


def test_the_weights_kept_are_those_of_the_lowest_validation_loss(data, monkeypatch):
    seen = validation_losses(monkeypatch, 0.5, 0.3, 0.4, 0.3, 0.6)
    trained = zoo.train(small_recipe(epochs=5), data)

    assert trained.best_epoch == 2
    assert all(torch.equal(value, seen[1][name]) for name, value in trained.model.state_dict().items())
    assert not torch.equal(seen[1]["0.weight"], seen[4]["0.weight"])


# The learning-rate search


def search(data, wanted, model):
    loader = loaders.train_loader(loaders.datasets(wanted, data)[0], wanted, seed=0)
    return rate_search.find(wanted, model, loader)


def test_the_search_reads_a_hundred_batches_and_leaves_the_weights_bit_for_bit(data):
    model, forwards = network(), []
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.register_forward_hook(lambda *_: forwards.append(1))

    rate, told = search(data, small_recipe("lr_find"), model)

    assert len(forwards) == told["steps"] == 100
    assert 1e-5 <= rate <= 1e-1
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_the_search_finds_where_the_loss_falls_most_steeply(monkeypatch):
    """The loss is made to fall around the 60th of 100 rates, spaced evenly in their logarithms."""
    finder = rate_search.LearningRateFinder(
        network(), torch.optim.Adam(network().parameters()), nn.Identity(), verbose=False
    )
    finder.history = {
        "lr": list(np.geomspace(1e-5, 1e-1, 100)),
        "loss": [1 - 1 / (1 + math.exp(-(step - 60))) for step in range(100)],
    }

    assert rate_search._steepest(finder, skip=10) == pytest.approx(1e-5 * 1e4 ** (60 / 99), rel=0.1)


def test_a_search_that_finds_nothing_keeps_the_recipe_s_rate(tmp_path, data, capfd):
    images = np.full_like(data.train.images, np.nan)
    broken = replace(data, train=split(tmp_path, "nan", images, data.train.masks))

    rate, told = search(broken, small_recipe("lr_find", learning_rate=0.02), network())

    assert rate == 0.02
    assert told["found"] is None
    assert capfd.readouterr() == ("", "")


def test_a_search_runs_in_the_recipe_s_precision(data):
    model, inside = network(), []
    model[0].register_forward_hook(lambda layer, inputs, output: inside.append(output.dtype))
    search(data, small_recipe("lr_find+bf16"), model)

    assert set(inside) == {torch.bfloat16}


@pytest.mark.parametrize("others", ["", "+augment"])
def test_a_search_changes_the_rate_and_nothing_else(data, others, monkeypatch):
    monkeypatch.setattr("zoo.model.build.create_network", lambda _: nn.Sequential(nn.Dropout(0.1), network()))
    searched = zoo.train(small_recipe("lr_find" + others, lr_find_steps=20), data)
    rate = searched.setup.applied["lr_find"]["used"]
    plain = zoo.train(small_recipe((others or "+baseline")[1:], learning_rate=rate), data)

    assert searched.epochs[0].lr == rate != 1e-3
    assert losses(searched) == losses(plain)


# What it says of itself


def test_the_setup_says_what_was_done(data, native_bf16):
    applied = zoo.train(small_recipe("paper", epochs=1), data).setup.applied

    assert applied["loading"]["from"] == "cache"
    assert applied["loading"]["slices"] == 12
    assert applied["loading"]["fill_seconds"] > 0
    assert applied["lr_find"]["steps"] <= 100
    assert applied["learning_rate"] == applied["lr_find"]["used"]
    assert (applied["precision"], applied["optimizer"], applied["threads"]) == ("bf16", "novograd", 1)
    assert (applied["workers"], applied["prefetch"], applied["persistent_workers"]) == (6, 2, True)
    assert applied["augment"]["rotation_degrees"] == 90


def test_pinned_memory_without_cuda_is_said_to_have_no_effect(data):
    applied = zoo.train(small_recipe(epochs=1, pin_memory=True), data).setup.applied

    assert applied["pin_memory"] is False
    assert applied["without_effect"] == ["pin_memory: acts with CUDA only"]


@pytest.mark.parametrize(
    ("technique", "epochs", "said"),
    [
        ("early_stop", 15, ["early_stop: patience 15, 15 epochs"]),
        ("early_stop", 16, ["early_stop: patience 15, 16 epochs"]),  # the first epoch is always progress
        ("early_stop", 17, []),
        ("plateau", 7, ["plateau: patience 5, 7 epochs"]),
        ("plateau", 8, []),
    ],
)
def test_a_patience_that_outlasts_the_training_is_said_to_have_no_effect(data, technique, epochs, said):
    steps = zoo.epochs(small_recipe(technique, epochs=epochs), data)

    assert next(steps).applied["without_effect"] == said
    steps.close()


def test_the_setup_s_seconds_hold_the_cache_and_the_search(data, monkeypatch):
    def search(*_):
        threading.Event().wait(0.3)
        return 0.01, {}

    monkeypatch.setattr("zoo.training.setup.rate_search.find", search)
    setup = zoo.train(small_recipe("cache+lr_find", epochs=1), data).setup

    assert setup.seconds > setup.applied["loading"]["fill_seconds"] + 0.3


@pytest.mark.slow
def test_a_training_is_silent(data, native_bf16, capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        zoo.train(small_recipe("paper", epochs=2, workers=2), data)

    assert capfd.readouterr() == ("", "")
