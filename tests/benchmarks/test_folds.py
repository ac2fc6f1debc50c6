"""Cross-validation in the suite: every volume is tested once, killed between folds or not."""

import json
import shutil
from collections import Counter
from pathlib import Path
from statistics import fmean

import pytest

from benchmarks.data import read_folds

ROOT = Path(__file__).parents[2]
SMALL = (
    "--folds=3", "--epochs=1", "--image-size=16", "--batch-size=32", "--energy-idle=0",
    "--energy-order=given", "-p", "no:cacheprovider", "-p", "tests.simulated.ladder_world",
)  # fmt: skip
CASE = "attention_squeeze_unet-baseline"


@pytest.fixture(scope="module")
def cross_validate(environment, torch_python):
    def run(storage, *options):
        arguments = ("-m", "pytest", "benchmarks", "-k", f"[{CASE}]", f"--energy-storage={storage}", *SMALL)
        return torch_python.run(*arguments, *options, cwd=ROOT, env=environment)

    return run


@pytest.fixture(scope="module")
def storage(cross_validate, tmp_path_factory):
    storage = tmp_path_factory.mktemp("folds") / "results"
    done = cross_validate(storage)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "21 volumes for Dice, over 3 repeats for the rest" in done.stdout
    return storage


def read(storage, number=1):
    (path,) = storage.glob(f"*/{number:04}_*.json")
    return {
        entry["extra_info"]["energy"]["case"]: entry["extra_info"]["energy"]
        for entry in json.loads(path.read_text())["benchmarks"]
    }


@pytest.mark.parametrize("case", [CASE, "unet-baseline"])
def test_every_volume_is_tested_once_and_dice_is_their_mean(storage, case):
    record = read(storage)[case]
    tested = Counter(volume for repeat in record["setup"] for volume in repeat["dice_by_volume"])
    dice = [dice for repeat in record["setup"] for dice in repeat["dice_by_volume"].values()]

    assert len(tested) == 21
    assert set(tested.values()) == {1}
    assert [repeat["fold"] for repeat in record["setup"]] == [1, 2, 3]
    assert record["metrics"]["dice"]["mean"] == pytest.approx(fmean(dice))
    assert len(record["metrics"]["total_kj"]["values"]) == 3


def test_dice_lost_to_u_net_is_that_of_the_two_means(storage):
    records = read(storage)
    unet, own = (records[case]["metrics"]["dice"]["mean"] for case in ("unet-baseline", CASE))

    lost = records[CASE]["metrics"]["dice_loss_vs_unet_pct"]
    assert lost["mean"] == pytest.approx(100 * (unet - own) / unet)
    assert lost["by_volume"].keys() == records[CASE]["metrics"]["dice"]["by_volume"].keys()


def test_a_run_killed_between_folds_and_resumed_has_the_same_dice(cross_validate, storage, tmp_path):
    results = shutil.copytree(storage, tmp_path / "results")
    (run,) = results.glob("*/0001_*.json")
    run.unlink()
    (journal,) = results.glob("*/journal.jsonl")
    lines = journal.read_text().splitlines(keepends=True)
    repeats = [number for number, line in enumerate(lines) if json.loads(line)["event"] == "repeat"]
    journal.write_text("".join(lines[: repeats[2]]))  # the third fold's record was not written

    resumed = cross_validate(results, "--energy-resume")

    assert resumed.returncode == 0, resumed.stdout
    (after,) = (json.loads(path.read_text()) for path in results.glob("*/*.json") if path.stem[0] == "0")
    again = next(
        entry["extra_info"]["energy"]
        for entry in after["benchmarks"]
        if entry["extra_info"]["energy"]["case"] == CASE
    )
    before = read(storage)[CASE]
    assert again["metrics"]["dice"] == before["metrics"]["dice"]
    seconds = [record["metrics"]["seconds"]["values"] for record in (before, again)]
    assert seconds[0][:2] == seconds[1][:2]
    assert seconds[0][2] != seconds[1][2]


@pytest.mark.parametrize("text", ["1", "0", "five", "2.5", ""])
def test_what_is_no_number_of_folds_is_refused(text):
    with pytest.raises(ValueError, match=f"--folds {text}: expected a whole number"):
        read_folds(text)
