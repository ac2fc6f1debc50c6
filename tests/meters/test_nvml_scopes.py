"""What NVML's counter and power are of: the board, or the module that it shares with a CPU."""

import pytest

from energy.meters import nvml
from tests.simulated.machine import Constant, Machine, Sum, measure
from tests.simulated.nvml import NOT_SUPPORTED, Gpu, Library

GPU, CPU, OTHER = Constant(300.0), Constant(150.0), "GPU-91d0c3aa-77de-4a1b-8a0f-3c5d2e4f6071"


def measured(*gpus, seconds=20.0):
    machine = Machine(GPU)
    meter = nvml.open(library=Library(machine, list(gpus)), clock=machine.now, sleep=machine.advance)
    return meter, measure(machine, meter, seconds)[0]


def figures(energy):
    return {
        (part.domain, part.source, part.witness): part.joules and round(part.joules, -2)
        for part in energy.domains
    }


def test_on_a_superchip_the_gpu_s_own_power_is_billed_and_the_module_s_counter_is_a_witness():
    meter, energy = measured(Gpu(name="NVIDIA GH200 480GB", module=CPU))

    assert figures(energy) == {
        ("gpu", "nvml_power", False): 6000.0,
        ("module", "nvml_counter", True): 9000.0,
    }
    assert energy.joules() == pytest.approx(6000.0, rel=0.01)
    assert energy.flags() == ()
    assert "nvml_counter of the module" in meter.gpus[0].describe()


def test_two_gpus_of_one_module_are_each_billed_once_and_the_module_never():
    """GB200: one CPU and two GPUs, each of which shows the module's counter."""
    rest = Sum(CPU, Constant(1500.0))  # far more than twice the limit of one GPU
    _, energy = measured(
        Gpu(name="NVIDIA GB200", module=rest), Gpu(name="NVIDIA GB200", uuid=OTHER, bus=0x65, module=rest)
    )

    assert energy.joules() == pytest.approx(12_000.0, rel=0.01)
    assert [part.joules for part in energy.domains if part.domain == "module"] == [
        pytest.approx(39_000.0, rel=0.01)
    ] * 2


def test_a_counter_of_the_gpu_alone_stays_the_figure_beside_a_power_of_the_module():
    _, energy = measured(Gpu(module=CPU, counts_module=False))

    assert figures(energy) == {("gpu", "nvml_counter", False): 6000.0, ("gpu", "nvml_power", True): 6000.0}


@pytest.mark.parametrize("instant", [True, False])
def test_an_ordinary_board_is_billed_by_its_counter(instant):
    _, energy = measured(Gpu(instant=instant))

    assert figures(energy) == {("gpu", "nvml_counter", False): 6000.0, ("gpu", "nvml_power", True): 6000.0}


def test_a_superchip_that_tells_only_its_module_leaves_the_gpu_unknown():
    """Its usage is the module's as well."""
    _, energy = measured(Gpu(module=CPU, scopes=(1,)))

    assert figures(energy) == {
        ("gpu", "nvml_power", False): None,
        ("module", "nvml_counter", True): 9000.0,
        ("module", "nvml_power", True): 9000.0,
    }
    assert energy.joules() is None
    assert "its module's energy or power only" in energy.headline()[0].reason


def test_a_superchip_without_a_counter_is_billed_by_its_own_power():
    _, energy = measured(Gpu(module=CPU, counter_error=NOT_SUPPORTED))

    assert figures(energy) == {("gpu", "nvml_power", False): 6000.0}


def test_a_gpu_that_was_measured_to_draw_more_than_its_module_disagrees():
    machine = Machine(GPU)
    library = Library(machine, [Gpu(module=CPU)])
    whole = library.nvmlDeviceGetTotalEnergyConsumption
    meter = nvml.open(library=library, clock=machine.now, sleep=machine.advance)
    library.nvmlDeviceGetTotalEnergyConsumption = lambda gpu: (whole(gpu) - 400_000_000) // 2 + 400_000_000

    assert measure(machine, meter, 20.0)[0].flags() == ("meters_disagree",)
