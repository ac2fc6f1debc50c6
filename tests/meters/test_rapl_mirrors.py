"""Dies that show one counter under several names, and dies and packages that only look as if they did."""

import pytest

from energy.meters import rapl
from energy.meters._meter import MeterUnavailable
from tests.simulated.machine import Constant, Machine, run, take
from tests.simulated.powercap import RANGE_UJ, Powercap, Zone


def joules(root, *zones, seconds=20.0):
    """Measure a machine of 100 W per zone and return the joules of packages and of memory."""
    tree = Powercap(root, Machine(Constant(100.0)), list(zones))
    meter = rapl.open(root=root, clock=tree.now, sleep=tree.sleep)
    before = take(tree.machine, meter)
    run(tree.machine, meter, seconds)
    energy = take(tree.machine, meter) - before
    return energy.joules("cpu"), energy.joules("ram")


def die(number, package=0, **changes):
    return Zone(f"intel-rapl:{4 * package + number}", f"package-{package}-die-{number}", **changes)


def test_dies_that_mirror_one_counter_count_once(tmp_path):
    assert joules(tmp_path, *map(die, range(4)))[0] == pytest.approx(2000.0)


def test_the_mirrors_of_each_package_count_once(tmp_path):
    """Each has memory controllers of its own, with counters of their own."""
    dies = [die(n, package, start_uj=10**10 * (package + 1)) for package in (0, 1) for n in (0, 1)]
    drams = [Zone(f"{zone.directory}:0", "dram", start_uj=10**10 * (n + 5)) for n, zone in enumerate(dies)]

    cpu, ram = joules(tmp_path, *dies, *drams)

    assert (cpu, ram) == (pytest.approx(4000.0), pytest.approx(8000.0))


def test_a_mirror_that_wraps_while_it_is_watched_is_still_one(tmp_path):
    dies = [die(n, start_uj=RANGE_UJ - 2_000_000) for n in range(2)]

    assert joules(tmp_path, *dies)[0] == pytest.approx(2000.0)


def test_dies_with_counters_of_their_own_all_count(tmp_path):
    dies = [die(n, start_uj=10**10 + n * 10**7) for n in range(4)]

    assert joules(tmp_path, *dies)[0] == pytest.approx(8000.0)


def test_dies_whose_counters_happen_to_be_equal_at_first_all_count(tmp_path):
    dies = [die(0), die(1, shape=Constant(60.0))]

    assert joules(tmp_path, *dies)[0] == pytest.approx(2000.0 + 1200.0)


def test_packages_whose_counters_are_equal_all_the_time_all_count(tmp_path):
    """Two processors that were switched on together and do the same are two processors."""
    packages = [Zone(f"intel-rapl:{n}", f"package-{n}") for n in range(2)]

    assert joules(tmp_path, *packages)[0] == pytest.approx(4000.0)


def test_two_zones_of_one_name_and_different_counters_both_count(tmp_path):
    zones = [Zone(f"intel-rapl:{n}", "package-0", start_uj=10**10 * (n + 1)) for n in range(2)]

    assert joules(tmp_path, *zones)[0] == pytest.approx(4000.0)


def test_equal_dies_that_stand_still_are_refused_rather_than_guessed(tmp_path):
    tree = Powercap(tmp_path, Machine(Constant(0.0)), [die(0), die(1)])

    with pytest.raises(MeterUnavailable, match="stands still"):
        rapl.open(root=tmp_path, clock=tree.now, sleep=tree.sleep)
