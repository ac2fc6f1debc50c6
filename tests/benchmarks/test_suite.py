"""The suite as its user runs it: real processes, the phantom at 16 px, two epochs."""

import json
import os
import shutil
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

import zoo

ROOT = Path(__file__).parents[2]
COMMAND = ("-m", "pytest", "benchmarks")
SMALL = ("--epochs=2", "--image-size=16", "--batch-size=64", "--energy-idle=0", "-p", "no:cacheprovider")
TINY_U_NET = ("-p", "tests.simulated.tiny_u_net")
TINY = ("-p", "tests.simulated.ladder_world")  # every network


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """A user's cache folder."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def suite(environment, torch_python):
    """Run `pytest benchmarks` with options in a process of its own; results go to the folder `storage`."""

    def run(*options, storage, project=ROOT, env=environment):
        command = (*COMMAND, f"--energy-storage={storage}", *SMALL, *options)
        return torch_python.run(*command, cwd=project, env=env)

    return run


def records(storage):
    """Return the records of the newest run file by case."""
    path = max(storage.glob("*/*.json"))
    cases = [case["extra_info"]["energy"] for case in json.loads(path.read_text())["benchmarks"]]
    return {record["case"]: record for record in cases}


def collected(output):
    return [line.partition("[")[2].rstrip("]") for line in output.splitlines() if "::test_training[" in line]


def test_cases_are_selected_as_documented_and_collecting_imports_no_torch(run_several, warm_python):
    selections = [
        ("-k", "attention_squeeze"),
        ("-k", "attention_squeeze and novograd"),
        ("-k", "[unet-novograd]"),
        ("-m", "case(arch='unet', technique='cache')"),
        ("-k", "attention_squeeze", "--technique", "novograd+cache"),
    ]

    runs = run_several(
        warm_python,
        *[("benchmarks", *SMALL, *selection, "--collect-only", "-q") for selection in selections],
    )

    assert not any(torch_is_there for _, _, torch_is_there in runs)
    every, novograd, exactly, marked, combined = [set(collected(text)) for _, text, _ in runs]
    assert every == {f"attention_squeeze_unet-{technique}" for technique in zoo.techniques()}
    kinds = ("", "_amsgrad", "_betas", "_foreach")
    assert novograd == {f"attention_squeeze_unet-novograd{kind}" for kind in kinds}
    assert exactly == {"unet-novograd"}
    assert marked == {"unet-cache"}
    assert combined == {"attention_squeeze_unet-novograd+cache"}


@pytest.fixture(scope="module")
def run(suite, cache, tmp_path_factory):
    """One run of two cases and two seeds, without a network, in a copy where no other test writes."""
    folder = tmp_path_factory.mktemp("run")
    project = shutil.copytree(ROOT, folder / "project", ignore=shutil.ignore_patterns(".*", "__pycache__"))
    before = sorted(project.rglob("*"))
    # pytest-benchmark, which the tests install and users need not, makes a folder of its own.
    done = suite(
        "-k",
        "attention_squeeze and (baseline or -cache)",
        "--seeds=0,1",
        *TINY_U_NET,
        "--disable-socket",
        *("-p", "no:benchmark", "--basetemp", str(folder / "tmp")),
        storage=folder / "results",
        project=project,
        env=os.environ | {"XDG_CACHE_HOME": str(cache), "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 0, done.stdout
    written = sorted(set(project.rglob("*")) - set(before))
    return SimpleNamespace(
        said=done.stdout, errors=done.stderr, written=written, project=project, results=folder / "results"
    )


def test_a_case_is_trained_measured_recorded_and_compared_with_u_net(run):
    assert run.errors == ""
    assert "unet-baseline: trained once for reference" in run.said
    made = records(run.results)
    assert set(made) == {"unet-baseline", "attention_squeeze_unet-baseline", "attention_squeeze_unet-cache"}
    unet, ours = made["unet-baseline"], made["attention_squeeze_unet-baseline"]
    dice, reference = ours["metrics"]["dice"]["values"], unet["metrics"]["dice"]["values"]
    assert ours["reference"] == {"case": "unet-baseline", "dice": reference, "origin": "this run"}
    for own, other, loss in zip(
        dice, reference, ours["metrics"]["dice_loss_vs_unet_pct"]["values"], strict=True
    ):
        assert loss == (pytest.approx(100 * (other - own) / other) if other > 0 else None)
    assert ours["metrics"]["params"]["mean"] == 2_586_109
    assert unet["recipe"]["architecture"] == "unet"
    assert [len(epochs) for epochs in ours["epochs"]] == [2, 2]
    assert ours["data"]["train"]["slices"] == ours["budget"]["train_slices"] == 64
    # The cache changes where slices come from, not what is learnt.
    cached = made["attention_squeeze_unet-cache"]
    for there, here in zip(cached["epochs"], ours["epochs"], strict=True):
        assert [epoch["loss"] for epoch in there] == [epoch["loss"] for epoch in here]


def test_epochs_and_set_up_add_up_to_the_total_and_two_seeds_give_an_interval(run):
    metrics = records(run.results)["attention_squeeze_unet-baseline"]
    total, setup = metrics["metrics"]["total_kj"], metrics["metrics"]["setup_kj"]
    for epochs, set_up_kj, total_kj in zip(metrics["epochs"], setup["values"], total["values"], strict=True):
        spent = sum(epoch["joules"] for epoch in epochs) / 1000 + set_up_kj
        # What follows the last epoch (best weights put back, the closing reading) is in the total only. A
        # coarse clock may find nothing there: then the two are the same but for the order of their summands.
        assert 0.8 < spent / total_kj < 1 + 1e-9
    low, high = total["ci95"]
    assert low <= total["mean"] <= high


def test_nothing_is_written_outside_the_cache_and_the_results(run, cache):
    assert str(run.project) in run.said
    assert run.written == []
    assert {path.name for path in cache.iterdir()} == {"joulebench"}


@pytest.mark.slow
def test_a_later_run_takes_the_stored_reference_and_names_it(suite, run, tmp_path):
    stored = shutil.copytree(run.results, tmp_path / "results")
    case = "case(arch='attention_squeeze_unet', technique='cache')"
    again = suite("-m", case, "--seeds=0,1", *TINY, storage=stored)

    assert "trained once for reference" not in again.stdout
    (record,) = records(stored).values()
    assert record["reference"]["origin"].startswith("stored: ")
    assert record["reference"]["dice"] == records(run.results)["unet-baseline"]["metrics"]["dice"]["values"]


def test_a_diverging_case_fails_and_leaves_a_record(suite, run, tmp_path):
    stored = shutil.copytree(run.results, tmp_path / "results")
    options = ("-k", "attention_squeeze and baseline", "--seeds=0,1")
    result = suite(*options, "-p", "tests.simulated.diverging", storage=stored)

    assert result.returncode == 1
    record = records(stored)["attention_squeeze_unet-baseline"]
    assert record["status"] == "diverged"
    assert "loss" in record["error"]["message"]


@pytest.mark.slow
def test_after_kill_9_a_resumed_run_trains_only_what_is_missing(
    suite, environment, torch_python, journalled, tmp_path
):
    def finished():
        return [record["case"] for record in journalled(results)]

    results = tmp_path / "results"
    options = ("-k", "attention_squeeze and (baseline or -cache)", "--epochs=4", "--energy-order=given")
    options += TINY_U_NET
    command = (*COMMAND, f"--energy-storage={results}", *SMALL, *options)
    killed = torch_python.start(*command, cwd=ROOT, env=environment)
    while len(finished()) < 2:
        assert killed.poll() is None, "the run ended before it could be killed"
        time.sleep(0.05)
    killed.kill()
    before = finished()
    assert before == ["unet-baseline", "attention_squeeze_unet-baseline"]

    resumed = suite(*options, "--energy-resume", "-rs", storage=results)

    assert resumed.returncode == 0, resumed.stdout
    assert "1 passed, 1 skipped" in resumed.stdout
    assert list(records(results)) == [*before, "attention_squeeze_unet-cache"]
    assert finished() == [*before, "attention_squeeze_unet-cache"]


def test_a_dry_run_predicts_minutes_and_kilojoules_and_trains_nothing(suite, tmp_path):
    result = suite("-k", "attention_squeeze and baseline", "--energy-dry-run", *TINY, storage=tmp_path)

    assert result.returncode == 0, result.stdout
    lines = [line.split() for line in result.stdout.splitlines() if "steps timed here" in line]
    assert [line[4] for line in lines] == ["unet-baseline", "attention_squeeze_unet-baseline"]
    assert all(float(line[0]) >= 0 and float(line[2]) > 0 for line in lines)
    assert not list(tmp_path.glob("*/*.json"))


WRONG = [
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
    (("-p", "xdist", "-n", "2"), "share their joules"),
    (("--energy-storage=pyproject.toml",), "pyproject.toml"),
]


def test_a_wrong_option_is_named_before_anything_is_trained(run_several, torch_python):
    case = ("benchmarks", *SMALL, "-k", "attention_squeeze and baseline")
    runs = run_several(torch_python, *[(*case, *options) for options, _ in WRONG])

    for (options, said), (code, text, _) in zip(WRONG, runs, strict=True):
        assert (code, said in text, "Traceback" in text) == (4, True, False), f"{options}: {text}"


@pytest.mark.slow
def test_a_results_file_of_a_newer_schema_is_named_and_passed_over(suite, run, tmp_path):
    stored = shutil.copytree(run.results, tmp_path / "results")
    path = max(stored.glob("*/*.json"))
    data = json.loads(path.read_text())
    for record in (data["energy"], *(case["extra_info"]["energy"] for case in data["benchmarks"])):
        record["schema"] = 2
    path.write_text(json.dumps(data))

    result = suite("-k", "attention_squeeze and baseline", *TINY, storage=stored)

    assert result.returncode == 0, result.stdout
    [line] = [line for line in result.stdout.splitlines() if "newer joulebench" in line]
    assert path.name in line
    assert "unet-baseline: trained once for reference" in result.stdout
