"""Predictions of what a case will take: a clock that counts steps, and sums by hand."""

from types import SimpleNamespace

import pytest

import zoo
from benchmarks import planner
from benchmarks.suite import Training

UNET_SECONDS, STUDENT_SECONDS = 3.0, 2.0  # of a step; the student's includes asking its teacher
TRAIN, VAL, BATCH, EPOCHS, SEEDS = 10, 4, 4, 5, (0, 1)
BATCHES = EPOCHS * (3 + 1 / 3)  # ceil(10 / 4) of training and ceil(4 / 4) of validation, forward only


@pytest.fixture
def plans(monkeypatch):
    """A planner whose steps take known times, on a machine that has stored nothing."""
    seconds = {"unet": UNET_SECONDS, "enet": STUDENT_SECONDS}
    monkeypatch.setattr(zoo, "warm_up", lambda recipe, slices, batches: seconds[recipe.architecture])
    suite = SimpleNamespace(
        device="cpu",
        slices=SimpleNamespace(train=range(TRAIN), val=range(VAL)),
        budget=SimpleNamespace(seeds=SEEDS),
        trainings=tuple(map(Training, SEEDS)),
        recipe=lambda arch, technique: zoo.recipe(
            arch, technique, batch_size=BATCH, epochs=EPOCHS, device="cpu"
        ),
        unavailable=lambda recipe: None,
        keys=lambda hardware, recipe: {},
    )
    store = SimpleNamespace(latest_case=lambda name, keys, seeds: None)
    return planner.Planner(suite, [], "nowhere", store)


def test_a_case_takes_its_steps_in_every_epoch_of_every_seed(plans):
    assert plans.plan("enet", "baseline").seconds == pytest.approx(STUDENT_SECONDS * BATCHES * len(SEEDS))


def test_a_case_with_a_teacher_takes_the_training_of_that_too(plans):
    both = (STUDENT_SECONDS + UNET_SECONDS) * BATCHES * len(SEEDS)

    assert plans.plan("enet", "distill").seconds == pytest.approx(both)


def test_a_search_of_the_learning_rate_is_counted_once_a_seed(plans):
    steps = zoo.recipe("enet", "lr_find").lr_find_steps

    assert steps > 0
    assert plans.plan("enet", "lr_find").seconds == pytest.approx(
        STUDENT_SECONDS * (BATCHES + steps) * len(SEEDS)
    )


def test_without_a_meter_the_kilojoules_are_unknown_and_not_0(plans):
    assert plans.plan("enet", "distill").kj is None
