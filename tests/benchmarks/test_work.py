"""What a training is said to compute: products and bytes by hand, for a meter that asks and for no other."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import zoo
from benchmarks import conftest, known_work, work
from energy.measuring.case import Case

TRAIN, VAL = 10, 4


class Asking:
    """A meter that adds up what it is told."""

    def __init__(self, *wants):
        self.wants, self.told = frozenset(wants), {}

    def tell(self, amounts):
        for name, amount in amounts.items():
            self.told[name] = self.told.get(name, 0.0) + amount


def told(recipe, *steps, side=64):
    meter = Asking("macs_fp32")
    teller = work.Teller(Case("enet", [meter]), recipe, side, TRAIN, VAL)
    for step in steps:
        teller.tell(step)
    return meter.told


def epoch(number=1, slices=TRAIN):
    return zoo.Epoch(number, 0.5, 0.5, 0.7, 0.1, 1e-3, 1.0, slices, batch_seconds=0.1)


def macs(name="enet", side=64):
    return zoo.macs_per_slice(name, side)


def test_a_training_slice_takes_three_forward_passes_and_a_validation_slice_one():
    kept = zoo.activation_bytes_per_slice("enet", 64)

    assert told(zoo.recipe("enet", "baseline"), epoch(), epoch(2)) == {
        "macs_fp32": 2 * macs() * (3 * TRAIN + VAL),
        "bytes_moved": 2 * 2 * kept * TRAIN,
    }


@pytest.mark.parametrize("bf16", [{"precision": "bf16"}, {"weights": "bf16"}])
def test_half_the_bytes_and_another_type_in_bf16(bf16):
    fp32 = told(zoo.recipe("enet", "baseline"), epoch())

    assert told(replace(zoo.recipe("enet", "baseline"), **bf16), epoch()) == {
        "macs_bf16": fp32["macs_fp32"],
        "bytes_moved": fp32["bytes_moved"] / 2,
    }


def test_stages_that_are_computed_again_take_a_fourth_pass():
    recipe = replace(zoo.recipe("enet", "baseline"), checkpointing=True)

    assert told(recipe, epoch())["macs_fp32"] == macs() * (4 * TRAIN + VAL)


def test_smaller_slices_take_what_they_have_pixels_for_and_stages_each_their_own():
    half = replace(zoo.recipe("enet", "baseline"), resolution=0.5)
    growing = replace(zoo.recipe("enet", "baseline"), resolution_stages=(0.5, 1.0), epochs=2)

    assert told(half, epoch())["macs_fp32"] == macs(side=32) * (3 * TRAIN + VAL)
    # Judged at full size from the first epoch on.
    assert told(growing, epoch(1))["macs_fp32"] == 3 * TRAIN * macs(side=32) + VAL * macs(side=64)
    assert told(growing, epoch(2))["macs_fp32"] == (3 * TRAIN + VAL) * macs(side=64)


def test_the_search_of_the_learning_rate_counts():
    recipe = replace(zoo.recipe("enet", "baseline"), lr_find_steps=20, batch_size=4)
    setup = zoo.Setup(1.0, {"lr_find": {"steps": 15, "found": None, "used": 1e-3}})

    assert told(recipe, setup)["macs_fp32"] == 15 * 4 * 3 * macs()


def test_a_teacher_counts_with_its_training_and_with_its_answers():
    recipe = replace(zoo.recipe("enet", "baseline"), teacher="cgnet")

    own = told(recipe, zoo.Taught("cgnet", 1.0, 2, 0.5))["macs_fp32"]
    epochs = told(recipe, epoch())["macs_fp32"]

    assert own == 2 * (3 * TRAIN + VAL) * macs("cgnet")
    assert epochs == (3 * TRAIN + VAL) * macs() + TRAIN * macs("cgnet")


def test_where_no_meter_asks_nothing_is_counted_and_nothing_told(monkeypatch):
    monkeypatch.setattr(zoo, "macs_per_slice", None)
    meter = Asking()

    work.Teller(Case("enet-baseline", [meter]), zoo.recipe("enet", "baseline"), 64, TRAIN, VAL).tell(epoch())

    assert meter.told == {}


@pytest.mark.parametrize("technique", ["baseline", "bf16"])
def test_what_the_suite_says_it_will_tell_is_what_it_tells(technique):
    assert set(told(zoo.recipe("enet", technique), epoch())) <= set(work.TOLD)


@pytest.mark.parametrize("kind", work.TYPES)
def test_known_work_says_what_torch_counts(kind):
    with FlopCounterMode(display=False) as counter:
        done = known_work.convolve(kind, seconds=1e-9)

    image_bytes = known_work.BATCH * known_work.CHANNELS * known_work.SIDE**2 * torch.finfo(
        known_work.DTYPES[kind]
    ).bits / 8  # fmt: skip
    assert done[f"macs_{kind}"] == counter.get_total_flops() / 2  # a product and a sum
    assert done["bytes_moved"] == pytest.approx(2 * image_bytes * done[f"macs_{kind}"] / known_work.MACS)


def test_the_folders_of_the_measured_code_are_there_and_what_zoo_adds_is_one_of_them(tmp_path):
    config = SimpleNamespace(
        invocation_params=SimpleNamespace(dir=tmp_path), getoption=lambda name: {"zoo": ["lab"]}[name]
    )

    folders = conftest.pytest_energy_sources(config)

    assert [folder.name for folder in folders] == ["zoo", "fixtures", "benchmarks", "energy", "lab"]
    assert all(folder.is_dir() for folder in folders[:-1])
    assert folders[-1] == tmp_path / "lab"
