"""The NVML meter against a simulated board whose energy is known exactly."""

import pytest

from energy.meters import nvml
from energy.meters._meter import MeterUnavailable
from tests.simulated.machine import Constant, Machine, Ramp, Sine, Square, Step, measure, run, take
from tests.simulated.nvml import (
    LIBRARY_NOT_FOUND,
    NO_PERMISSION,
    NOT_SUPPORTED,
    UNINITIALIZED,
    UNKNOWN,
    Gpu,
    Library,
    NVMLError,
    Script,
    preset_gpu,
)
from tests.simulated.sensors import PRESETS, drawn

OTHER = "GPU-91d0c3aa-77de-4a1b-8a0f-3c5d2e4f6071"
SHAPES = {
    "constant": Constant(300.0),
    "step": Step(250.0, 650.0, at=8.37),
    "ramp": Ramp(80.0, 600.0, seconds=45.0),
    "square": Square(150.0, 250.0, period=1.3),
    "sine": Sine(300.0, 200.0, period=3.1, start=4.0, end=30.0),
}


def metered(machine, *gpus):
    return nvml.open(library=Library(machine, list(gpus)), clock=machine.now, sleep=machine.advance)


def figure(energy, source, device=None):
    return next(part for part in energy.domains if part.source == source and device in (None, part.device))


@pytest.mark.parametrize("gain", [0.95, 1.05])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_truth_lies_in_the_band_of_a_board_with_a_gain_error(shape, gain):
    machine = Machine(SHAPES[shape])
    meter = metered(machine, Gpu(gain=gain))

    energy, truth = measure(machine, meter, 60.0)

    assert energy.band()[0] <= truth <= energy.band()[1]


