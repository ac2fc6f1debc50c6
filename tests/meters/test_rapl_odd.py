"""Powercap trees as they should not be: strange names, missing and empty files, links in a circle."""

import os

import pytest

from energy.meters import rapl
from energy.meters._meter import MeterUnavailable
from tests.simulated.machine import Constant, Machine, measure
from tests.simulated.powercap import Powercap, Zone

GOOD = Zone("intel-rapl:0", "package-0")


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "powercap").mkdir()
    return Powercap(tmp_path / "powercap", Machine(Constant(100.0)), [GOOD])


def opened(tree):
    return rapl.open(root=tree.root, system=tree.root.parent, clock=tree.now, sleep=tree.sleep)


def diagnosed(tree):
    return rapl.diagnose(root=tree.root, system=tree.root.parent)


def test_linux_numbers_zones_in_hexadecimal(tmp_path):
    """drivers/powercap/powercap_sys.c: "%s:%x". A machine of sixteen dies has intel-rapl:a to :f."""
    numbers = (2, 9, 10, 15, 16)
    dies = [Zone(f"intel-rapl:{n:x}", f"package-{n}", Constant(10.0 + n)) for n in numbers]
    drams = [Zone(f"intel-rapl:{n:x}:0", "dram", Constant(1.0)) for n in numbers]
    machine = Machine()
    tree = Powercap(tmp_path, machine, [*dies, *drams])
    meter = rapl.open(root=tmp_path, clock=tree.now, sleep=tree.sleep)

    energy, _ = measure(machine, meter, 10.0)

    packages = [count.device for count in meter.counts() if count.domain == "cpu"]
    assert packages == [f"package-{n}" for n in numbers]
    assert energy.joules("cpu") == pytest.approx(10.0 * sum(10.0 + n for n in numbers))
    assert energy.joules("ram") == pytest.approx(10.0 * len(numbers))


ODD_NAMES = [
    "intel-rapl:zz",
    "intel-rapl:",
    "intel-rapl::",
    "intel-rapl:0:",
    "intel-rapl:-1",
    "intel-rapl:0:x:y",
]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_zone_of_a_strange_name_that_says_nothing_counts_as_nothing(tree, name):
    (tree.root / name).mkdir()

    assert [count.device for count in opened(tree).counts()] == ["package-0"]


def test_a_zone_of_a_strange_name_counts_as_what_it_says(tmp_path):
    machine = Machine(Constant(100.0))
    tree = Powercap(tmp_path, machine, [GOOD, Zone("intel-rapl:zz", "package-7", Constant(50.0))])
    meter = rapl.open(root=tmp_path, clock=tree.now, sleep=tree.sleep)

    assert measure(machine, meter, 10.0)[0].joules() == pytest.approx(1500.0)


def folder(path):
    path.unlink(missing_ok=True)
    path.mkdir()


def circle(path):
    path.unlink(missing_ok=True)
    path.symlink_to(path.name)


SPOILT = {
    "absent": lambda path: path.unlink(),
    "empty": lambda path: path.write_text(""),
    "words": lambda path: path.write_text("unknown\n"),
    "bytes": lambda path: path.write_bytes(b"\xff\xfe\x00"),
    "negative": lambda path: path.write_text("-5\n"),
    "a folder": folder,
    "a circle": circle,
}


@pytest.mark.parametrize("spoil", SPOILT)
@pytest.mark.parametrize("file", ["name", "energy_uj"])
def test_a_package_that_cannot_be_read_is_no_crash(tree, file, spoil):
    SPOILT[spoil](tree.root / "intel-rapl:0" / file)
    tree.update = lambda: None

    with pytest.raises(MeterUnavailable):
        opened(tree)
    assert not diagnosed(tree).works


@pytest.mark.parametrize("spoil", SPOILT)
def test_a_counter_whose_range_cannot_be_read_counts(tree, spoil):
    SPOILT[spoil](tree.root / "intel-rapl:0" / "max_energy_range_uj")

    assert measure(tree.machine, opened(tree), 10.0)[0].joules() == pytest.approx(1000.0)


@pytest.mark.parametrize("text", ["nan", "inf", "0", "1e30"])
def test_a_range_that_is_no_number_is_none(tree, text):
    (tree.root / "intel-rapl:0/max_energy_range_uj").write_text(text)

    assert measure(tree.machine, opened(tree), 10.0)[0].joules() == pytest.approx(1000.0)


@pytest.mark.parametrize("spoil", SPOILT)
def test_memory_that_cannot_be_read_leaves_the_package(tree, spoil):
    dram = tree.root / "intel-rapl:0:0"
    dram.mkdir()
    (dram / "name").write_text("dram\n")
    (dram / "energy_uj").write_text("1\n")
    SPOILT[spoil](dram / "energy_uj")

    assert [count.device for count in opened(tree).counts()] == ["package-0"]


def test_a_link_that_goes_round_in_a_circle_counts_as_nothing(tree):
    (tree.root / "intel-rapl:1").symlink_to("intel-rapl:1")

    assert [count.device for count in opened(tree).counts()] == ["package-0"]


@pytest.mark.parametrize("spoil", ["absent", "a file", "a circle"])
def test_a_root_that_is_no_folder_is_no_crash(tmp_path, spoil):
    root = tmp_path / "powercap"
    if spoil == "a file":
        root.write_text("")
    elif spoil == "a circle":
        root.symlink_to("powercap")

    assert not rapl.diagnose(root=root, system=tmp_path).works


def test_a_root_that_nobody_may_look_into_is_no_crash(tree, monkeypatch):
    def refuse(path="."):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refuse)
    monkeypatch.setattr(os, "listdir", refuse)

    assert not diagnosed(tree).works
