"""A comment in the source costs nobody a training: what was measured before it still counts."""

import json
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("energy", "zoo", "fixtures", "benchmarks", "tests/simulated")
# Tiny networks under the names of big ones.
SMALL = (
    "--epochs=2", "--image-size=16", "--batch-size=32", "--energy-idle=0", "--energy-order=given",
    "-p", "no:cacheprovider", "-p", "tests.simulated.ladder_world", "-rs",
)  # fmt: skip
BOTH = "attention_squeeze and (baseline or -cache)"


@pytest.fixture(scope="module")
def run_suite(environment, torch_python):
    def run(project, *options, storage="results"):
        done = torch_python.run(
            *("-m", "pytest", "benchmarks", f"--energy-storage={storage}", *SMALL, *options),
            cwd=project,
            env=environment,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="module")
def project(run_suite, tmp_path_factory):
    """The source as it was when the baseline was measured, and a comment in it since."""
    project = tmp_path_factory.mktemp("project")
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, project / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("conftest.py", "pyproject.toml"):
        shutil.copy(ROOT / name, project / name)
    run_suite(project, "-k", "attention_squeeze and baseline", "--seeds=0,1")
    for file in ("zoo/techniques/cache.py", "zoo/training/losses.py", "benchmarks/training.py"):
        with (project / file).open("a") as source:
            source.write("\n# A comment.\n")
    return project


@pytest.fixture(scope="module")
def after(run_suite, project):
    """The records of one of the seeds, measured after the comment."""
    run_suite(
        project, "-k", BOTH, "--seeds=1", storage=shutil.copytree(project / "results", project / "again")
    )
    return records(project / "again", 2)


def records(storage, number):
    (path,) = storage.glob(f"*/{number:04}_*.json")
    cases = [case["extra_info"]["energy"] for case in json.loads(path.read_text())["benchmarks"]]
    return {record["case"]: record for record in cases}


def test_the_u_net_reference_of_before_stands_in_for_each_of_its_seeds(project, after):
    before = records(project / "results", 1)["unet-baseline"]

    assert set(after) == {"attention_squeeze_unet-baseline", "attention_squeeze_unet-cache"}
    for record in after.values():
        assert record["reference"]["origin"].startswith("stored: ")
        assert record["reference"]["dice"] == before["metrics"]["dice"]["values"][1:]


def test_keys_and_code_are_the_same_whatever_seeds_are_trained(project, after):
    case = "attention_squeeze_unet-baseline"
    before = records(project / "results", 1)[case]

    assert (after[case]["keys"], after[case]["code"]) == (before["keys"], before["code"])


def test_an_interrupted_run_goes_on(run_suite, project, tmp_path):
    results = shutil.copytree(project / "results", tmp_path / "results")
    (path,) = results.glob("*/journal.jsonl")
    lines = path.read_text().splitlines(keepends=True)
    assert '"event":"end"' in lines[-1]
    path.write_text("".join(lines[:-1]))  # as if it had been killed
    said = run_suite(project, "-k", BOTH, "--seeds=0,1", "--energy-resume", storage=results)

    assert "1 passed, 1 skipped" in said
    assert list(records(results, 2)) == [
        "unet-baseline", "attention_squeeze_unet-baseline", "attention_squeeze_unet-cache"
    ]  # fmt: skip
