"""Choices that wait for the validation loss: when their patience begins, and what they say they did."""

from dataclasses import replace

import pytest

import zoo
from benchmarks.ladder import protocol
from benchmarks.ladder.rungs import read_result
from benchmarks.suite import BUDGETS, Suite
from tests.simulated.tiny_slices import slices, small_recipe
from zoo.model.quantizing import Quantizing
from zoo.training import loop as training

pytestmark = pytest.mark.usefixtures("small_network")


def judged(monkeypatch, *values: float) -> None:
    """Let the validation say these losses, the last one for ever."""

    def validate(learner, feed, epoch):
        learner.begin_validation(feed)
        return values[min(epoch, len(values)) - 1], 0.5, 0.5

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
@pytest.mark.slow
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


# What is said in the end


def ended(technique, data, **changes) -> dict:
    return zoo.train(small_recipe(technique, **changes), data).applied


def test_a_rate_that_fell_is_counted_where_it_was_trained_with(data, monkeypatch):
    """Six flat epochs after the first one lower it, six more lower it again, after the last epoch of all."""
    judged(monkeypatch, 0.5)
    trained = zoo.train(small_recipe("plateau", epochs=13), data)

    assert [epoch.lr for epoch in trained.epochs] == pytest.approx([1e-3] * 7 + [1e-4] * 6)
    assert trained.applied["plateau"] == {"reductions": 1}
    assert trained.applied["without_effect"] == []


def test_a_plateau_that_never_came_is_said_to_have_had_no_effect_since_all_figures_are_the_baseline_s(
    data, monkeypatch
):
    judged(monkeypatch, *(0.9 - 0.01 * epoch for epoch in range(20)))
    told = ended("plateau", data, epochs=20)

    assert told["plateau"] == {"reductions": 0}
    assert told["without_effect"] == ["plateau: the rate never fell in 20 epochs"]


def test_a_stop_is_told_with_its_epoch(data, monkeypatch):
    judged(monkeypatch, 0.6, 0.5)
    told = ended("early_stop", data, epochs=30)

    assert told["early_stop"] == {"stopped_after": 2 + 15}
    assert told["without_effect"] == []


def test_a_training_that_never_had_to_stop_says_that_early_stopping_had_no_effect(data, monkeypatch):
    judged(monkeypatch, *(0.9 - 0.01 * epoch for epoch in range(20)))
    told = ended("early_stop", data, epochs=20)

    assert told["early_stop"] == {"stopped_after": None}
    assert told["without_effect"] == ["early_stop: all 20 epochs were trained"]


def test_what_was_known_before_the_first_epoch_is_said_once(data):
    told = ended("plateau+early_stop", data, epochs=3)

    assert told["without_effect"] == ["early_stop: patience 15, 3 epochs", "plateau: patience 5, 3 epochs"]


def test_the_ladder_drops_a_rung_whose_technique_never_acted(data, monkeypatch):
    """Its figures would differ from the rung's below by noise alone, and might pass for a gain."""
    judged(monkeypatch, *(0.9 - 0.01 * epoch for epoch in range(20)))
    figures = {name: {"values": [0.5]} for name in ("dice", "total_kj", "dice_per_kj")}
    record = {
        "status": "ok",
        "validity": {"ok": True, "invalid": [], "notes": []},
        "metrics": figures,
        "setup": [{"applied": ended("plateau", data, epochs=20)}],
    }
    measured = iter([protocol.Result((0.5,), (1.0,), (0.5,)), read_result(record)])
    rungs = list(protocol.climb(["plateau"], lambda name: small_recipe(name), lambda _: next(measured)))

    assert rungs[-1].verdict == "dropped"
    assert rungs[-1].why == "no effect here: plateau: the rate never fell in 20 epochs"


# Where the budget has it


@pytest.mark.parametrize("budget", sorted(BUDGETS))
def test_what_is_the_baseline_of_its_budget_under_another_name_is_skipped_and_says_so(budget):
    suite = Suite(BUDGETS[budget], None, "cpu", threads=1)
    plain = suite.recipe("unet", "baseline")
    recipes = [suite.recipe("unet", name) for name in zoo.techniques() if name != "baseline"]
    twins = [wanted for wanted in recipes if replace(wanted, technique="baseline") == plain]
    stopped = [wanted for wanted in recipes if "the budget stops" in (suite.unavailable(wanted) or "")]

    assert all(map(suite.unavailable, twins))
    assert [wanted.technique for wanted in stopped] == ["early_stop"] * (budget == "paper")
    assert all(wanted in twins for wanted in stopped)


def test_a_stop_beside_other_techniques_is_skipped_with_the_name_of_its_twin():
    suite = Suite(BUDGETS["paper"], None, "cpu", threads=1)

    assert suite.unavailable(suite.recipe("unet", "cache+early_stop")) == (
        "early_stop: the budget stops every case after 15 epochs without progress, so this is cache under "
        "another name; choose another --budget"
    )
