"""Recipes and techniques: what each sets, how they combine, and what is refused."""

import ast
import dataclasses
import importlib
import itertools
import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import zoo
from tests import study
from zoo._registry import find_entry

FOLDER = Path(zoo.__file__).parent
KEPT = ["augment", "bf16", "cache", "early_stop", "lr_find", "novograd_amsgrad", "plateau"]  # by the study
BUNDLES = ("baseline", "paper", "green")
SINGLE = [name for name in zoo.techniques() if name not in BUNDLES]


def differences(technique: str) -> dict:
    plain = dataclasses.asdict(zoo.Recipe("unet"))
    made = dataclasses.asdict(zoo.recipe("unet", technique))
    return {key: value for key, value in made.items() if value != plain[key] and key != "technique"}


def test_naming_cases_and_making_recipes_imports_no_torch():
    code = "import sys, zoo; zoo.architectures(); zoo.recipe('unet', 'paper'); print('torch' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=FOLDER.parent)

    assert (told.stdout, told.stderr) == ("False\n", "")


def test_the_names_stay_functions_after_their_folders_were_imported():
    importlib.import_module("zoo.architectures.unet")
    importlib.import_module("zoo.techniques.paper")

    assert "unet" in zoo.architectures()
    assert "paper" in zoo.techniques()


def test_a_new_file_is_a_new_entry_and_touches_no_list(tmp_path):
    shutil.copytree(FOLDER, tmp_path / "zoo")
    (tmp_path / "zoo/architectures/one_layer.py").write_text(
        "from torch import nn\ndef build(in_channels, classes): return nn.Conv2d(in_channels, classes, 1)\n"
    )
    (tmp_path / "zoo/techniques/twice.py").write_text(
        "from dataclasses import replace\n"
        "def apply(recipe): return replace(recipe, epochs=2 * recipe.epochs)\n"
    )
    (tmp_path / "zoo/techniques/_machinery.py").touch()
    code = (
        "import zoo; print(*zoo.architectures()); print('_machinery' in zoo.techniques());"
        "print(zoo.recipe('one_layer', 'cache+twice').epochs, zoo.create('one_layer', 3, 2))"
    )

    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True
    )

    assert told.stdout.splitlines() == [
        " ".join(sorted([*zoo.architectures(), "one_layer"])),
        "False",
        "20 Conv2d(3, 2, kernel_size=(1, 1), stride=(1, 1))",
    ]


def test_the_techniques_are_those_of_the_study():
    assert set(study.TECHNIQUES) <= set(zoo.techniques())


@pytest.mark.parametrize(
    ("technique", "expected"),
    [
        ("baseline", {}),
        ("cache", {"loading": "cache"}),
        ("novograd", {"optimizer": "novograd", "betas": (0.9, 0.98)}),
        ("novograd_amsgrad", {"optimizer": "novograd", "amsgrad": True, "betas": (0.9, 0.98)}),
        ("lr_find", {"lr_find_steps": 100}),
        ("plateau", {"plateau_patience": 5}),
        ("augment", {"augment": True}),
        ("bf16", {"precision": "bf16"}),
        ("early_stop", {"early_stop_patience": 15}),
    ],
)
def test_a_technique_sets_what_its_name_says_and_nothing_else(technique, expected):
    assert differences(technique) == expected


def test_the_baseline_is_the_study_s():
    recipe = zoo.recipe("unet")

    assert (recipe.optimizer, recipe.learning_rate, recipe.loss) == ("adam", 1e-3, "dice")
    assert (recipe.precision, recipe.loading, recipe.workers) == ("fp32", "disk", 0)


def test_paper_is_all_of_them_and_the_study_s_loader():
    together = {key: value for name in KEPT for key, value in differences(name).items()}
    loader = {"workers": 6, "prefetch": 2, "persistent_workers": True, "pin_memory": True}

    assert differences("paper") == together | loader


def test_green_is_its_two_techniques_and_nothing_else():
    assert differences("green") == {"loading": "device", "empty_kept": 0.1}


def composed(technique: str) -> dict | str:
    try:
        return differences(technique)
    except ValueError:
        return "refused"


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(KEPT, 2)))
def test_what_the_study_kept_composes(one, other):
    assert composed(f"{one}+{other}") == differences(one) | differences(other)


@pytest.mark.parametrize("one", SINGLE)
@pytest.mark.slow
def test_techniques_compose_in_any_order_or_are_refused_in_any(one):
    for other in SINGLE[SINGLE.index(one) + 1 :]:
        both = composed(f"{one}+{other}")

        assert both == composed(f"{other}+{one}"), other
        assert both in (differences(one) | differences(other), "refused"), other


def test_techniques_are_applied_from_left_to_right(monkeypatch):
    module = importlib.import_module("zoo.recipes.recipe")
    steps = {
        "double": lambda recipe: dataclasses.replace(recipe, batch_size=2 * recipe.batch_size, amsgrad=True),
        "count": lambda recipe: dataclasses.replace(recipe, workers=recipe.batch_size),
    }
    monkeypatch.setattr(module, "techniques", lambda: tuple(steps))
    monkeypatch.setattr(module, "load", lambda folder, name: SimpleNamespace(apply=steps[name]))

    assert zoo.recipe("unet", "double+count").workers == 32
    assert zoo.recipe("unet", "count+double").workers == 16


