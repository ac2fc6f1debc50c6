"""The key of a case: what it depends on, and what becomes of the keys that records had before."""

import copy
import dataclasses
import itertools
import json
from pathlib import Path

import pytest

import zoo
from energy.records.keys import make_case_key, read_first_defaults
from energy.records.migration import update_run
from energy.records.storage.runfile import list_records, read_run

RESULTS = Path(__file__).parents[2] / "results"
COMMITTED = sorted(RESULTS.glob("*/0*.json"))
BUDGET = {"epochs": 4, "seeds": [0], "batch_size": 4, "image_size": 64, "train_slices": 64}


def key(recipe=None, budget=None, target=0.8, version=1):
    return make_case_key(
        {"loss": "dice", **(recipe or {})}, {"loss": "dice"}, version, budget or BUDGET, target
    )


def trainings(read):
    """Return what identifies each training of the committed records, with its file and old-style recipe."""
    records = [(path.name, record) for path in COMMITTED for record in list_records(read(path))]
    return [(name, record) for name, record in records if record["task"] == "training"]


def test_seeds_and_choices_as_usual_are_no_part_of_the_key():
    assert key(budget=BUDGET | {"seeds": [0, 1, 2]}) == key()
    assert make_case_key({}, {"loss": "dice"}, 1, BUDGET, 0.8) == key()
    # As a record has them.
    assert make_case_key({"betas": (0.9, 0.98)}, {}, 1, BUDGET, 0.8) == make_case_key(
        {"betas": [0.9, 0.98]}, {}, 1, BUDGET, 0.8
    )


def test_what_makes_another_case_makes_another_key():
    others = [
        key({"loss": "bce"}),
        key({"architecture": "unet"}),
        key(budget=BUDGET | {"epochs": 5}),
        key(target=0.9),
        key(version=2),
    ]

    assert len({key(), *others}) == 6


def test_a_default_changes_only_with_the_version_of_the_defaults():
    """Else equal keys would stand for different trainings; a new field is added to the list without that."""
    defaults = {
        field.name: field.default
        for field in dataclasses.fields(zoo.Recipe)
        if field.default is not dataclasses.MISSING
    }

    assert zoo.DEFAULTS_VERSION == 1, "keep each version's defaults in a file of its own"
    assert json.loads(json.dumps(defaults)) == read_first_defaults()


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_a_committed_training_has_the_key_that_its_recipe_has_today(path):
    for record in list_records(read_run(path)):
        if record["task"] == "training":
            recipe = dataclasses.asdict(zoo.Recipe(**record["recipe"]))
            (target,) = {facts["target_dice"] for facts in record["setup"]}

            today = make_case_key(
                recipe, read_first_defaults(), zoo.DEFAULTS_VERSION, record["budget"], target
            )
            assert record["keys"]["case"] == today, record["case"]


def test_committed_trainings_are_comparable_with_those_they_were_comparable_with():
    before = trainings(lambda path: json.loads(path.read_text()))
    after = trainings(read_run)
    pairs = list(itertools.combinations(zip(before, after, strict=True), 2))
    together = [
        (one, other)
        for (one, _), (other, _) in pairs
        if one[1]["keys"]["case"] == other[1]["keys"]["case"] and one[0] != other[0]
    ]

    assert {("0005_study.json", "0010_study.json")} == {(one[0], other[0]) for one, other in together}
    for (one, now), (other, then) in pairs:
        if one[1]["budget"]["seeds"] == other[1]["budget"]["seeds"]:
            were, are = (
                (a[1]["keys"]["case"] == b[1]["keys"]["case"]) for a, b in ((one, other), (now, then))
            )
            assert were == are


def test_a_record_of_another_suite_and_a_damaged_file_stay_as_they_are():
    own = {
        "recipe": {"lr": 1},
        "budget": {"seeds": [0]},
        "keys": {"case": "mine"},
        "setup": [{"target_dice": 1}],
    }
    run = {"benchmarks": [{"extra_info": {"energy": own}}, {"extra_info": {"energy": None}}, 1, {}]}
    before = copy.deepcopy(run)
    update_run(run)

    assert run == before
