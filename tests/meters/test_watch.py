"""Finding how often a counter moves."""

import random

import pytest

from energy.meters._counting.watch import STEP_SECONDS, WATCH_SECONDS, Watch, watch
from tests.simulated.machine import Constant, Machine, Square
from tests.simulated.nvml import Library, NVMLError, Script, preset_gpu
from tests.simulated.sensors import PRESETS, drawn

ENERGY = "nvmlDeviceGetTotalEnergyConsumption"


def watched(preset, draw, shape=None, scripts=(), naps=None):
    """Watch the counter of one board, with naps that last longer than asked for."""
    machine = Machine(shape or Constant(250.0), seconds=1003.0 + 0.0137 * draw)
    gpu = preset_gpu(preset, drawn(preset.sensor, draw), scripts=list(scripts))
    library = Library(machine, [gpu])
    library.nvmlInit()

    def ask():
        try:
            return library.nvmlDeviceGetTotalEnergyConsumption(gpu)
        except NVMLError:
            return None

    def sleep(seconds):
        machine.advance(seconds + (naps() if naps else 0.0))

    return observed_step(ask, machine.now, sleep), machine


def observed_step(ask, clock, sleep):
    seen = Watch(ask)
    watch([seen], clock, sleep)
    return seen.step_seconds()


@pytest.mark.parametrize("draw", range(8))
@pytest.mark.parametrize("preset", PRESETS)
def test_the_step_of_every_board_is_found_to_two_milliseconds(preset, draw):
    step, _ = watched(PRESETS[preset], draw)

    assert step == pytest.approx(PRESETS[preset].sensor.period_seconds, abs=0.002)


@pytest.mark.parametrize("draw", range(8))
def test_a_load_that_flickers_changes_nothing(draw):
    step, _ = watched(PRESETS["A100"], draw, Square(60.0, 390.0, 0.013))

    assert step == pytest.approx(0.1, abs=0.002)


@pytest.mark.parametrize("draw", range(8))
@pytest.mark.parametrize("preset", ["V100", "A100"])
def test_one_slow_call_spoils_nothing(preset, draw):
    start = 1003.0 + 0.0137 * draw
    slow = Script(ENERGY, slow_seconds=0.045, start=start + 0.05, end=start + 0.054)

    step, _ = watched(PRESETS[preset], draw, scripts=[slow])

    assert step == pytest.approx(PRESETS[preset].sensor.period_seconds, abs=0.002)


@pytest.mark.parametrize("draw", range(8))
@pytest.mark.parametrize("preset", ["V100", "A100"])
def test_a_busy_machine_never_makes_a_step_look_shorter(preset, draw):
    """Naps of up to 40 ms too long miss moves."""
    nap = random.Random(draw)
    true = PRESETS[preset].sensor.period_seconds

    step, _ = watched(PRESETS[preset], draw, naps=lambda: nap.uniform(0.0, 0.04))

    assert 0.9 * true <= step <= 4 * true


def test_a_counter_that_does_not_move_is_taken_at_its_slowest():
    step, _ = watched(PRESETS["A100"], 0, Constant(0.0))

    assert step >= STEP_SECONDS


def test_watching_ends_in_half_a_second_whatever_happens():
    machine = Machine()

    step = observed_step(lambda: 5.0, machine.now, machine.advance)

    assert machine.now() - 1000.0 == pytest.approx(WATCH_SECONDS, abs=0.01)
    assert step == pytest.approx(WATCH_SECONDS, abs=0.01)


def test_a_counter_that_tells_nothing_is_not_said_to_be_fast():
    machine = Machine()

    assert observed_step(lambda: None, machine.now, machine.advance) >= STEP_SECONDS


def test_a_counter_that_moves_every_second_is_not_taken_for_a_fast_one():
    machine = Machine(seconds=1000.2)

    step = observed_step(lambda: int(machine.now()), machine.now, machine.advance)

    assert step >= 0.49


def test_a_counter_that_fails_now_and_then_is_watched_on():
    fails = [Script(ENERGY, error=3, start=1003.11, end=1003.13)]

    step, _ = watched(PRESETS["V100"], 0, scripts=fails)

    assert step == pytest.approx(0.02, abs=0.002)