def test_techniques_that_contradict_each_other_are_refused_with_the_reason(monkeypatch):
    module = importlib.import_module("zoo.recipes.recipe")
    steps = {
        "swift": lambda recipe: dataclasses.replace(recipe, learning_rate=0.1),
        "slow": lambda recipe: dataclasses.replace(recipe, learning_rate=0.01),
    }
    monkeypatch.setattr(module, "techniques", lambda: tuple(steps))
    monkeypatch.setattr(module, "load", lambda folder, name: SimpleNamespace(apply=steps[name]))

    with pytest.raises(
        ValueError, match=r"'swift' and 'slow' contradict .* learning_rate to 0.1, slow to 0.01"
    ):
        zoo.recipe("unet", "swift+slow")


@pytest.mark.parametrize("number", [4, 6, 8])
@pytest.mark.parametrize("order", list(itertools.permutations(["workers", "prefetch", "persistent_workers"])))
def test_prefetch_and_persistence_are_those_of_the_workers_that_there_are_in_any_order(number, order):
    """As the study kept them: six workers, batches prepared ahead, and workers that stay."""
    names = [f"workers_{number}" if name == "workers" else name for name in order]
    expected = {"workers": number, "prefetch": 4, "persistent_workers": True}

    assert differences("+".join(names)) == expected


@pytest.mark.parametrize("combination", ["workers_6+workers_4", "prefetch+paper", "paper+prefetch"])
def test_two_numbers_of_one_kind_still_contradict_each_other(combination):
    with pytest.raises(ValueError, match=r"contradict each other: .*; choose one"):
        zoo.recipe("unet", combination)


def test_workers_that_were_asked_for_are_kept_by_what_needs_some():
    assert zoo.recipe("unet", "persistent_workers", workers=3).workers == 3


@pytest.mark.parametrize(
    "combination",
    ["paper+cache", "bf16+paper", "baseline+cache", "prefetch+workers_2", "persistent_workers+paper"],
)
def test_a_technique_that_adds_nothing_is_refused(combination):
    with pytest.raises(ValueError, match="adds nothing to"):
        zoo.recipe("unet", combination)


def test_a_technique_named_twice_is_refused():
    with pytest.raises(ValueError, match="names a technique twice"):
        zoo.recipe("unet", "cache+cache")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("unett",), "unknown architecture 'unett'; did you mean unet"),
        (("unet", "novagrad"), "unknown technique 'novagrad'; did you mean novograd"),
        (("unet", "cache+"), f"unknown technique ''; known: {', '.join(zoo.techniques())}"),
        (("unet", "zzz"), f"unknown technique 'zzz'; known: {', '.join(zoo.techniques())}"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest_or_all(arguments, message):
    with pytest.raises(ValueError, match=message):
        zoo.recipe(*arguments)


def test_an_unknown_setting_is_answered_with_the_nearest():
    with pytest.raises(ValueError, match="unknown setting 'batchsize'; did you mean batch_size"):
        zoo.recipe("unet", batchsize=4)


def test_settings_of_the_suite_hold_under_a_technique():
    recipe = zoo.recipe("unet", "paper", epochs=3, batch_size=128, device="cuda:1", threads=4)

    assert (recipe.epochs, recipe.batch_size, recipe.device, recipe.threads) == (3, 128, "cuda:1", 4)


def test_a_setting_that_a_technique_would_undo_is_refused():
    with pytest.raises(
        ValueError, match="loading = 'disk' was asked for, but technique 'cache' sets it to 'cache'"
    ):
        zoo.recipe("unet", "cache", loading="disk")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epochs", 0),
        ("epochs", 2.0),
        ("epochs", True),
        ("batch_size", -8),
        ("batch_size", 1),
        ("device", "gpu"),
        ("device", "cuda"),
        ("threads", 0),
        ("loss", "hinge"),
        ("optimizer", "sgd"),
        ("learning_rate", 0.0),
        ("learning_rate", float("nan")),
        ("betas", (0.9, 1.0)),
        ("betas", (0.9,)),
        ("amsgrad", 1),
        ("precision", "int4"),
        ("loading", "tape"),
        ("workers", -1),
        ("rotation_degrees", 400),
        ("flip_probability", 1.5),
        ("lr_find_steps", 5),
        ("plateau_patience", -1),
        ("plateau_factor", 1.0),
        ("early_stop_patience", 0),
        ("early_stop_min_delta", "small"),
    ],
)
def test_a_bad_value_is_refused_with_the_field_the_value_and_what_was_expected(field, value):
    with pytest.raises(ValueError, match=rf"^{field} is .*; expected ") as told:
        zoo.recipe("unet", **{field: value})

    assert repr(value) in str(told.value)


@pytest.mark.parametrize("field", ["prefetch", "persistent_workers"])
def test_settings_of_workers_need_workers(field):
    with pytest.raises(ValueError, match=rf"{field} is .* with workers 0"):
        zoo.recipe("unet", **{field: 2 if field == "prefetch" else True})


def test_a_search_range_runs_from_low_to_high():
    with pytest.raises(ValueError, match=r"lr_find_low is 0.1, lr_find_high 0.001; expected low < high"):
        zoo.recipe("unet", lr_find_low=0.1, lr_find_high=0.001)


def test_a_recipe_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        zoo.recipe("unet").epochs = 3


@pytest.mark.parametrize("technique", zoo.techniques())
def test_a_recipe_survives_json(technique):
    recipe = zoo.recipe("unet", technique)

    assert zoo.Recipe(**json.loads(json.dumps(dataclasses.asdict(recipe)))) == recipe


@pytest.mark.parametrize("name", study.TECHNIQUES)
def test_a_technique_names_its_source_and_its_reason(name):
    docstring = ast.get_docstring(ast.parse(find_entry("techniques", name).path.read_text()))

    assert "arXiv:" in docstring
    assert "save" in docstring
