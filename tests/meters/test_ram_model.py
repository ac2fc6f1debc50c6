"""The model of memory: watts per GiB, of what is installed and of what this process tree holds."""

import math
import subprocess
import sys

import psutil
import pytest

from energy.meters import ram_model
from energy.meters.ram_model import WATTS_PER_GIB, RamModel
from energy.reading import Count, Reading
from tests.simulated.processes import FakeProcesses

GIB = 2**30
LOW, MIDDLE, HIGH = WATTS_PER_GIB


class Tree:
    """Processes that hold what the test says, in GiB."""

    def __init__(self, *gib):
        self.gib = list(gib)

    def resident_bytes(self):
        return [int(each * GIB) for each in self.gib]

    def close(self):
        pass


class World:
    now = 1000.0

    def __init__(self, *gib, installed=64.0):
        self.tree = Tree(*gib)
        self.meter = RamModel(installed, self.tree, lambda: self.now)

    def read(self):
        return Reading(self.now, self.meter.counts(), self.meter.faults())


def parts(energy):
    return {part.boundary: part for part in energy.domains}


def test_the_machine_is_billed_all_memory_that_is_installed():
    world = World(1.0, installed=64.0)
    before = world.read()
    world.now += 100.0
    part = parts(world.read() - before)["machine"]

    assert part.joules == pytest.approx(100 * 64 * MIDDLE)
    assert part.band == pytest.approx((100 * 64 * 0.05, 100 * 64 * 0.4))
    assert (part.domain, part.device, part.source, part.kind) == ("ram", "machine", "ram_model", "modelled")


def test_the_process_is_billed_what_it_holds():
    world = World(2.0)
    before = world.read()
    world.now += 100.0
    part = parts(world.read() - before)["process"]

    assert part.joules == pytest.approx(100 * 2 * MIDDLE)
    assert part.band == pytest.approx((100 * 2 * 0.05, 100 * 2 * 0.4))


def test_the_constant_lies_between_published_figures():
    """W per GB: Boavizta 0.284, Tom's Hardware 0.37, Cloud Carbon Footprint 0.392; Micron's model 0.408."""
    assert LOW < MIDDLE < 0.284 < 0.37 < 0.392 < HIGH * 1.03
    assert pytest.approx(math.sqrt(LOW * HIGH)) == MIDDLE


def test_24_gib_draw_less_than_the_20_w_that_codecarbon_bills():
    assert 24 * HIGH < 10 < 20


def test_shared_pages_are_between_once_and_once_for_each_process():
    """A worker that was forked shares what its parent holds, or none of it any more."""
    world = World(3.0, 2.0, 2.0)
    before = world.read()
    world.now += 10.0
    part = parts(world.read() - before)["process"]

    assert part.joules == pytest.approx(10 * 7 * MIDDLE)
    assert part.band == pytest.approx((10 * 3 * LOW, 10 * 7 * HIGH))


def test_memory_that_changes_between_two_looks_is_its_mean_and_its_band_holds_either():
    world = World(1.0)
    before = world.read()
    world.tree.gib, world.now = [5.0], world.now + 10.0
    part = parts(world.read() - before)["process"]

    assert part.joules == pytest.approx(10 * 3 * MIDDLE)
    assert part.band == pytest.approx((10 * 1 * LOW, 10 * 5 * HIGH))


def test_polls_in_between_follow_a_peak():
    world = World(1.0)
    before = world.read()
    for gib in (9.0, 9.0, 1.0):
        world.tree.gib, world.now = [gib], world.now + 10.0
        world.meter.poll()
    part = parts(world.read() - before)["process"]

    assert part.joules == pytest.approx((50 + 90 + 50) * MIDDLE)


def test_no_process_holds_more_than_there_is():
    world = World(40.0, 40.0, installed=64.0)
    before = world.read()
    world.now += 1.0
    energy = world.read() - before

    assert parts(energy)["process"].joules == pytest.approx(parts(energy)["machine"].joules)


def test_with_a_modelled_cpu_memory_is_of_the_process_and_with_a_counter_of_the_machine():
    """A total is of one boundary, which memory follows."""
    totals = {}
    for kind, boundary in (("modelled", "process"), ("measured", "machine")):
        world = World(2.0, installed=64.0)
        cpu = Count("cpu", "machine", "x", kind, 0.0, 0.0, boundary=boundary)
        before = Reading(world.now, (*world.meter.counts(), cpu))
        world.now += 10.0
        energy = (
            Reading(world.now, (*world.meter.counts(), cpu.at(joules=100.0, covered_seconds=10.0))) - before
        )
        totals[energy.boundary] = energy.joules("ram")

    assert totals == pytest.approx({"process": 10 * 2 * MIDDLE, "machine": 10 * 64 * MIDDLE})


def test_what_a_descendant_holds_counts_and_what_a_stranger_holds_does_not(tmp_path):
    processes = FakeProcesses(tmp_path)
    tree = processes.tree()
    page = 4096
    processes.write(1, parent=0, ticks=0, pages=1000)
    processes.write(20, parent=1, ticks=0, pages=300)
    processes.write(30, parent=2, ticks=0, pages=5000)

    assert sorted(tree.resident_bytes()) == [300 * page, 1000 * page]
    processes.vanish(20)
    assert tree.resident_bytes() == [1000 * page]


def test_of_this_process_it_is_what_psutil_says():
    code = (
        "import os, psutil; from energy.meters.cpu_model.seconds import Tree; held = bytearray(50_000_000); "
        "print(Tree().resident_bytes()[0], psutil.Process().memory_info().rss)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    ours, theirs = map(int, done.stdout.split())

    assert ours == pytest.approx(theirs, rel=0.02)
    assert ours > 50_000_000


def test_without_linuxs_process_table_only_the_machine_is_known(tmp_path):
    meter = ram_model.open(proc=tmp_path, installed_bytes=8 * GIB)

    assert [count.boundary for count in meter.counts()] == ["machine"]
    meter.close()
    assert [count.reason for count in meter.counts()] == ["the meter is closed"]


def test_doctor_hears_how_much_there_is():
    diagnosis = ram_model.diagnose()

    assert diagnosis.works
    assert f"{psutil.virtual_memory().total / GIB:.0f} GiB" in diagnosis.what
    assert "modelled" in diagnosis.what
