"""The digest of the source: it changes with what trains a recipe, and with nothing else."""

import inspect
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import zoo
from benchmarks import source, training

ROOT = Path(__file__).parents[2]
RECIPES = ["unet baseline", "enet baseline", "enet workers_4", "enet novograd+cache", "enet distill"]


@pytest.fixture
def tree(tmp_path):
    """A copy of the source, to be edited."""
    for folder in ("zoo", "fixtures", "benchmarks"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def digests(tree):
    code = (
        "import json, sys, zoo; from benchmarks.source import digest_source;"
        f"found = [digest_source(zoo.recipe(*name.split())) for name in {RECIPES}];"
        "print(json.dumps([*found, 'torch' in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tree, capture_output=True, text=True, check=True)
    *found, has_torch = json.loads(done.stdout)
    assert not has_torch
    return dict(zip(RECIPES, found, strict=True))


@pytest.fixture(scope="module")
def before():
    return digests(ROOT)


def change(path, old=None, new=None):
    """Return an edit of a file: a comment at its end, or a piece of text in the place of another."""

    def edit(tree):
        text = (tree / path).read_text()
        assert old is None or old in text
        (tree / path).write_text(f"{text}\n# A comment.\n" if old is None else text.replace(old, new))

    return edit


def add_two_of_one_word(tree):
    """Two functions import different things under one name; the later one is not all that the module has."""
    (tree / "zoo/training/extra_one.py").write_text("def run(): return 1\n")
    (tree / "zoo/training/extra_two.py").write_text("def run(): return 2\n")
    path = tree / "zoo/training/losses.py"
    path.write_text(
        path.read_text()
        + "\ndef one():\n    from zoo.training.extra_one import run\n    return run()\n"
        + "\ndef two():\n    from zoo.training.extra_two import run\n    return run()\n"
    )


def add_entries(tree):
    shutil.copy(tree / "zoo/architectures/unet.py", tree / "zoo/architectures/my_net.py")
    shutil.copy(tree / "zoo/techniques/cache.py", tree / "zoo/techniques/my_cache.py")


def rename_a_module(tree):
    """As by hand: the file, the imports, and the word for it where it is used."""
    (tree / "zoo/training/losses.py").rename(tree / "zoo/training/objectives.py")
    for path in (tree / "zoo/training").glob("*.py"):
        text = path.read_text().replace("zoo.training.losses", "zoo.training.objectives")
        path.write_text(
            re.sub(r"\blosses(?=\.build)|(?<=import )losses|(?<=averaging, )losses", "objectives", text)
        )


@pytest.mark.parametrize(
    "edit",
    [
        change("zoo/techniques/cache.py"),
        change("zoo/techniques/cache.py", '"""Data caching', '"""Caching'),
        change("zoo/training/losses.py", '"""Return the recipe\'s loss."""', '"""Return a loss."""'),
        change("zoo/techniques/workers.py", '"workers_8": {"workers": 8}', '"workers_9": {"workers": 9}'),
        change("benchmarks/progress.py", "left", "to go"),
        add_entries,
        rename_a_module,
    ],
    ids=["comment", "docstring", "docstring_below", "variant", "words", "entries", "rename"],
)
def test_what_changes_no_result_changes_no_digest(tree, before, edit):
    edit(tree)

    assert digests(tree) == before


@pytest.mark.parametrize(
    ("edit", "changed"),
    [
        (change("zoo/training/losses.py", "gamma=2.0", "gamma=3.0"), set(RECIPES)),
        (change("fixtures/preprocess.py", "VERSION = ", "VERSION = 1 + "), set(RECIPES)),
        (change("fixtures/split.py", "return", "return 1 *"), set(RECIPES)),
        (change("fixtures/cache/arrays.py", '"<f4"', '"<f2"'), set(RECIPES)),
        (change("zoo/techniques/cache.py", 'loading="cache"', 'loading="device"'), {"enet novograd+cache"}),
        (
            change("zoo/techniques/workers.py", '"workers_4": {"workers": 4}', '"workers_4": {"workers": 5}'),
            {"enet workers_4"},
        ),
        (change("zoo/architectures/unet.py", "64", "65"), {"unet baseline", "enet distill"}),
        (change("zoo/architectures/_halving.py", "return", "return 1 *"), set(RECIPES[1:])),
        (
            change(
                "zoo/training/learner.py",
                "import averaging, losses, optimizers",
                "import averaging, optimizers\nfrom zoo.training import schedules as losses",
            ),
            set(RECIPES),
        ),
    ],
    ids=[
        "training",
        "data",
        "split",
        "arrays",
        "technique",
        "variant",
        "network",
        "shared",
        "another_module",
    ],
)
def test_what_may_change_a_result_changes_the_digests_of_those_it_trains(tree, before, edit, changed):
    edit(tree)
    after = digests(tree)

    assert {name for name in RECIPES if after[name] != before[name]} == changed


def test_a_module_that_has_become_a_folder_still_counts(tree):
    folder = tree / "zoo/training/losses"
    folder.mkdir()
    (tree / "zoo/training/losses.py").rename(folder / "__init__.py")
    before = digests(tree)
    change("zoo/training/losses/__init__.py", "gamma=2.0", "gamma=3.0")(tree)
    after = digests(tree)

    assert all(after[recipe] != before[recipe] for recipe in RECIPES)


def test_of_one_word_for_two_things_both_are_reached(tree):
    add_two_of_one_word(tree)
    before = digests(tree)
    for name in ("one", "two"):
        path = tree / f"zoo/training/extra_{name}.py"
        path.write_text(path.read_text().replace("return", "return 10 *"))
        after = digests(tree)
        assert all(after[recipe] != before[recipe] for recipe in RECIPES), name
        before = after


def test_what_a_case_asks_of_the_zoos_front_is_reached_behind_it():
    reached = source.reach(source.BEGINNINGS)
    asked = set(re.findall(r"\bzoo\.(\w+)", inspect.getsource(training)))
    behind = {name: zoo._WITH_TORCH[name] for name in asked & zoo._WITH_TORCH.keys()}

    assert {"epochs", "evaluate", "warm_up"} <= behind.keys()
    assert set(behind.values()) <= reached
