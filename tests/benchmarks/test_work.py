"""What an epoch is said to compute: products and bytes by hand, for a meter that asks and for no other."""

from types import SimpleNamespace

import pytest

import zoo
from benchmarks import conftest, work
from energy.measuring.case import Case


class Asking:
    """A meter that adds up what it is told."""

    def __init__(self, *wants):
        self.wants, self.told = frozenset(wants), []

    def tell(self, amounts):
        self.told.append(dict(amounts))


EPOCH = SimpleNamespace(slices=10)


def test_a_training_slice_takes_three_forward_passes_and_a_validation_slice_one():
    meter = Asking("macs_fp32")
    case = Case("enet-baseline", [meter])
    recipe = zoo.recipe("enet", "baseline")
    per_slice = work.count_per_slice(case, recipe, 64)

    work.Teller(case, per_slice, val_slices=4).tell(EPOCH)

    macs, kept = zoo.macs_per_slice("enet", 64), zoo.activation_bytes_per_slice("enet", 64)
    assert meter.told == [{"macs_fp32": macs * (3 * 10 + 4), "bytes_moved": 2 * kept * 10}]


def test_half_the_bytes_and_another_type_in_bf16():
    case = Case("enet-bf16", [Asking("macs_bf16")])
    fp32, bf16 = (work.count_per_slice(case, zoo.recipe("enet", name), 64) for name in ("baseline", "bf16"))

    assert bf16 == {"macs_bf16": fp32["macs_fp32"], "bytes_moved": fp32["bytes_moved"] / 2}


def test_a_quarter_of_the_pixels_is_what_half_the_resolution_computes():
    case = Case("enet-half_resolution", [Asking("macs_fp32")])
    full, half = (
        work.count_per_slice(case, zoo.recipe("enet", name), 64) for name in ("baseline", "half_resolution")
    )

    assert half["macs_fp32"] == pytest.approx(full["macs_fp32"] / 4, rel=0.05)


def test_where_no_meter_asks_nothing_is_counted(monkeypatch):
    monkeypatch.setattr(zoo, "macs_per_slice", None)
    case = Case("enet-baseline", [Asking()])

    per_slice = work.count_per_slice(case, zoo.recipe("enet", "baseline"), 64)

    assert per_slice == {}


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_what_the_suite_says_it_will_tell_is_what_it_tells(precision):
    case = Case("enet", [Asking("bytes_moved")])
    recipe = zoo.recipe("enet", "baseline" if precision == "fp32" else "bf16")

    assert set(work.count_per_slice(case, recipe, 64)) <= set(work.TOLD)


def test_the_folders_of_the_measured_code_are_there_and_what_zoo_adds_is_one_of_them(tmp_path):
    config = SimpleNamespace(
        invocation_params=SimpleNamespace(dir=tmp_path), getoption=lambda name: {"zoo": ["lab"]}[name]
    )

    folders = conftest.pytest_energy_sources(config)

    assert [folder.name for folder in folders] == ["zoo", "fixtures", "benchmarks", "energy", "lab"]
    assert all(folder.is_dir() for folder in folders[:-1])
    assert folders[-1] == tmp_path / "lab"
