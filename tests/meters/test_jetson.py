"""The Jetson meter against real trees of files, one per module, whose power is known exactly."""

import pytest

from energy.meters import jetson
from energy.meters._meter import MeterUnavailable
from tests.simulated.jetson import AGX_ORIN, AGX_XAVIER, NANO, ORIN_NX, TX2, XAVIER_NX, Board
from tests.simulated.machine import Constant, Machine, Ramp, Sine, Square, Step, measure, run, take

UUID = "1833c8b5-aa92-5b0b-a8b3-6ea1e2f1a0d7"
SHAPES = {
    "constant": Constant(30.0),
    "step": Step(10.0, 45.0, at=8.37),
    "ramp": Ramp(5.0, 50.0, seconds=45.0),
    "square": Square(12.0, 40.0, period=1.3),
    "sine": Sine(30.0, 20.0, period=3.1, start=4.0, end=30.0),
}


def metered(root, machine, monitors=AGX_ORIN, layout="hwmon", gpus=None):
    board = Board(root, machine, monitors, layout)
    return board, jetson.open(gpus, root=root, clock=board.now)


def rounded(energy):
    return {(part.domain, part.device): round(part.joules) for part in energy.headline()}


@pytest.mark.parametrize("shape", ["constant", "step", "ramp", "sine"])  # a square may beat with the samples
@pytest.mark.slow
def test_half_a_minute_is_right_to_one_percent(tmp_path, shape):
    machine = Machine(SHAPES[shape])
    _, meter = metered(tmp_path, machine)

    energy, truth = measure(machine, meter, 30.0)

    assert energy.joules("gpu") == pytest.approx(0.5 * truth, rel=0.01)


@pytest.mark.parametrize(
    ("monitors", "layout", "joules"),
    [
        (
            AGX_ORIN,
            "hwmon",
            {("gpu", "VDD_GPU_SOC"): 500, ("cpu", "VDD_CPU_CV"): 300, ("ram", "VDDQ_VDD2_1V8AO"): 100},
        ),
        (ORIN_NX, "hwmon", {("cpu", "VDD_CPU_GPU_CV"): 600, ("cpu", "VDD_SOC"): 200}),
        (XAVIER_NX, "iio-parts", {("cpu", "VDD_CPU_GPU_CV"): 600, ("cpu", "VDD_SOC"): 200}),
        (
            AGX_XAVIER,
            "hwmon",
            {
                ("gpu", "GPU"): 400,
                ("cpu", "CPU"): 200,
                ("cpu", "SOC"): 100,
                ("cpu", "CV"): 50,
                ("ram", "VDDRQ"): 150,
            },
        ),
        (
            TX2,
            "iio",
            {
                ("gpu", "VDD_SYS_GPU"): 300,
                ("cpu", "VDD_SYS_SOC"): 100,
                ("cpu", "VDD_SYS_CPU"): 200,
                ("ram", "VDD_SYS_DDR"): 150,
            },
        ),
        (NANO, "iio", {("gpu", "POM_5V_GPU"): 300, ("cpu", "POM_5V_CPU"): 400}),
    ],
)
def test_each_module_counts_its_parts_and_never_its_whole(tmp_path, monitors, layout, joules):
    """50 W for 20 s are 1000 J; the shares of the rails stand in the tree."""
    machine = Machine(Constant(50.0))
    _, meter = metered(tmp_path, machine, monitors, layout)

    energy, _ = measure(machine, meter, 20.0)

    assert rounded(energy) == joules
    assert energy.flags() == ()


@pytest.mark.parametrize(("monitors", "layout"), [(ORIN_NX, "hwmon"), (TX2, "iio"), (NANO, "iio")])
def test_the_supply_of_the_module_is_a_witness(tmp_path, monitors, layout):
    machine = Machine(Constant(50.0))
    _, meter = metered(tmp_path, machine, monitors, layout)

    energy, _ = measure(machine, meter, 20.0)

    (whole,) = [part for part in energy.domains if part.domain == "machine"]
    assert whole.witness
    assert whole.joules == pytest.approx(1000.0)


def test_a_gpu_that_shares_its_rail_with_the_cpu_is_unknown_and_not_zero(tmp_path):
    machine = Machine(Constant(50.0))
    _, meter = metered(tmp_path, machine, ORIN_NX, gpus=(UUID,))

    energy, _ = measure(machine, meter, 20.0)

    (gpu,) = [part for part in energy.domains if part.domain == "gpu"]
    assert (gpu.device, gpu.joules) == (UUID, None)
    assert gpu.reason == "the GPU and the CPU share the rail VDD_CPU_GPU_CV, whose joules stand under cpu"
    assert energy.joules("cpu") == pytest.approx(800.0)


def test_the_gpu_that_was_asked_for_names_its_rail(tmp_path):
    """So that another meter of the same GPU is its witness, and not added to it."""
    machine = Machine(Constant(50.0))
    _, meter = metered(tmp_path, machine, gpus=(UUID,))

    assert [count.device for count in meter.counts() if count.domain == "gpu"] == [UUID]


