"""Which commit a record names, and whether it holds what was measured: real git."""

import json
import subprocess

import pytest

from energy.records.storage.commit import list_uncommitted, read_commit
from tests.simulated.foreign import Foreign

IDENTITY = ("-c", "user.name=n", "-c", "user.email=e@x", "-c", "commit.gpgsign=false")


@pytest.fixture
def checkout(tmp_path):
    """A repository whose commit has zoo/a.py and a .gitignore."""
    root = tmp_path / "clone"
    (root / "zoo").mkdir(parents=True)
    (root / "zoo" / "a.py").write_text("a = 1\n")
    (root / ".gitignore").write_text("ignored/\n")
    git(root, "init", "-q", "-b", "main")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "first")
    return root


def git(folder, *arguments):
    subprocess.run(["git", *IDENTITY, *arguments], cwd=folder, check=True, capture_output=True)


def add(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("new = 1\n")


def listed(root, *folders, loaded=()):
    return list_uncommitted([root / folder for folder in folders], root, [root / name for name in loaded])


def test_a_clean_checkout_has_nothing_that_is_in_no_commit(checkout):
    assert listed(checkout, "zoo", loaded=["zoo/a.py"]) == []


def test_new_code_below_the_measured_folders_counts_at_any_depth(checkout):
    add(checkout, "zoo/new.py", "zoo/architectures/deeper/mine.py")

    assert listed(checkout, "zoo") == ["zoo/architectures/deeper/mine.py", "zoo/new.py"]


def test_what_is_staged_but_not_committed_is_a_change_to_git_itself(checkout):
    add(checkout, "zoo/new.py")
    git(checkout, "add", "zoo/new.py")

    assert listed(checkout, "zoo") == []
    assert (
        "dirty"
        in subprocess.run(
            ["git", "describe", "--dirty", "--always"],
            cwd=checkout,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    )


def test_code_that_git_ignores_counts_below_the_measured_folders(checkout):
    add(checkout, "zoo/ignored/mine.py")

    assert listed(checkout, "zoo") == ["zoo/ignored/mine.py"]


def test_other_files_and_other_folders_do_not_count(checkout):
    add(checkout, "zoo/notes.txt", "scratch.py", "tests/test_new.py", "zoo/__pycache__/new.cpython-311.pyc")

    assert listed(checkout, "zoo") == []


def test_a_folder_outside_of_the_checkout_is_in_none_of_its_commits(checkout):
    add(checkout.parent, "mine/architectures/net.py")

    assert listed(checkout, "zoo", "../mine") == ["mine/architectures/net.py"]


def test_a_repository_inside_the_checkout_is_in_none_of_its_commits(checkout):
    add(checkout, "zoo/inner/net.py")
    git(checkout / "zoo" / "inner", "init", "-q")

    assert listed(checkout, "zoo") == ["zoo/inner/net.py"]


def test_a_module_that_was_loaded_counts_wherever_in_the_checkout_it_is(checkout):
    add(checkout, "src/package/new.py", "src/package/unused.py", "ignored/version.py")

    loaded = ["src/package/new.py", "ignored/version.py", "zoo/a.py"]
    assert listed(checkout, loaded=loaded) == ["src/package/new.py"]


def test_a_folder_that_is_not_there_is_no_mistake(checkout):
    assert listed(checkout, "nowhere") == []


def test_without_a_checkout_there_is_no_commit_to_be_wrong(tmp_path):
    add(tmp_path, "zoo/new.py")

    assert list_uncommitted([tmp_path / "zoo"], tmp_path) == []


@pytest.mark.parametrize("name", ["zoo/ümläut.py", "zoo/a b.py", 'zoo/"quoted".py'])
def test_any_name_is_listed_as_it_is(checkout, name):
    add(checkout, name)

    assert listed(checkout, "zoo") == [name]


def test_a_new_file_makes_the_commit_of_a_record_dirty_and_is_named(checkout, monkeypatch):
    monkeypatch.chdir(checkout)
    clean = read_commit([checkout / "zoo"])
    add(checkout, "zoo/new.py")
    dirty = read_commit([checkout / "zoo"])

    assert (clean["dirty"], dirty["dirty"]) == (False, True)
    assert "uncommitted" not in clean
    assert dirty["uncommitted"] == ["zoo/new.py"]
    assert dirty["id"] == clean["id"]


SUITE = """
from pathlib import Path

def pytest_energy_sources(config):
    return [Path(__file__).parent / "nets"]
"""


def test_a_run_that_measures_a_new_file_does_not_name_a_commit_as_if_that_held_it(checkout):
    project = Foreign(checkout, "def test_it(energy):\n    energy(sorted, [1])\n", conftest=SUITE)
    git(checkout, "add", "-A")
    git(checkout, "commit", "-q", "-m", "suite")
    add(checkout, "nets/mine.py")

    project.run()

    (path,) = (checkout / "out").glob("*/*.json")
    commit = json.loads(path.read_text())["commit_info"]
    assert (commit["dirty"], commit["uncommitted"]) == (True, ["nets/mine.py"])
    assert path.stem.endswith("+dirty")
