"""The suite as its user runs it: real processes, the phantom at 16 px, two epochs."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SMALL = ("--epochs=2", "--image-size=16", "--batch-size=32", "--energy-idle=0", "-p", "no:cacheprovider")


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    """A user's cache folder, shared by these tests so that the phantom is drawn once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def suite(cache, tmp_path):
    """Run `pytest benchmarks` with options; results go to a folder of the test's own."""

    def run(*options, storage=tmp_path / "results", small=SMALL, project=ROOT):
        command = [
            sys.executable,
            "-m",
            "pytest",
            "benchmarks",
            f"--energy-storage={storage}",
            *small,
            *options,
        ]
        environment = os.environ | {"XDG_CACHE_HOME": str(cache), "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run(
            command,
            cwd=project,
            env=environment,
            capture_output=True,
            text=True,
            timeout=600,
            stdin=subprocess.DEVNULL,
        )

    return run


def records(storage):
    """Return the records of the newest run file by case."""
    path = max(storage.glob("*/*.json"))
    cases = [case["extra_info"]["energy"] for case in json.loads(path.read_text())["benchmarks"]]
    return {record["case"]: record for record in cases}


def collected(output):
    return [line.partition("[")[2].rstrip("]") for line in output.splitlines() if "::test_training[" in line]


def test_k_attention_squeeze_selects_its_cases_and_nothing_else(suite):
    output = suite("-k", "attention_squeeze", "--collect-only", "-q").stdout

    techniques = {
        "augment",
        "baseline",
        "bf16",
        "cache",
        "early_stop",
        "lr_find",
        "novograd",
        "paper",
        "plateau",
    }
    assert techniques <= {case.removeprefix("attention_squeeze_unet-") for case in collected(output)}
    assert all(case.startswith("attention_squeeze_unet-") for case in collected(output))


@pytest.mark.parametrize(
    ("selection", "cases"),
    [
        (
            ("-k", "attention_squeeze and novograd"),
            {f"attention_squeeze_unet-novograd{kind}" for kind in ("", "_amsgrad", "_betas", "_foreach")},
        ),
        (("-k", "[unet-novograd]"), {"unet-novograd"}),
        (("-m", "case(arch='unet', technique='cache')"), {"unet-cache"}),
        (
            ("-k", "attention_squeeze", "--technique", "novograd+cache"),
            {"attention_squeeze_unet-novograd+cache"},
        ),
    ],
)
def test_cases_are_selected_as_documented(suite, selection, cases):
    assert set(collected(suite(*selection, "--collect-only", "-q").stdout)) == cases


def test_collecting_imports_no_torch(suite):
    script = "import sys, pytest; pytest.main(['benchmarks', '--co', '-q']); print('torch' in sys.modules)"

    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert done.stdout.splitlines()[-1] == "False"


def test_a_case_is_trained_measured_recorded_and_compared_with_u_net(suite, tmp_path):
    result = suite("-k", "attention_squeeze and (baseline or -cache)")

    assert result.returncode == 0, result.stdout
    assert result.stderr == ""
    assert "unet-baseline: trained once for reference" in result.stdout
    made = records(tmp_path / "results")
    assert set(made) == {"unet-baseline", "attention_squeeze_unet-baseline", "attention_squeeze_unet-cache"}
    unet, ours = made["unet-baseline"], made["attention_squeeze_unet-baseline"]
    dice, reference = ours["metrics"]["dice"]["mean"], unet["metrics"]["dice"]["mean"]
    assert ours["reference"] == {"case": "unet-baseline", "dice": [reference], "origin": "this run"}
    if reference > 0:
        loss = ours["metrics"]["dice_loss_vs_unet_pct"]["mean"]
        assert loss == pytest.approx(100 * (reference - dice) / reference)
    assert ours["metrics"]["params"]["mean"] == 2_586_109
    assert unet["metrics"]["params"]["mean"] == 31_036_481
    assert len(ours["epochs"][0]) == 2
    spent = sum(epoch["joules"] for epoch in ours["epochs"][0]) / 1000 + ours["metrics"]["setup_kj"]["mean"]
    # What follows the last epoch (best weights put back, the closing reading) is in the total only. A coarse
    # clock may find nothing there: then the two are the same but for the order of their summands.
    assert 0.8 < spent / ours["metrics"]["total_kj"]["mean"] < 1 + 1e-9
    assert ours["data"]["train"]["slices"] == ours["budget"]["train_slices"] == 64
    # The cache changes where slices come from, not what is learnt.
    cached = made["attention_squeeze_unet-cache"]
    assert [epoch["loss"] for epoch in cached["epochs"][0]] == [epoch["loss"] for epoch in ours["epochs"][0]]

    again = suite("-m", "case(arch='attention_squeeze_unet', technique='cache')")

    assert "trained once for reference" not in again.stdout
    (record,) = records(tmp_path / "results").values()
    assert record["reference"]["origin"].startswith("stored: ")
    assert record["reference"]["dice"] == [reference]


def test_several_seeds_give_an_interval(suite, tmp_path):
    result = suite("-k", "attention_squeeze and baseline", "--seeds=0,1")

    assert result.returncode == 0, result.stdout
    figure = records(tmp_path / "results")["attention_squeeze_unet-baseline"]["metrics"]["total_kj"]
    low, high = figure["ci95"]
    assert len(figure["values"]) == 2
    assert low <= figure["mean"] <= high


