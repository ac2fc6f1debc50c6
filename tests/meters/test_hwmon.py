"""hwmon's power sensors against real trees of files whose power is known exactly."""

import pytest

from energy.meters import hwmon
from energy.meters._meter import MeterUnavailable
from tests.simulated.hwmon import GPU, NEW_SERVER, POWER9, RAIL, SERVER, SUPPLY, Chip, Tree, grace
from tests.simulated.machine import Constant, Machine, Sine, Step, measure, run, take


def metered(root, machine, *chips):
    tree = Tree(root, machine, list(chips))
    return tree, hwmon.open(root=root, clock=tree.now)


def joules(energy):
    return {(part.domain, part.device): part.joules for part in energy.domains}


@pytest.mark.parametrize(
    ("chips", "device"),
    [
        ([SERVER], "power_meter"),
        ([NEW_SERVER, GPU, RAIL], "power_meter"),
        ([RAIL, POWER9], "ibmpowernv"),
        ([Chip("power_meter", {"": 1.0}, oem=True, below=True, measures=("LNXSYBUS:00",))], "power_meter"),
        (
            [Chip("macsmc_hwmon", {"AC Input Power": 1.1, "Total System Power": 1.0}, what="input")],
            "macsmc_hwmon",
        ),
    ],
)
@pytest.mark.parametrize(
    "shape", [Constant(400.0), Step(300.0, 500.0, at=20.37), Sine(400.0, 90.0, period=11.0)]
)
def test_the_whole_machine_is_a_witness_whose_band_holds_the_truth(tmp_path, chips, device, shape):
    machine = Machine(shape)
    _, meter = metered(tmp_path, machine, *chips)

    energy, truth = measure(machine, meter, 60.0)

    (whole,) = energy.domains
    assert (whole.domain, whole.device, whole.source, whole.kind) == ("machine", device, "hwmon", "measured")
    assert whole.witness
    assert whole.band[0] <= truth <= whole.band[1]
    assert whole.joules == pytest.approx(truth, rel=0.02)


def test_the_edge_of_a_window_asks_no_sensor_of_the_whole_machine(tmp_path, monkeypatch):
    """There is firmware behind it, which may take its time."""
    machine = Machine(Constant(400.0))
    _, meter = metered(tmp_path, machine, SERVER)
    run(machine, meter, 5.0)
    monkeypatch.setattr("energy.meters.hwmon.sensors.read_number", lambda _: pytest.fail("it was asked"))

    before = take(machine, meter)
    machine.advance(0.2)
    after = take(machine, meter)

    assert before.counts[0].joules == after.counts[0].joules


@pytest.mark.parametrize(
    "chip",
    [
        GPU,
        RAIL,
        SUPPLY,
        Chip("power_meter", {"": 1.0}, oem=True, battery=True),
        Chip("power_meter", {"": 1.0}, oem=True, below=True, measures=("ACPI0007:00", "ACPI0007:01")),
        Chip("power_meter", {"Fan Zone 2": 1.0}, oem=True),
        Chip("ibmpowernv", {"Chip 0 Vdd": 0.4}, what="input"),
    ],
)
def test_what_is_not_known_to_be_the_whole_machine_counts_for_nothing(tmp_path, chip):
    with pytest.raises(MeterUnavailable, match=rf"there: ({chip.name}|none)") as problem:
        metered(tmp_path, Machine(), chip)

    assert "acpi_power_meter" in problem.value.remedy


def test_grace_is_the_sum_of_its_parts_and_the_module_a_witness(tmp_path):
    """400 W for 60 s; the shares of the sensors stand in the tree."""
    machine = Machine(Constant(400.0))
    _, meter = metered(tmp_path, machine, *grace())

    energy, truth = measure(machine, meter, 60.0)

    assert joules(energy) == {
        ("module", "Module Power Socket 0"): pytest.approx(truth),
        ("cpu", "CPU Power Socket 0"): pytest.approx(0.3 * truth),
        ("cpu", "SysIO Power Socket 0"): pytest.approx(0.1 * truth),
        ("ram", "memory of Grace Power Socket 0"): pytest.approx(0.1 * truth),
    }
    assert {part.domain for part in energy.headline()} == {"cpu", "ram"}
    assert energy.joules() == pytest.approx(0.5 * truth)


def test_two_sockets_of_grace_are_counted_apart(tmp_path):
    machine = Machine(Constant(400.0))
    _, meter = metered(tmp_path, machine, *grace(1, 0.2, 0.1, 0.05, None), *grace(0))

    energy, truth = measure(machine, meter, 20.0)

    assert energy.joules() == pytest.approx(0.7 * truth)
    assert energy.joules("cpu") == pytest.approx(0.55 * truth)


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        ({"cpu": None, "sysio": None}, {("cpu", "Grace Power Socket 0"): 0.5}),
        ({"sysio": None}, {("cpu", "Grace Power Socket 0"): 0.5}),
        ({"grace": None}, {("cpu", "CPU Power Socket 0"): 0.3, ("cpu", "SysIO Power Socket 0"): 0.1}),
        ({"grace": None, "sysio": None}, {("cpu", "CPU Power Socket 0"): 0.3}),
    ],
)
def test_a_firmware_that_shows_fewer_parts_is_counted_once(tmp_path, missing, expected):
    machine = Machine(Constant(400.0))
    _, meter = metered(tmp_path, machine, *grace(module=None, **missing))

    energy, truth = measure(machine, meter, 20.0)

    assert joules(energy) == {key: pytest.approx(share * truth) for key, share in expected.items()}


def test_a_sensor_that_cannot_be_read_is_unknown_and_no_other(tmp_path):
    machine = Machine(Constant(400.0))
    tree, meter = metered(tmp_path, machine, *grace(), SERVER)
    before = take(machine, meter)
    run(machine, meter, 10.0)
    tree.file(2).unlink()
    tree.file(2).mkdir()
    run(machine, meter, 1.0)
    energy = take(machine, meter) - before

    unknown = {device for (_, device), value in joules(energy).items() if value is None}
    assert unknown == {"CPU Power Socket 0", "memory of Grace Power Socket 0"}
    assert energy.joules() is None


@pytest.mark.parametrize("nonsense", ["", "N/A\n", "0\n", "-5\n", "900000000000\n"])
def test_what_no_machine_draws_is_no_number(tmp_path, nonsense):
    machine = Machine(Constant(400.0))
    tree, meter = metered(tmp_path, machine, SERVER)
    before = take(machine, meter)
    meter._clock = machine.now  # the tree writes no more
    tree.file(0).write_text(nonsense)
    run(machine, meter, 3.0)

    assert (take(machine, meter) - before).domains[0].joules is None


def test_a_machine_without_hwmon_says_what_would_help(tmp_path):
    diagnosis = hwmon.diagnose(root=tmp_path / "hwmon")

    assert (diagnosis.works, diagnosis.untested) == (False, True)
    assert "acpi_power_meter" in diagnosis.remedy


def test_the_diagnosis_names_what_each_sensor_counts_as(tmp_path):
    Tree(tmp_path, Machine(), [*grace(), SERVER])

    diagnosis = hwmon.diagnose(root=tmp_path)

    assert diagnosis.works
    assert diagnosis.untested
    assert diagnosis.what == (
        "module: Module Power Socket 0, ram: memory of Grace Power Socket 0, cpu: CPU Power Socket 0, "
        "cpu: SysIO Power Socket 0, machine: power_meter"
    )
