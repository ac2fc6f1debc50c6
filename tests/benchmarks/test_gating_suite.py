"""An injected regression in the real suite: one recipe trains 10 % more batches than its baseline did."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks.conftest import pytest_energy_leaves_out
from energy.analysis.gates import baseline as baselines
from energy.records.storage.store import Store
from energy.records.summary import CaseSummary
from fixtures import phantom

ROOT = Path(__file__).parents[2]
# One network with two losses, which change nothing about the number of steps, and the U-Net reference.
CASES = "[unet-baseline] or [contextnet-baseline] or [contextnet-bce]"
# A phantom of 30 subjects has 96 slices to train on: 10 steps in batches of 10, and 11 in batches of 9.
SUBJECTS, STEPS = 30, 10
OPTIONS = (
    *("-p", "tests.simulated.step_meter", "-p", "no:cacheprovider"),
    *("--epochs=1", "--image-size=16", "--batch-size=10", "--seeds=0,1", "--energy-idle=0"),
)


@pytest.fixture
def suite(environment, torch_python, tmp_path):
    """Run cases of the suite in a process of their own, with their results in a folder of the test's."""
    world = tmp_path / "world.json"
    slices = phantom.ensure(tmp_path, subjects=SUBJECTS)

    def run(*options, session, **batch_size):
        world.write_text(json.dumps({"session": session, "batch_size": batch_size}))
        where = (f"--slices={slices}", f"--energy-storage={tmp_path / 'results'}")
        return torch_python.run(
            *("-m", "pytest", "benchmarks", *OPTIONS, *where, "-k", CASES, *options),
            cwd=ROOT,
            env={**environment, "STEP_WORLD": str(world), "OMP_NUM_THREADS": "1"},
        )

    return run


@pytest.mark.slow
def test_a_recipe_that_trains_ten_per_cent_more_is_caught_and_an_unchanged_suite_is_not(suite, tmp_path):
    results = Store(tmp_path / "results")
    first = suite(session=1)
    assert first.returncode == 0, first.stdout
    (stored,) = results.runs()
    kj = {case.case: case.values["total_kj"] for case in results.summary(stored.path).cases}
    assert len(kj) == 3
    assert all(value == pytest.approx(STEPS / 1000, rel=0.05) for values in kj.values() for value in values)
    baselines.pin_run(results, "main", stored.path, force=True)  # the checkout may hold changes

    unchanged = suite("--energy-fail=total_kj:5%", session=2)
    regressed = suite("--energy-fail=total_kj:5%", session=3, bce=9)

    assert unchanged.returncode == 0, unchanged.stdout
    assert "energy: every limit is kept (exit code 0)" in unchanged.stdout
    assert regressed.returncode == 10, regressed.stdout
    said = re.findall(r"^10 regression: (.*)", regressed.stdout, re.MULTILINE)
    assert [line.split(":")[0] for line in said] == ["contextnet-bce total_kj"]


@pytest.mark.parametrize(
    ("options", "case", "left_out"),
    [
        ({}, ("unet", "bf16"), False),
        ({"technique": "bf16"}, ("unet", "bf16"), False),
        ({"technique": "bf16"}, ("unet", "baseline"), True),
        ({"technique": "bf16"}, (None, None), False),
        ({}, ("monai_dynunet", "baseline"), True),
        ({"extras": True}, ("monai_dynunet", "baseline"), False),
        ({}, ("a_network_that_was_removed", "baseline"), False),
    ],
)
def test_what_an_option_of_the_suite_leaves_out_is_not_missing_and_what_was_removed_is(
    options, case, left_out
):
    config = SimpleNamespace(getoption=lambda name: options.get(name))
    arch, technique = case

    known = CaseSummary(f"{arch}-{technique}", "training", "ok", arch=arch, technique=technique)

    assert pytest_energy_leaves_out(config, known) == left_out