def test_no_gpu_counts_if_none_is_asked_for(tmp_path):
    machine = Machine(Constant(50.0))
    _, meter = metered(tmp_path, machine, gpus=())

    assert {count.domain for count in meter.counts()} == {"cpu", "ram"}


def test_a_late_poll_is_a_gap_and_no_energy(tmp_path):
    machine = Machine(Constant(30.0))
    _, meter = metered(tmp_path, machine)
    before = take(machine, meter)
    run(machine, meter, 10.0)
    machine.advance(5.0)
    run(machine, meter, 15.0)
    energy = take(machine, meter) - before

    assert energy.joules("gpu") == pytest.approx(0.5 * 30.0 * 25.0, rel=0.01)
    assert energy.flags() == ("gap", "low_coverage")
    assert energy.band("gpu")[0] <= 0.5 * 30.0 * 30.0 <= energy.band("gpu")[1]


def test_an_unreadable_rail_is_a_gap_of_that_rail_alone(tmp_path):
    machine = Machine(Constant(30.0))
    board, meter = metered(tmp_path, machine)
    before = take(machine, meter)
    run(machine, meter, 10.0)
    board.make_unreadable("1-0040", "curr1_input")
    run(machine, meter, 5.0)
    board.make_readable("1-0040", "curr1_input")
    run(machine, meter, 15.0)
    energy = take(machine, meter) - before

    assert energy.joules("gpu") == pytest.approx(0.5 * 30.0 * 25.0, rel=0.01)
    assert energy.joules("cpu") == pytest.approx(0.3 * 30.0 * 30.0, rel=0.01)
    assert {fault.device for fault in energy.faults} == {"VDD_GPU_SOC"}


def test_a_rail_that_is_unreadable_at_the_end_is_unknown(tmp_path):
    machine = Machine(Constant(30.0))
    board, meter = metered(tmp_path, machine)
    before = take(machine, meter)
    run(machine, meter, 10.0)
    board.make_unreadable("1-0040", "curr1_input")

    energy = take(machine, meter) - before

    assert energy.joules("gpu") is None
    assert energy.joules() is None
    assert energy.joules("cpu") == pytest.approx(0.3 * 300.0, rel=0.01)


def test_a_vanished_monitor_is_lost_and_never_zero(tmp_path):
    machine = Machine(Constant(30.0))
    board, meter = metered(tmp_path, machine)
    before = take(machine, meter)
    run(machine, meter, 10.0)
    board.remove("1-0040")
    run(machine, meter, 10.0)
    energy = take(machine, meter) - before

    assert energy.joules("gpu") is None
    assert "lost_device" in energy.flags()
    assert energy.joules("ram") == pytest.approx(0.1 * 600.0, rel=0.01)


@pytest.mark.parametrize("nonsense", ["", "N/A\n", "1e3\n", "900000\n"])
def test_what_no_rail_carries_is_unreadable_not_a_number(tmp_path, nonsense):
    """900 A at 5 V: microamperes where milliamperes were expected."""
    machine = Machine(Constant(30.0))
    board, meter = metered(tmp_path, machine)
    before = take(machine, meter)
    meter._clock = machine.now  # stop the tree from writing the current
    (board.folder("1-0040") / "curr1_input").write_text(nonsense)

    assert (take(machine, meter) - before).joules("gpu") is None


def test_the_offset_of_a_rail_that_is_off_takes_nothing_away(tmp_path):
    machine = Machine(Constant(30.0))
    board, meter = metered(tmp_path, machine)
    meter._clock = machine.now
    (board.folder("1-0040") / "curr1_input").write_text("-20\n")
    meter.poll()
    machine.advance(0.1)
    before = take(machine, meter)
    run(machine, meter, 10.0)

    assert (take(machine, meter) - before).joules("gpu") == 0.0


def test_other_boards_with_an_ina3221_are_no_jetson(tmp_path):
    machine = Machine()

    with pytest.raises(MeterUnavailable, match="no INA3221 monitor with a Jetson's rails"):
        metered(tmp_path, machine, {"1-0040": {"pp3300_edp": 0.3, "pp5000_a": 0.2}})


def test_a_machine_without_the_driver_is_no_jetson(tmp_path):
    diagnosis = jetson.diagnose(root=tmp_path / "drivers")

    assert not diagnosis.works
    assert diagnosis.untested
    assert "NVIDIA Jetson modules" in diagnosis.remedy


def test_monitors_that_nobody_may_read_are_unavailable(tmp_path):
    board = Board(tmp_path, Machine(), NANO)
    for place in (1, 2, 3):
        board.make_unreadable("6-0040", f"curr{place}_input")

    with pytest.raises(MeterUnavailable, match=r"cannot be read: .*curr1_input"):
        jetson.open(root=tmp_path)


def test_the_diagnosis_names_the_rails_that_count_and_those_that_do_not(tmp_path):
    Board(tmp_path, Machine(), AGX_ORIN)

    diagnosis = jetson.diagnose(root=tmp_path)

    assert diagnosis.works
    assert diagnosis.untested
    assert diagnosis.what == (
        "gpu: VDD_GPU_SOC, cpu: VDD_CPU_CV, ram: VDDQ_VDD2_1V8AO (not counted: VIN_SYS_5V0, NC)"
    )