def test_the_suite_needs_no_network(suite):
    result = suite("-k", "attention_squeeze and baseline", "--disable-socket")

    assert result.returncode == 0, result.stdout


def test_nothing_is_written_outside_the_cache_and_the_results(suite, tmp_path, cache):
    # A copy, in which no other test writes at the same time.
    project = shutil.copytree(ROOT, tmp_path / "project", ignore=shutil.ignore_patterns(".*", "__pycache__"))
    before = sorted(project.rglob("*"))

    # pytest-benchmark, which the tests install and users need not, makes a folder of its own.
    options = ("-p", "no:benchmark", "--basetemp", str(tmp_path / "tmp"))
    result = suite("-k", "attention_squeeze and baseline", *options, project=project)

    assert result.returncode == 0, result.stdout
    assert str(project) in result.stdout
    assert sorted(project.rglob("*")) == before
    assert {path.name for path in cache.iterdir()} == {"joulebench"}


def test_a_diverging_case_fails_and_leaves_a_record(suite, tmp_path):
    result = suite("-k", "attention_squeeze and baseline", "-p", "tests.simulated.diverging")

    assert result.returncode == 1
    record = records(tmp_path / "results")["attention_squeeze_unet-baseline"]
    assert record["status"] == "diverged"
    assert "loss" in record["error"]["message"]


def test_after_kill_9_a_resumed_run_trains_only_what_is_missing(cache, suite, tmp_path):
    options = ("-k", "attention_squeeze and (baseline or -cache)", "--epochs=4", "--energy-order=given")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "benchmarks",
        f"--energy-storage={tmp_path / 'results'}",
        *SMALL,
    ]
    environment = os.environ | {"XDG_CACHE_HOME": str(cache)}
    killed = subprocess.Popen([*command, *options], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    while len(finished := journalled(tmp_path / "results")) < 2:
        assert killed.poll() is None, "the run ended before it could be killed"
        time.sleep(0.05)
    killed.kill()
    killed.wait()
    assert finished == ["unet-baseline", "attention_squeeze_unet-baseline"]

    resumed = suite(*options, "--energy-resume", "-rs")

    assert resumed.returncode == 0, resumed.stdout
    assert "1 passed, 1 skipped" in resumed.stdout
    assert list(records(tmp_path / "results")) == [*finished, "attention_squeeze_unet-cache"]
    assert journalled(tmp_path / "results") == [*finished, "attention_squeeze_unet-cache"]


def journalled(storage):
    """Return the cases that the journal holds, without a line that is being written."""
    lines = [
        line
        for path in storage.glob("*/journal.jsonl")
        for line in path.read_text().splitlines(keepends=True)
    ]
    events = [json.loads(line) for line in lines if line.endswith("\n")]
    return [event["record"]["case"] for event in events if event["event"] == "case"]


def test_a_dry_run_predicts_minutes_and_kilojoules_and_trains_nothing(suite, tmp_path):
    result = suite("-k", "attention_squeeze and baseline", "--energy-dry-run")

    assert result.returncode == 0, result.stdout
    lines = [line.split() for line in result.stdout.splitlines() if "steps timed here" in line]
    assert [line[4] for line in lines] == ["unet-baseline", "attention_squeeze_unet-baseline"]
    assert all(float(line[0]) >= 0 and float(line[2]) > 0 for line in lines)
    assert not list((tmp_path / "results").glob("*/*.json"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--slices=/no/such/folder",), "/no/such/folder"),
        (("--slices=phantoms",), "phantom"),
        (("--technique=novogrod",), "novograd"),
        (("--technique=cache+cache",), "twice"),
        (("--epochs=0",), "--epochs 0"),
        (("--seeds=-1",), "--seeds -1"),
        (("--seeds=0,0",), "same seed twice"),
        (("--batch-size=1",), "batch_size"),
        (("--image-size=15",), "15"),
        (("--device=tpu",), "--device tpu"),
        (("--device=cuda:99",), "--device cuda:99"),
        (("--budget=huge",), "huge"),
        (("-n", "2"), "share their joules"),
        (("--energy-storage=pyproject.toml",), "pyproject.toml"),
    ],
    ids=lambda value: "_".join(value) if isinstance(value, tuple) else "",
)
def test_a_wrong_option_is_named_before_anything_is_trained(suite, options, said):
    result = suite("-k", "attention_squeeze and baseline", *options)

    assert result.returncode == 4, result.stdout
    assert said in result.stdout + result.stderr
    assert "Traceback" not in result.stdout + result.stderr


def test_a_results_file_of_a_newer_schema_is_named(suite, tmp_path):
    assert suite("-k", "attention_squeeze and baseline").returncode == 0
    path = max((tmp_path / "results").glob("*/*.json"))
    data = json.loads(path.read_text())
    for record in (data["energy"], *(case["extra_info"]["energy"] for case in data["benchmarks"])):
        record["schema"] = 2
    path.write_text(json.dumps(data))

    result = suite("-k", "attention_squeeze and baseline")

    assert result.returncode != 0
    assert path.name in result.stdout
    assert "newer joulebench" in result.stdout