@pytest.mark.parametrize("step", [0.02, 0.1])
@pytest.mark.parametrize("seconds", [10.05, 30.0, 60.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_windows_of_ten_seconds_and_more_are_right_to_one_percent(shape, seconds, step):
    machine = Machine(SHAPES[shape])
    meter = metered(machine, Gpu(step_seconds=step))

    energy, truth = measure(machine, meter, seconds)

    assert energy.joules() == pytest.approx(truth, rel=0.01)


def test_a_window_that_ends_just_after_power_has_jumped_is_wrong_only_with_a_flag():
    """1 % at 10 s holds where the power at the edges is about the mean; the meter knows where it is not."""
    machine = Machine(Step(90.0, 650.0, at=13.66))
    meter = metered(machine, Gpu(step_seconds=0.1))

    energy, truth = measure(machine, meter, 10.05)

    assert energy.joules() != pytest.approx(truth, rel=0.01)
    assert energy.flags() == ("window_too_short",)
    assert energy.band()[0] <= truth <= energy.band()[1]


@pytest.mark.parametrize("seconds", [1.0, 2.5, 5.0])
def test_a_window_that_the_counter_cannot_resolve_is_flagged(seconds):
    machine = Machine()
    meter = metered(machine, Gpu(step_seconds=0.1))

    assert measure(machine, meter, seconds)[0].flags() == ("window_too_short",)


def test_a_counter_that_moves_every_20_ms_resolves_shorter_windows():
    machine = Machine()
    meter = metered(machine, Gpu(step_seconds=0.02))

    assert measure(machine, meter, 2.5)[0].flags() == ()


@pytest.mark.parametrize("step", [0.02, 0.1])
def test_the_step_of_the_counter_is_observed(step):
    machine = Machine()
    meter = metered(machine, Gpu(step_seconds=step))

    (count, _) = meter.counts()

    assert count.resolution_seconds == pytest.approx(step, abs=0.002)


def test_equal_samples_are_real_samples():
    machine = Machine(Constant(300.0))
    meter = metered(machine, Gpu(counter_error=NOT_SUPPORTED))

    energy, _ = measure(machine, meter, 10.0)

    assert energy.joules() == pytest.approx(3000.0)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_board_without_counter_is_measured_by_its_power(shape):
    machine = Machine(SHAPES[shape])
    meter = metered(machine, Gpu(counter_error=NOT_SUPPORTED))

    energy, truth = measure(machine, meter, 30.0)

    assert [part.source for part in energy.headline()] == ["nvml_power"]
    assert energy.band()[0] <= truth <= energy.band()[1]


@pytest.mark.parametrize("phase", [0.0, 0.03, 0.06, 0.09])
def test_pulses_that_fall_between_samples_stay_within_the_band_of_the_integral(phase):
    """Pulses at a fixed distance from the samples are always seen too long, or always too short."""
    machine = Machine(Square(60.0, 600.0, period=1.0, duty=0.25))
    meter = metered(machine, Gpu(counter_error=NOT_SUPPORTED))
    machine.advance(phase)

    energy, truth = measure(machine, meter, 30.0)

    assert energy.band()[0] <= truth <= energy.band()[1]


def test_a_board_without_the_instant_field_is_asked_for_its_power_usage():
    machine = Machine(Constant(300.0))
    meter = metered(machine, Gpu(instant=False, counter_error=NOT_SUPPORTED))

    assert measure(machine, meter, 10.0)[0].joules() == pytest.approx(3000.0)


@pytest.mark.parametrize(
    ("instant", "architecture", "narrow"),
    [(True, 9, True), (False, 9, False), (False, 7, False), (False, 5, True), (False, None, False)],
)
def test_a_power_that_may_be_a_mean_over_a_second_has_a_band_for_it(instant, architecture, narrow):
    """nvmlDeviceGetPowerUsage is one on Ampere and newer; who does not tell the architecture may be that."""
    machine = Machine(Step(100.0, 600.0, at=13.5))
    unknown = [Script("nvmlDeviceGetArchitecture", NOT_SUPPORTED)] if architecture is None else []
    gpu = Gpu(
        instant=instant,
        architecture=architecture,
        scripts=unknown,
        step_seconds=0.02,
        counter_error=NOT_SUPPORTED,
    )

    power = figure(measure(machine, metered(machine, gpu), 10.0)[0], "nvml_power")  # until 0.2 s after it

    assert (power.edge_joules < 100.0) == narrow


def test_a_move_that_is_overdue_widens_the_edge():
    machine = Machine(Constant(300.0))
    meter = metered(machine, Gpu(stuck=(1024.5, 1030.0)))
    run(machine, meter, 3.21)
    before = take(machine, meter)
    run(machine, meter, 22.8)

    energy = take(machine, meter) - before

    assert energy.flags() == ("window_too_short",)
    assert energy.band()[0] <= 300.0 * energy.seconds <= energy.band()[1]


def test_what_has_flowed_since_the_last_move_is_estimated():
    """Half a step is 5 % of this window, and a whole one 10 %."""
    machine = Machine(Constant(300.0))
    meter = metered(machine, Gpu())

    energy, truth = measure(machine, meter, 1.0)

    assert energy.joules() == pytest.approx(truth, rel=0.05)


def test_a_steady_load_leaves_nothing_between_the_samples():
    machine = Machine(Constant(300.0))
    meter = metered(machine, Gpu())

    energy, _ = measure(machine, meter, 30.0, jitter=0.013)

    assert figure(energy, "nvml_counter").sampling_joules < 1.0


def test_a_slow_answer_widens_the_edge():
    machine = Machine(Constant(300.0))
    slow = Script("nvmlDeviceGetTotalEnergyConsumption", slow_seconds=1.5, start=1023.4099, end=1023.5)
    meter = metered(machine, Gpu(scripts=[slow]))
    run(machine, meter, 3.21)
    before = take(machine, meter)
    run(machine, meter, 23.41 + 1000 - machine.now())

    energy = take(machine, meter) - before

    assert energy.seconds > 21.0
    assert energy.flags() == ("window_too_short",)
    assert energy.band()[0] <= 300.0 * energy.seconds <= energy.band()[1]


def test_a_board_that_shows_no_power_is_measured_by_its_counter_alone():
    machine = Machine(Constant(300.0))
    meter = metered(machine, Gpu(power_error=NOT_SUPPORTED))

    energy, truth = measure(machine, meter, 30.0)

    assert [part.source for part in energy.domains] == ["nvml_counter"]
    assert energy.band()[0] <= truth <= energy.band()[1]


def test_a_counter_without_power_knows_its_edges_from_its_own_pace():
    machine = Machine(Constant(300.0))
    meter = metered(machine, Gpu(power_error=NOT_SUPPORTED))

    energy, _ = measure(machine, meter, 2.5)

    assert energy.flags() == ("window_too_short",)


def counting(machine, share):
    """Open a board whose counter shows a share of what it should."""
    library = Library(machine)
    whole = library.nvmlDeviceGetTotalEnergyConsumption
    counter = [None, None]

    def shown(gpu):
        value = whole(gpu)
        if counter[0] is not None:
            counter[1] += round((value - counter[0]) * share)
        else:
            counter[1] = value
        counter[0] = value
        return counter[1]

    library.nvmlDeviceGetTotalEnergyConsumption = shown
    return nvml.open(library=library, clock=machine.now, sleep=machine.advance)


@pytest.mark.parametrize("share", [0.57, 0.8, 1.3, 1.9])
def test_a_counter_and_a_power_that_differ_widen_the_band_to_hold_both(share):
    """Some drivers' counters show 57 % of the power; nobody can say which of the two is right."""
    machine = Machine(Constant(350.0))

    energy, truth = measure(machine, counting(machine, share), 30.0)

    low, high = energy.band()
    assert energy.joules() == pytest.approx(share * truth, rel=0.01)
    assert energy.flags() == ("meters_disagree",)
    assert low <= truth <= high
    assert low <= share * truth <= high


def test_two_readings_that_agree_leave_the_band_as_narrow_as_it_was():
    machine = Machine(Constant(350.0))

    energy, truth = measure(machine, metered(machine, Gpu()), 30.0)

    assert energy.flags() == ()
    assert energy.band()[1] - energy.band()[0] < 0.12 * truth


@pytest.mark.parametrize("share", [0.3, 4.0])
def test_a_counter_far_from_the_power_while_the_meter_is_opened_is_only_a_witness(share):
    machine = Machine(Constant(300.0))
    meter = counting(machine, share)

    energy, truth = measure(machine, meter, 30.0)

    assert energy.joules() == pytest.approx(truth, rel=0.01)
    assert [part.source for part in energy.headline()] == ["nvml_power"]
    assert "only a witness" in meter.gpus[0].describe()


def test_a_counter_that_does_not_move_is_only_a_witness_and_not_zero():
    machine = Machine(Constant(300.0))
    meter = metered(machine, Gpu(stuck=(1000.0, 1e9)))

    energy, truth = measure(machine, meter, 20.0)

    assert energy.joules() == pytest.approx(truth, rel=0.01)
    assert "did not move" in meter.gpus[0].describe()


def test_a_late_poll_is_a_gap_of_the_integral_and_none_of_the_counter():
    machine = Machine(Constant(300.0))
    meter = metered(machine, Gpu())
    before = take(machine, meter)
    run(machine, meter, 10.0)
    machine.advance(5.0)
    run(machine, meter, 15.0)
    energy = take(machine, meter) - before

    counter, power = figure(energy, "nvml_counter"), figure(energy, "nvml_power")

    assert (counter.joules, counter.coverage) == (pytest.approx(9000.0, rel=0.01), pytest.approx(1.0))
    assert (power.joules, power.coverage) == (
        pytest.approx(25 * 300.0, rel=0.02),
        pytest.approx(25 / 30, rel=0.02),
    )
    assert power.band[0] <= 9000.0 <= power.band[1]
    assert [fault.kind for fault in energy.faults] == ["gap"]
    assert energy.flags() == ()


def test_polls_that_are_a_little_late_are_no_gaps():
    machine = Machine(Constant(300.0))
    meter = metered(machine, Gpu())

    energy, truth = measure(machine, meter, 10.0, jitter=0.15)

    assert energy.faults == ()
    assert figure(energy, "nvml_power").joules == pytest.approx(truth)


def test_a_reset_is_a_gap_and_never_negative():
    machine = Machine(Constant(300.0))
    meter = metered(machine, Gpu(reset_at=1010.0))
    before = take(machine, meter)
    run(machine, meter, 30.0)
    energy = take(machine, meter) - before
    truth = 300.0 * energy.seconds

    assert energy.flags() == ("reset",)
    assert energy.joules() == pytest.approx(truth, rel=0.02)
    assert energy.joules() < truth
    assert energy.band()[0] <= truth <= energy.band()[1]


def test_a_jump_that_no_draw_explains_is_no_energy():
    machine = Machine(Constant(300.0))
    library = Library(machine)
    whole = library.nvmlDeviceGetTotalEnergyConsumption
    library.nvmlDeviceGetTotalEnergyConsumption = lambda gpu: (
        whole(gpu) + (50_000_000 if machine.now() > 1010 else 0)
    )
    meter = nvml.open(library=library, clock=machine.now, sleep=machine.advance)
    before = take(machine, meter)
    run(machine, meter, 30.0)
    energy = take(machine, meter) - before

    assert energy.joules() == pytest.approx(9000.0, rel=0.02)
    assert energy.flags() == ("gap",)  # only a fall is a reset


def test_a_gpu_lost_in_the_window_is_unknown_and_the_others_are_not():
    machine = Machine(Constant(300.0))
    meter = metered(machine, Gpu(lost_at=1010.0), Gpu(uuid=OTHER, bus=0x65))
    before = take(machine, meter)
    run(machine, meter, 30.0)
    energy = take(machine, meter) - before

    lost, other = figure(energy, "nvml_counter", Gpu().uuid), figure(energy, "nvml_counter", OTHER)

    assert (lost.joules, lost.band) == (None, None)
    assert "GPU is lost" in lost.reason
    assert "J had been counted in this window" in lost.reason
    assert other.joules == pytest.approx(9000.0, rel=0.01)
    assert energy.joules() is None
    assert "lost_device" in energy.flags()


def test_a_window_before_the_loss_stays_known():
    machine = Machine(Constant(300.0))
    meter = metered(machine, Gpu(lost_at=1040.0))
    before = take(machine, meter)
    run(machine, meter, 30.0)
    after = take(machine, meter)
    run(machine, meter, 30.0)

    assert (after - before).joules() == pytest.approx(9000.0, rel=0.01)
    assert (after - before).flags() == ()
    assert (take(machine, meter) - after).joules() is None


def test_a_stuck_counter_is_unknown_while_it_stands():
    machine = Machine(Constant(300.0))
    meter = metered(machine, Gpu(stuck=(1010.0, 1e9)))
    before = take(machine, meter)
    run(machine, meter, 30.0)

    energy = take(machine, meter) - before

    assert energy.joules() is None
    assert "stood still" in energy.headline()[0].reason


def test_a_counter_that_stood_still_for_a_while_says_so():
    machine = Machine(Constant(300.0))
    meter = metered(machine, Gpu(stuck=(1010.0, 1020.0)))
    before = take(machine, meter)
    run(machine, meter, 30.0)
    energy = take(machine, meter) - before
    truth = 300.0 * energy.seconds

    assert energy.flags() == ("gap", "low_coverage")
    assert energy.band()[0] <= truth <= energy.band()[1]
    assert energy.headline()[0].coverage == pytest.approx(20 / 30, rel=0.02)


def test_a_counter_that_fails_now_and_then_is_asked_again():
    machine = Machine(Constant(300.0))
    gpu = Gpu()
    meter = metered(machine, gpu)
    before = take(machine, meter)
    run(machine, meter, 20.0)
    gpu.failing_reads = 2

    energy = take(machine, meter) - before

    assert energy.joules() == pytest.approx(6000.0, rel=0.01)
    assert energy.flags() == ()


def test_a_counter_that_fails_at_the_end_makes_the_window_unknown():
    machine = Machine(Constant(300.0))
    gpu = Gpu()
    meter = metered(machine, gpu)
    before = take(machine, meter)
    run(machine, meter, 20.0)
    gpu.counter_error = UNKNOWN

    energy = take(machine, meter) - before

    assert energy.joules() is None
    assert "Unknown Error" in energy.headline()[0].reason


def test_zero_watts_are_no_sample():
    machine = Machine(Constant(300.0))
    meter = metered(machine, Gpu(counter_error=NOT_SUPPORTED, zero_watts=(1010.0, 1012.0)))
    before = take(machine, meter)
    run(machine, meter, 30.0)
    energy = take(machine, meter) - before
    truth = 300.0 * energy.seconds

    assert energy.joules() == pytest.approx(28 * 300.0, rel=0.02)
    assert energy.flags() == ("gap", "low_coverage")
    assert energy.band()[0] <= truth <= energy.band()[1]


def test_nvml_shut_down_by_somebody_else_is_started_again():
    machine = Machine(Constant(300.0))
    library = Library(machine)
    meter = nvml.open(library=library, clock=machine.now, sleep=machine.advance)
    before = take(machine, meter)
    run(machine, meter, 10.0)
    library.users = 0
    run(machine, meter, 20.0)

    energy = take(machine, meter) - before

    assert energy.joules() == pytest.approx(9000.0, rel=0.01)


def test_nvml_that_does_not_start_again_leaves_the_figure_unknown():
    machine = Machine(Constant(300.0))
    library = Library(machine)
    meter = nvml.open(library=library, clock=machine.now, sleep=machine.advance)
    before = take(machine, meter)
    library.users, library.init_error = 0, UNINITIALIZED
    run(machine, meter, 20.0)

    energy = take(machine, meter) - before

    assert energy.joules() is None
    assert "does not start again" in energy.headline()[0].reason


def test_a_mig_board_is_measured_whole_and_flagged_as_shared():
    machine = Machine(Constant(300.0))
    meter = metered(machine, Gpu(mig=("MIG-0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0",)))

    energy, _ = measure(machine, meter, 20.0)

    assert energy.joules() == pytest.approx(6000.0, rel=0.01)
    assert energy.flags() == ("shared_device",)


def test_a_missing_driver_is_said_with_a_remedy():
    with pytest.raises(MeterUnavailable, match="Install the NVIDIA driver") as problem:
        nvml.open(library=Library(Machine(), init_error=LIBRARY_NOT_FOUND))

    assert problem.value.reason == "NVML does not start: NVML Shared Library Not Found."


@pytest.mark.parametrize("error", [NOT_SUPPORTED, NO_PERMISSION])
def test_boards_that_tell_nothing_are_unavailable_and_nvml_is_released(error):
    library = Library(Machine(), [Gpu(counter_error=error, power_error=error)])

    with pytest.raises(MeterUnavailable, match=str(NVMLError(error))):
        nvml.open(library=library)

    assert library.users == 0


def test_one_board_that_tells_nothing_keeps_the_total_unknown():
    machine = Machine(Constant(300.0))
    meter = metered(machine, Gpu(), Gpu(uuid=OTHER, counter_error=NOT_SUPPORTED, power_error=NOT_SUPPORTED))

    energy, _ = measure(machine, meter, 20.0)

    assert energy.joules() is None
    assert figure(energy, "nvml_counter", OTHER).reason == (
        "the board tells neither energy nor power: Not Supported"
    )


def test_no_gpus_asked_for_is_no_meter():
    with pytest.raises(MeterUnavailable, match="No GPU is to be measured"):
        nvml.open((), library=Library(Machine()))


def test_diagnosis_names_the_boards_and_what_they_tell():
    diagnosis = nvml.diagnose(library=Library(Machine(), [Gpu(power_error=NOT_SUPPORTED)]))

    assert diagnosis.works
    assert diagnosis.what == f"NVIDIA H200 {Gpu().uuid}: nvml_counter"


def test_diagnosis_of_a_missing_driver_has_the_remedy():
    diagnosis = nvml.diagnose(library=Library(Machine(), init_error=LIBRARY_NOT_FOUND))

    assert not diagnosis.works
    assert "Install the NVIDIA driver" in diagnosis.remedy


# A window's start


@pytest.mark.parametrize("phase", [0.0, 0.031, 0.067, 0.099])
def test_a_window_s_start_waits_for_a_move_at_most_one_step(phase):
    machine = Machine(Constant(300.0))
    meter = metered(machine, Gpu())
    run(machine, meter, 3.21 + phase)
    before = machine.now()

    meter.await_moves()

    (counter, _) = meter.counts()
    assert machine.now() - before <= 0.104
    assert counter.edge_joules <= 300.0 * 0.005


def test_the_wait_makes_the_start_sharp_and_leaves_the_rest():
    """Idle, then work from the start of the window on: without the wait a step is shared by both."""
    shape = Step(60.0, 600.0, at=13.57)
    machine, plain = Machine(shape), Machine(shape)
    waited, unwaited = metered(machine, Gpu()), metered(plain, Gpu())
    run(machine, waited, 13.5 + 1000 - machine.now())
    waited.await_moves()
    before = take(machine, waited)
    run(plain, unwaited, before.seconds - plain.now())
    blurred = take(plain, unwaited)

    assert before.seconds <= 1013.61
    assert before.counts[0].edge_joules < 0.1 * blurred.counts[0].edge_joules
    run(machine, waited, 20.0)
    energy = take(machine, waited) - before
    assert energy.band()[0] <= machine.energy(before.seconds, machine.now()) <= energy.band()[1]


def test_several_boards_are_waited_for_together():
    machine = Machine(Constant(300.0))
    boards = [
        preset_gpu(PRESETS["A100"], drawn(PRESETS["A100"].sensor, n), uuid=f"GPU-{n}", bus=n)
        for n in range(4)
    ]
    meter = metered(machine, *boards)
    run(machine, meter, 3.0)
    before = machine.now()

    meter.await_moves()

    assert machine.now() - before <= 0.104
    assert all(
        count.edge_joules < 0.105 * 330.0 for count in meter.counts() if count.source == "nvml_counter"
    )


def test_a_counter_that_stands_still_is_not_waited_for_longer():
    machine = Machine(Constant(300.0))
    meter = metered(machine, Gpu(stuck=(1003.0, 1e9)))
    run(machine, meter, 4.0)
    before = machine.now()

    meter.await_moves()

    assert machine.now() - before <= 0.106
