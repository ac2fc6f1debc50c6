"""The AMD meter against simulated boards whose energy is known exactly."""

import sys
from types import SimpleNamespace

import pytest

from energy.measuring.hardware import read_hardware
from energy.meters import amd
from energy.meters._meter import MeterUnavailable
from energy.meters.amd.visible import resolve
from energy.records.fingerprint import name_hardware
from tests.simulated.amd import (
    DRIVER_NOT_LOADED,
    NO_PERMISSION,
    NOT_SUPPORTED,
    Gpu,
    Library,
    VramType,
)
from tests.simulated.machine import Constant, Machine, Ramp, Sine, Square, Step, measure, run, take

SECOND = {
    "uuid": "5bff74a1-0000-1000-8012-7c3a9e0d44b1",
    "address": "0000:22:00.0",
    "hip": 1,
    "hip_uuid": "GPU-127c3a9e0d44b1aa",
}
THIRD = {
    "uuid": "c4ff74a1-0000-1000-8077-0e5d3b2a9f10",
    "address": "0000:38:00.0",
    "hip": 2,
    "hip_uuid": "GPU-770e5d3b2a9f10bb",
}
NVIDIA = "GPU-5c8a1e60-0b5e-4d1f-9c43-7f2b8a90d1e2"
SHAPES = {
    "constant": Constant(300.0),
    "step": Step(250.0, 650.0, at=8.37),
    "ramp": Ramp(80.0, 600.0, seconds=45.0),
    "square": Square(150.0, 250.0, period=1.3),
    "sine": Sine(300.0, 200.0, period=3.1, start=4.0, end=30.0),
}


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch):
    for variable in ("ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(variable, raising=False)


def metered(machine, *gpus, names=None, **library):
    made = Library(machine, list(gpus) or [Gpu()], **library)
    return amd.open(names, library=made, clock=machine.now, sleep=machine.advance)


def figure(energy, source):
    return next(part for part in energy.domains if part.source == source)


def seen(gpus, names=None, **environ):
    """Return the devices that are meant."""
    return [board.device for board in resolve(Library(Machine(), gpus), names, environ)]


@pytest.mark.parametrize("shape", SHAPES)
def test_half_a_minute_is_right_to_one_percent(shape):
    machine = Machine(SHAPES[shape])
    meter = metered(machine)

    energy, truth = measure(machine, meter, 30.0)

    assert energy.joules() == pytest.approx(truth, rel=0.01)
    assert [part.source for part in energy.headline()] == ["amdsmi_counter"]
    assert energy.flags() == ()


@pytest.mark.parametrize("key", ["current_socket_power", "average_socket_power", "socket_power"])
def test_power_is_found_under_each_of_its_names(key):
    machine = Machine(Constant(300.0))
    meter = metered(machine, Gpu(power_key=key, energy_error=NOT_SUPPORTED))

    energy, _ = measure(machine, meter, 10.0)

    assert energy.joules() == pytest.approx(3000.0)
    assert [part.source for part in energy.domains] == ["amdsmi_power"]


def test_the_counter_of_an_older_amdsmi_has_another_name():
    machine = Machine(Constant(300.0))
    meter = metered(machine, Gpu(old=True))

    energy, _ = measure(machine, meter, 10.0)

    assert figure(energy, "amdsmi_counter").joules == pytest.approx(3000.0, rel=0.01)


@pytest.mark.parametrize("factor", [0.1, 10.0])
def test_a_counter_of_the_wrong_resolution_is_only_a_witness(factor):
    machine = Machine(Constant(300.0))
    meter = metered(machine, Gpu(resolution=15.259 * factor))

    energy, truth = measure(machine, meter, 20.0)

    assert energy.joules() == pytest.approx(truth, rel=0.01)
    assert [part.source for part in energy.headline()] == ["amdsmi_power"]
    assert "only a witness" in meter.boards[0].describe()


def test_a_counter_that_is_off_by_a_fifth_is_flagged_over_time():
    machine = Machine(Constant(300.0))
    meter = metered(machine, Gpu(resolution=15.259 * 0.8))

    energy, _ = measure(machine, meter, 20.0)

    assert energy.flags() == ("meters_disagree",)


def test_a_counter_that_does_not_move_is_only_a_witness_and_not_zero():
    machine = Machine(Constant(300.0))
    meter = metered(machine, Gpu(stuck=True))

    energy, truth = measure(machine, meter, 20.0)

    assert energy.joules() == pytest.approx(truth, rel=0.01)
    assert figure(energy, "amdsmi_counter").joules is None
    assert "did not move" in meter.boards[0].describe()


def test_a_counter_without_power_is_the_figure():
    machine = Machine(Constant(300.0))
    meter = metered(machine, Gpu(power_error=NOT_SUPPORTED))

    energy, truth = measure(machine, meter, 30.0)

    assert [part.source for part in energy.domains] == ["amdsmi_counter"]
    assert energy.joules() == pytest.approx(truth, rel=0.01)


@pytest.mark.parametrize("step", [0.02, 0.1, 0.2])
def test_the_step_of_the_counter_is_observed(step):
    machine = Machine(Constant(300.0))
    meter = metered(machine, Gpu(step_seconds=step))

    (counter, _) = meter.counts()

    assert counter.resolution_seconds == pytest.approx(step, abs=0.006)


def test_a_counter_that_is_too_slow_to_be_observed_has_a_step_of_half_a_second():
    machine = Machine(Constant(300.0))
    meter = metered(machine, Gpu(step_seconds=0.47, power_error=NOT_SUPPORTED))

    (counter,) = meter.counts()

    assert 0.47 <= counter.resolution_seconds <= 0.5


def test_several_boards_are_observed_at_once():
    machine = Machine(Constant(300.0))
    metered(machine, Gpu(), Gpu(**SECOND), Gpu(**THIRD))

    assert machine.now() == pytest.approx(1000.5, abs=0.01)


def test_a_reset_is_no_energy():
    machine = Machine(Constant(300.0))
    meter = metered(machine, Gpu(reset_at=1015.0))
    run(machine, meter, 5.0)
    before = take(machine, meter)
    run(machine, meter, 20.0)
    energy = take(machine, meter) - before

    assert "reset" in energy.flags()
    assert energy.joules() == pytest.approx(6000.0, rel=0.01)
    assert energy.band()[0] <= 6000.0 <= energy.band()[1]


def test_a_lost_gpu_is_unknown_and_never_zero():
    machine = Machine(Constant(300.0))
    meter = metered(machine, Gpu(lost_at=1012.0))
    before = take(machine, meter)
    run(machine, meter, 20.0)
    energy = take(machine, meter) - before

    assert energy.joules() is None
    assert "lost_device" in energy.flags()
    assert "Device Not found" in energy.headline()[0].reason


@pytest.mark.parametrize("answer", ["N/A", 0, 0xFFFF, True, None])
def test_an_answer_that_is_no_power_is_unreadable(answer):
    machine = Machine(Constant(300.0))
    gpu = Gpu(energy_error=NOT_SUPPORTED)
    library = Library(machine, [gpu])
    meter = amd.open(library=library, clock=machine.now, sleep=machine.advance)
    before = take(machine, meter)
    run(machine, meter, 5.0)
    library.amdsmi_get_power_info = lambda handle: {"current_socket_power": answer}
    energy = take(machine, meter) - before

    assert energy.joules() is None
    assert f"{answer!r} as its current_socket_power" in energy.headline()[0].reason


@pytest.mark.parametrize("cap", [750, 750_000_000])
def test_a_draw_above_twice_the_cap_is_no_energy_whatever_the_unit_of_the_cap(cap):
    machine = Machine(Step(300.0, 50_000.0, at=10.0))
    meter = metered(machine, Gpu(cap=cap))
    before = take(machine, meter)
    run(machine, meter, 12.0)
    energy = take(machine, meter) - before

    assert "gap" in energy.flags()
    assert 9.5 * 290.0 < figure(energy, "amdsmi_counter").joules < 12.0 * 1500.0


def test_every_visible_board_is_counted_once():
    machine = Machine(Constant(300.0))
    meter = metered(machine, Gpu(), Gpu(**SECOND, shape=Constant(200.0)))

    energy, _ = measure(machine, meter, 20.0)

    assert energy.joules("gpu") == pytest.approx(10_000.0, rel=0.01)
    assert len(energy.headline()) == 2


def test_the_two_dies_of_an_mi250_are_one_board():
    machine = Machine(Constant(300.0))
    dies = [Gpu(name="AMD Instinct MI250X"), Gpu(**SECOND, name="AMD Instinct MI250X", silent=True)]
    meter = metered(machine, *dies)

    energy, _ = measure(machine, meter, 20.0)

    (board,) = energy.headline()
    assert board.device == f"{dies[0].device},{dies[1].device}"
    assert energy.joules() == pytest.approx(6000.0, rel=0.01)
    assert energy.flags() == ()


def test_one_die_of_an_mi250_is_all_of_the_board_and_flagged():
    machine = Machine(Constant(300.0))
    dies = [Gpu(name="AMD Instinct MI250X"), Gpu(**SECOND, name="AMD Instinct MI250X", silent=True)]
    meter = metered(machine, *dies, names=(dies[1].uuid,))

    energy, _ = measure(machine, meter, 20.0)

    assert energy.joules() == pytest.approx(6000.0, rel=0.01)
    assert energy.flags() == ("shared_device",)


def test_the_partitions_of_a_board_are_one_board():
    partitions = [Gpu(address=f"0000:0c:00.{place}", hip=place, silent=place > 0) for place in range(4)]

    assert seen(partitions) == [partitions[0].device]


def test_a_board_that_tells_nothing_beside_one_that_does_leaves_the_total_unknown():
    machine = Machine(Constant(300.0))
    silent = Gpu(**SECOND, energy_error=NOT_SUPPORTED, power_error=NOT_SUPPORTED)
    meter = metered(machine, Gpu(), silent)

    energy, _ = measure(machine, meter, 20.0)

    assert energy.joules("gpu") is None
    assert any(
        part.device == silent.device and "Feature not supported" in part.reason for part in energy.domains
    )


@pytest.mark.parametrize(
    "name",
    [
        "9eff74a1-0000-1000-80ee-2fbd1a51c5ac",  # amdsmi
        "GPU-9eff74a1-0000-1000-80ee-2fbd1a51c5ac",  # our records
        "GPU-EEAE2FBD1A51C5AC",  # rocminfo
        "eeae2fbd1a51c5ac",
        "65656165-3266-6264-3161-353163356163",  # torch: the characters of HIP's as bytes
        "0000:0c:00.0",
    ],
)
def test_a_gpu_is_found_by_each_of_its_names(name):
    assert seen([Gpu(), Gpu(**SECOND)], (name,)) == [Gpu().device]


def test_the_gpus_of_others_are_not_amds():
    with pytest.raises(MeterUnavailable, match="None of these GPUs is AMD's") as problem:
        metered(Machine(), names=(NVIDIA,))

    assert Gpu().device in problem.value.remedy


def test_indices_are_hips_and_not_those_of_the_pci_bus():
    first, second = Gpu(hip=1), Gpu(**(SECOND | {"hip": 0}))

    assert seen([first, second], HIP_VISIBLE_DEVICES="0") == [second.device]


def test_without_hips_numbers_the_pci_bus_decides():
    gpus = [Gpu(**SECOND), Gpu()]
    library = Library(Machine(), gpus, enumerates=False)

    (board,) = resolve(library, None, {"HIP_VISIBLE_DEVICES": "0"})

    assert board.device == Gpu().device


@pytest.mark.parametrize(
    ("environ", "places"),
    [
        ({}, [0, 1, 2]),
        ({"HIP_VISIBLE_DEVICES": "2,0"}, [0, 2]),
        ({"CUDA_VISIBLE_DEVICES": "1"}, [1]),
        ({"HIP_VISIBLE_DEVICES": "0", "CUDA_VISIBLE_DEVICES": "1"}, [0]),
        ({"ROCR_VISIBLE_DEVICES": "1,2"}, [1, 2]),
        ({"ROCR_VISIBLE_DEVICES": "1,2", "HIP_VISIBLE_DEVICES": "0"}, [1]),
        ({"ROCR_VISIBLE_DEVICES": "GPU-770e5d3b2a9f10bb"}, [2]),
        ({"HIP_VISIBLE_DEVICES": "0,7,1"}, [0]),
    ],
)
def test_rocms_variables_are_read_as_rocm_does(environ, places):
    gpus = [Gpu(), Gpu(**SECOND), Gpu(**THIRD)]

    assert seen(gpus, **environ) == [gpus[place].device for place in places]


@pytest.mark.parametrize("entries", ["", "-1", "9", NVIDIA])
def test_variables_that_leave_no_gpu_make_the_meter_unavailable(entries, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", entries)

    with pytest.raises(MeterUnavailable, match="No AMD GPU is visible") as problem:
        metered(Machine())

    assert problem.value.device == ""


def test_a_processors_own_gpu_is_left_out_and_the_library_released():
    """Its sensor shows the whole processor, which RAPL counts."""
    library = Library(Machine(), [Gpu(name="AMD Radeon Graphics", memory=VramType.DDR4)])

    with pytest.raises(MeterUnavailable, match="No AMD GPU is visible"):
        amd.open(library=library)

    assert library.users == 0


def test_a_board_of_a_virtual_machine_is_named_as_missing():
    gpu = Gpu(energy_error=NOT_SUPPORTED, power_error=NOT_SUPPORTED)

    with pytest.raises(MeterUnavailable, match="Feature not supported") as problem:
        metered(Machine(), gpu)

    assert problem.value.device == gpu.device


@pytest.mark.parametrize("error", [NO_PERMISSION, DRIVER_NOT_LOADED])
def test_a_library_that_does_not_start_says_why(error):
    with pytest.raises(MeterUnavailable, match="amdsmi does not start") as problem:
        metered(Machine(), init_error=error)

    assert "render" in problem.value.remedy


def test_a_machine_without_the_driver_does_not_even_import_amdsmi(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "amdsmi", SimpleNamespace())  # would fail with another error

    diagnosis = amd.diagnose(driver=tmp_path / "amdgpu")

    assert not diagnosis.works
    assert diagnosis.untested
    assert diagnosis.what == "There is no AMD GPU driver here."


def test_a_machine_without_amdsmi_is_told_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "amdsmi", None)

    diagnosis = amd.diagnose(driver=tmp_path)

    assert "amdsmi is missing" in diagnosis.what
    assert "amd-smi-lib" in diagnosis.remedy


def test_no_gpu_is_measured_if_none_is_asked_for():
    with pytest.raises(MeterUnavailable, match="No GPU is to be measured"):
        metered(Machine(), names=())


def test_the_diagnosis_names_boards_and_sources():
    diagnosis = amd.diagnose(library=Library(Machine(), [Gpu(power_error=NOT_SUPPORTED)]))

    assert diagnosis.works
    assert diagnosis.untested
    assert diagnosis.what == f"AMD Instinct MI300X {Gpu().device}: amdsmi_counter"


def test_the_fingerprint_names_the_board_and_not_its_uuid():
    machine = Machine()
    meter = metered(machine, Gpu())

    hardware = read_hardware([meter])

    assert hardware["gpus"] == [{"name": "AMD Instinct MI300X"}]
    assert name_hardware(hardware).startswith("instinct-mi300x-")
