"""The RAPL meter against a real tree of files whose counters follow a known power."""

import pytest

from energy.meters import rapl
from energy.meters._meter import MeterUnavailable
from tests.simulated.machine import Constant, Machine, Ramp, Sine, Square, Step, measure, run, take
from tests.simulated.powercap import RANGE_UJ, SERVER, Powercap, Zone

SHAPES = {
    "constant": Constant(120.0),
    "step": Step(40.0, 180.0, at=8.37),
    "ramp": Ramp(20.0, 200.0, seconds=45.0),
    "square": Square(50.0, 150.0, period=1.3),
    "sine": Sine(100.0, 80.0, period=3.1, start=4.0, end=30.0),
}


def metered(root, machine, *zones):
    tree = Powercap(root, machine, list(zones or [Zone("intel-rapl:0", "package-0")]))
    return tree, rapl.open(root=root, clock=tree.now, sleep=tree.sleep)


@pytest.mark.parametrize("seconds", [1.0, 2.5, 5.0, 10.05, 30.0, 60.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_truth_lies_in_the_band_and_is_met_to_one_percent(tmp_path, shape, seconds):
    machine = Machine(SHAPES[shape])
    _, meter = metered(tmp_path, machine)

    energy, truth = measure(machine, meter, seconds)

    assert energy.band()[0] <= truth <= energy.band()[1]
    assert energy.joules() == pytest.approx(truth, rel=0.01)
    assert energy.flags() == ()


@pytest.mark.parametrize("seconds", [0.0004, 0.0015, 0.02, 0.06])
def test_a_short_window_right_after_opening_has_uncertain_edges_too(tmp_path, seconds):
    machine = Machine(Constant(120.0))
    _, meter = metered(tmp_path, machine)
    machine.advance(0.0003)

    before = take(machine, meter)
    machine.advance(seconds)
    energy = take(machine, meter) - before

    assert energy.band()[0] <= 120.0 * seconds <= energy.band()[1]
    assert energy.flags() == ("window_too_short",)


def test_packages_and_their_dram_count_and_nothing_that_overlaps_them(tmp_path):
    machine = Machine(Constant(100.0))
    _, meter = metered(tmp_path, machine, *SERVER)

    energy, _ = measure(machine, meter, 20.0)

    assert {(part.domain, part.device): round(part.joules) for part in energy.headline()} == {
        ("cpu", "package-1"): 2000,
        ("cpu", "package-0"): 1200,
        ("ram", "package-1/dram"): 240,
        ("ram", "package-0/dram"): 160,
    }
    assert [part.device for part in energy.domains if part.witness] == ["psys"]


def test_an_mmio_package_without_a_twin_counts(tmp_path):
    machine = Machine(Constant(100.0))
    _, meter = metered(tmp_path, machine, Zone("intel-rapl-mmio:0", "package-0"))

    assert measure(machine, meter, 20.0)[0].joules() == pytest.approx(2000.0)


def test_a_dram_zone_that_always_shows_zero_is_left_out(tmp_path):
    machine = Machine(Constant(100.0))
    dead = Zone("intel-rapl:0:0", "dram", Constant(0.0), start_uj=0)
    _, meter = metered(tmp_path, machine, Zone("intel-rapl:0", "package-0"), dead)

    assert {count.domain for count in meter.counts()} == {"cpu"}


def test_a_wrap_is_counted_right(tmp_path):
    machine = Machine(Constant(120.0))
    _, meter = metered(
        tmp_path, machine, Zone("intel-rapl:0", "package-0", start_uj=RANGE_UJ - 1_500_000_000)
    )

    energy, truth = measure(machine, meter, 30.0)

    assert energy.joules() == pytest.approx(truth, rel=1e-3)
    assert energy.faults == ()


def test_every_wrap_of_a_small_counter_is_seen(tmp_path):
    """At 250 W a counter of 1 kJ wraps every 4 s, twenty times in the window."""
    machine = Machine(Constant(250.0))
    _, meter = metered(
        tmp_path,
        machine,
        Zone("intel-rapl:0", "package-0", range_uj=1_000_000_000, start_uj=7, limit_watts=150.0),
    )

    energy, truth = measure(machine, meter, 80.0)

    assert energy.joules() == pytest.approx(truth, rel=1e-3)


def test_polling_is_faster_than_the_fastest_wrap(tmp_path):
    _, meter = metered(
        tmp_path,
        Machine(),
        Zone("intel-rapl:0", "package-0", range_uj=1_000_000_000, start_uj=7, limit_watts=1000.0),
    )

    assert meter.period_seconds <= 1000.0 / (2 * 1000.0) / 2


def test_a_wrap_that_nobody_could_have_seen_is_a_gap(tmp_path):
    """The process was stopped for 20 minutes: the counter may have wrapped any number of times."""
    machine = Machine(Constant(120.0))
    _, meter = metered(tmp_path, machine)
    before = take(machine, meter)
    run(machine, meter, 10.0)
    machine.advance(1200.0)
    run(machine, meter, 10.0)
    run(machine, meter, 1300.0)
    energy = take(machine, meter) - before
    truth = 120.0 * energy.seconds

    assert energy.flags() == ("gap", "low_coverage")
    assert energy.joules() == pytest.approx(truth)  # it had not wrapped, but that it may have is at stake
    assert energy.band()[0] <= truth <= energy.band()[1]
    assert energy.band()[1] > truth + 1200 * 800.0


@pytest.mark.parametrize("watts", [120.0, 350.0])
def test_a_window_that_nobody_saw_most_of_is_unknown_and_at_least_what_is_certain(tmp_path, watts):
    """In 1200 s at 350 W the counter wraps once, unseen."""
    machine = Machine(Constant(watts))
    _, meter = metered(tmp_path, machine)
    before = take(machine, meter)
    run(machine, meter, 10.0)
    machine.advance(1200.0)
    run(machine, meter, 10.0)
    energy = take(machine, meter) - before

    certain = (watts * 1220.0) % (RANGE_UJ / 1e6)
    assert energy.joules() is None
    assert energy.band() is None
    assert energy.headline()[0].reason.endswith(f"% of the window was seen: at least {certain:.1f} J")


@pytest.mark.parametrize(("name", "limit", "watts"), [("package-0", 15.0, 45.0), ("package-0", 1.0, 800.0)])
def test_a_stated_limit_is_no_bound_of_what_a_package_draws(tmp_path, name, limit, watts):
    machine = Machine(Constant(watts))
    _, meter = metered(tmp_path, machine, Zone("intel-rapl:0", name, limit_watts=limit))

    energy, truth = measure(machine, meter, 10.0)

    assert (energy.joules(), energy.flags()) == (pytest.approx(truth), ())


def test_a_stated_limit_is_no_bound_of_what_memory_draws(tmp_path):
    machine = Machine(Constant(30.0))
    dram = Zone("intel-rapl:0:0", "dram", Constant(6.0), limit_watts=1.0)
    _, meter = metered(tmp_path, machine, Zone("intel-rapl:0", "package-0"), dram)

    assert measure(machine, meter, 10.0)[0].joules("ram") == pytest.approx(60.0)


def test_a_reset_is_not_taken_for_a_wrap(tmp_path):
    """Other tools add 162 kJ or 262 kJ here."""
    machine = Machine(Constant(120.0))
    _, meter = metered(tmp_path, machine, Zone("intel-rapl:0", "package-0", reset_at=1015.0))
    before = take(machine, meter)
    run(machine, meter, 30.0)
    energy = take(machine, meter) - before
    truth = 120.0 * energy.seconds

    assert energy.flags() == ("low_coverage", "reset")
    assert truth - 2 * 120.0 <= energy.joules() <= truth
    assert energy.band()[0] <= truth <= energy.band()[1]


def test_a_jump_that_the_package_cannot_have_drawn_is_no_energy(tmp_path):
    machine = Machine(Step(120.0, 2e5, at=10.0))
    _, meter = metered(tmp_path, machine)
    before = take(machine, meter)
    run(machine, meter, 10.5)

    energy = take(machine, meter) - before

    assert energy.joules() == pytest.approx(10 * 120.0, rel=0.1)
    assert energy.flags() == ("gap", "low_coverage")  # only a fall is a reset


def test_a_counter_that_is_unreadable_at_the_end_leaves_the_window_unknown(tmp_path):
    machine = Machine(Constant(120.0))
    tree, meter = metered(tmp_path, machine)
    before = take(machine, meter)
    run(machine, meter, 10.0)
    tree.make_unreadable()

    energy = take(machine, meter) - before

    assert energy.joules() is None
    assert "intel-rapl:0/energy_uj" in energy.headline()[0].reason
    assert "1080.000 J had been counted" in energy.headline()[0].reason


def test_nonsense_in_the_file_is_unreadable_not_a_number(tmp_path):
    machine = Machine(Constant(120.0))
    _, meter = metered(tmp_path, machine)
    before = take(machine, meter)
    meter._clock = machine.now  # stop the tree from writing the counter
    (tmp_path / "intel-rapl:0" / "energy_uj").write_text("\n")

    assert (take(machine, meter) - before).joules() is None


def test_a_counter_that_stands_still_is_unknown_not_zero(tmp_path):
    """Some hypervisors show a constant."""
    machine = Machine(Constant(0.0))
    _, meter = metered(tmp_path, machine)

    energy, _ = measure(machine, meter, 10.0)

    assert energy.joules() is None
    assert "stood still" in energy.headline()[0].reason


@pytest.mark.parametrize("watts", [40.0, 4000.0])
def test_psys_is_a_witness_of_the_platform_and_never_a_part_of_the_total(tmp_path, watts):
    machine = Machine(Constant(20.0))
    zones = [Zone("intel-rapl:0", "package-0"), Zone("intel-rapl:1", "psys", Constant(watts))]
    _, meter = metered(tmp_path, machine, *zones)

    energy, truth = measure(machine, meter, 60.0)

    (psys,) = [part for part in energy.domains if part.domain == "platform"]
    assert (psys.device, psys.witness, psys.kind) == ("psys", True, "measured")
    assert psys.joules == pytest.approx(watts * 60.0, rel=1e-3)
    assert energy.joules() == pytest.approx(truth, rel=1e-3)


def test_a_psys_that_was_left_closed_takes_no_package_away(tmp_path, monkeypatch):
    import os

    machine, genuine = Machine(Constant(20.0)), os.open
    tree = Powercap(tmp_path, machine, [Zone("intel-rapl:0", "package-0"), Zone("intel-rapl:1", "psys")])

    def closed(path, flags, *more, **named):
        if str(path).endswith("intel-rapl:1/energy_uj"):
            raise PermissionError(13, "Permission denied")
        return genuine(path, flags, *more, **named)

    monkeypatch.setattr("energy.meters.rapl.zones.os.open", closed)
    meter = rapl.open(root=tmp_path, clock=tree.now, sleep=tree.sleep)

    assert [count.domain for count in meter.counts()] == ["cpu"]


def test_psys_alone_is_no_package(tmp_path):
    Powercap(tmp_path, Machine(), [Zone("intel-rapl:0", "psys")])

    with pytest.raises(MeterUnavailable, match="no RAPL packages"):
        rapl.open(root=tmp_path)


def test_masked_counters_are_unavailable(tmp_path):
    tree = Powercap(tmp_path, Machine())
    tree.make_unreadable()

    with pytest.raises(MeterUnavailable, match="cannot be read"):
        rapl.open(root=tmp_path)


def test_diagnosis_names_the_zones(tmp_path):
    Powercap(tmp_path, Machine(), SERVER)

    diagnosis = rapl.diagnose(root=tmp_path)

    assert diagnosis.works
    assert "cpu: package-0" in diagnosis.what
    assert "ram: package-1/dram" in diagnosis.what
