"""`--zoo PATH`: networks and techniques of a folder outside the clone, run by the suite."""

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NETWORK = "from torch import nn\nMULTIPLE = 1\ndef build(a, b): return nn.Conv2d(a, b, 3, padding=1)\n"
TECHNIQUE = (
    "from dataclasses import replace\ndef apply(recipe): return replace(recipe, learning_rate=0.003)\n"
)


@pytest.fixture
def folder(tmp_path):
    for path, text in (("architectures/lab_net.py", NETWORK), ("techniques/lab_rate.py", TECHNIQUE)):
        (tmp_path / "lab" / path).parent.mkdir(parents=True)
        (tmp_path / "lab" / path).write_text(text)
    return tmp_path / "lab"


@pytest.fixture
def suite(environment, torch_python, tmp_path):
    def run(*options):
        return torch_python.run(
            *("-m", "pytest", "benchmarks", f"--energy-storage={tmp_path}/results", *options),
            cwd=ROOT,
            env=environment,
        )

    return run


def test_an_added_network_is_trained_with_an_added_technique_and_compared_with_u_net(suite, folder, tmp_path):
    done = suite(
        "--zoo", str(folder), "-m", "case(arch='lab_net', technique='lab_rate')", "--epochs=1",
        "--image-size=16", "--batch-size=32", "--energy-idle=0",
        "-p", "no:cacheprovider", "-p", "tests.simulated.tiny_u_net",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = (tmp_path / "results").glob("*/*.json")
    records = {
        case["extra_info"]["energy"]["case"]: case["extra_info"]["energy"]
        for case in json.loads(path.read_text())["benchmarks"]
    }

    commit = json.loads(path.read_text())["commit_info"]
    has_commit = commit["id"] != "unversioned"
    assert ("lab/architectures/lab_net.py" in commit.get("uncommitted", ())) == has_commit
    assert set(records) == {"unet-baseline", "lab_net-lab_rate"}
    record = records["lab_net-lab_rate"]
    assert record["metrics"]["params"]["mean"] == 10
    assert record["recipe"]["learning_rate"] == 0.003
    assert record["code"] != records["unet-baseline"]["code"]


def test_a_name_that_is_taken_is_an_error_in_words(suite, folder):
    (folder / "techniques/lab_rate.py").rename(folder / "techniques/bf16.py")
    done = suite("--zoo", str(folder), "--collect-only", "-q")

    assert done.returncode == 4
    assert f"{folder}/techniques/bf16.py: bf16 is the name of {ROOT}/zoo/techniques/bf16.py" in done.stderr
    assert "Traceback" not in done.stderr
