"""Choices that wait for the validation loss: when their patience begins, and what they say they did."""

import pytest

import zoo
from tests.simulated.tiny_slices import network, slices, small_recipe
from zoo import training
from zoo._model.quantizing import Quantizing


@pytest.fixture
def data(tmp_path):
    return slices(tmp_path)


@pytest.fixture(autouse=True)
def small_network(monkeypatch):
    """Train a network of 85 weights under the name of a big one."""
    monkeypatch.setattr("zoo._model.building.create", network)


def judged(monkeypatch, *values: float) -> None:
    """Let the validation say these losses, the last one for ever."""

    def validate(learner, feed, epoch):
        learner.begin_validation(feed)
        return values[min(epoch, len(values)) - 1], 0.5

    monkeypatch.setattr(training, "_validate", validate)


@pytest.fixture
def unexported(monkeypatch):
    """Leave the network as it is where torchao would trace it, which takes half a minute."""
    pytest.importorskip("torchao")
    monkeypatch.setattr(Quantizing, "graph", lambda self, model, side: model)
    monkeypatch.setattr(Quantizing, "integers", lambda self, graph: graph)


# When patience begins


def test_the_patience_of_a_training_for_integers_begins_when_rounding_does(data, monkeypatch, unexported):
    """The first rounded epoch of 20 is the 11th; the loss is flat from the start."""
    judged(monkeypatch, 0.5)
    trained = zoo.train(small_recipe("int8_qat", epochs=20, early_stop_patience=3), data)

    assert len(trained.epochs) == 11 + 3
    assert trained.best_epoch == 11


@pytest.mark.parametrize("technique", ["baseline", "progressive_resize", "prune_unstructured", "int8_qat"])
def test_a_patience_is_said_to_be_too_long_in_just_those_trainings_that_it_cannot_shorten(
    tmp_path, monkeypatch, unexported, technique
):
    """The truth is what flat losses lead to, the soonest that any can."""
    judged(monkeypatch, 0.5)
    data = slices(tmp_path, size=32)
    said, stopped = [], []
    for epochs in range(4, 12):
        trained = zoo.train(small_recipe(technique, epochs=epochs, early_stop_patience=2), data)
        said.append(f"early_stop: patience 2, {epochs} epochs" in trained.setup.applied["without_effect"])
        stopped.append(trained.stopped_early)

    assert stopped == [not idle for idle in said]
    assert True in stopped
