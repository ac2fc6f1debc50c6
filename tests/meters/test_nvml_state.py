"""What the NVML meter says of a board beside its joules: its state, throttling, strangers."""

import json
import os
import subprocess
import sys

import pytest

from energy.meters import nvml
from energy.meters.nvml import state as _gpu_context
from energy.meters.nvml.state import name_reasons
from tests.simulated.machine import Constant, Machine, Ramp, run, take
from tests.simulated.nvml import (
    FUNCTION_NOT_FOUND,
    NO_PERMISSION,
    NOT_SUPPORTED,
    UNKNOWN,
    Gpu,
    Library,
    Script,
)

STRANGER = 2**22 + 1  # above the highest PID that Linux gives (kernel/pid.c, PID_MAX_LIMIT)
EVENT_REASONS = "nvmlDeviceGetCurrentClocksEventReasons"
THROTTLE_REASONS = "nvmlDeviceGetCurrentClocksThrottleReasons"
COMPUTE = "nvmlDeviceGetComputeRunningProcesses"


@pytest.fixture(autouse=True)
def processes_are_seen(monkeypatch):
    """Have the tests mean the same inside a container."""
    monkeypatch.setattr(_gpu_context, "_hidden_processes", lambda: "")


def metered(machine, gpu):
    library = Library(machine, [gpu])
    return nvml.open(library=library, clock=machine.now, sleep=machine.advance), library


def state(gpu, machine=None):
    machine = machine or Machine()
    meter, _ = metered(machine, gpu)
    return meter.context()[gpu.uuid]


def test_the_state_of_a_board_is_told_in_our_units():
    told = state(Gpu(sm_mhz=1755, memory_mhz=2619, utilization_pct=87, used_mib=20_480, celsius=Constant(64)))

    assert told == {
        "name": "NVIDIA H200",
        "temperature_c": 64,
        "sm_clock_mhz": 1755,
        "memory_clock_mhz": 2619,
        "utilization_pct": 87,
        "memory_used_mib": 20_480,
        "power_limit_watts": 700.0,
        "persistence": True,
        "throttle_reasons": [],
        "throttle_reasons_since_open": [],
        "other_processes": 0,
        "unknown": {},
    }
    assert json.loads(json.dumps(told)) == told


def test_the_temperature_is_that_of_the_moment():
    machine = Machine()
    gpu = Gpu(celsius=Ramp(40.0, 80.0, seconds=40.0))
    meter, _ = metered(machine, gpu)
    cool = meter.context()[gpu.uuid]["temperature_c"]
    run(machine, meter, 20.0)

    assert meter.context()[gpu.uuid]["temperature_c"] - cool == 20


CALLS = {
    "temperature_c": "nvmlDeviceGetTemperature",
    "sm_clock_mhz": "nvmlDeviceGetClockInfo",
    "memory_clock_mhz": "nvmlDeviceGetClockInfo",
    "utilization_pct": "nvmlDeviceGetUtilizationRates",
    "memory_used_mib": "nvmlDeviceGetMemoryInfo",
    "power_limit_watts": "nvmlDeviceGetEnforcedPowerLimit",
    "persistence": "nvmlDeviceGetPersistenceMode",
    "other_processes": COMPUTE,
}


@pytest.mark.parametrize("error", [NOT_SUPPORTED, NO_PERMISSION, UNKNOWN])
@pytest.mark.parametrize("key", CALLS)
def test_what_a_board_does_not_tell_is_none_with_the_reason(key, error):
    told = state(Gpu(scripts=[Script(CALLS[key], error)]))

    assert told[key] is None
    assert told["unknown"][key]
    assert all(told[other] is not None for other in CALLS if CALLS[other] != CALLS[key])


def test_a_board_that_tells_no_reasons_is_not_said_to_run_freely():
    told = state(Gpu(scripts=[Script(EVENT_REASONS, NOT_SUPPORTED), Script(THROTTLE_REASONS, NOT_SUPPORTED)]))

    assert (told["throttle_reasons"], told["throttle_reasons_since_open"]) == (None, None)
    assert told["unknown"]["throttle_reasons"] == "Not Supported"


def test_old_drivers_are_asked_for_the_reasons_by_the_old_name():
    gpu = Gpu(scripts=[Script(EVENT_REASONS, FUNCTION_NOT_FOUND)], throttling=[(1000.0, 2000.0, 0x20)])

    assert state(gpu)["throttle_reasons"] == ["sw_thermal_slowdown"]


def test_bits_that_have_no_name_yet_are_told_as_they_are():
    assert name_reasons(0x4 | 0x1000) == ["sw_power_cap", "0x1000"]


@pytest.mark.parametrize(
    ("bit", "word"),
    [
        (0x8, "hw_slowdown"),
        (0x20, "sw_thermal_slowdown"),
        (0x40, "hw_thermal_slowdown"),
        (0x80, "hw_power_brake_slowdown"),
    ],
)
def test_a_slowed_board_is_flagged_and_costs_no_joules(bit, word):
    machine = Machine(Constant(300.0))
    meter, _ = metered(machine, Gpu(throttling=[(1010.0, 1014.5, bit)]))
    before = take(machine, meter)
    run(machine, meter, 30.0)

    energy = take(machine, meter) - before

    (fault,) = energy.faults
    assert (fault.kind, fault.reason, fault.joules_at_stake) == ("throttled", word, 0.0)
    assert fault.at_seconds == pytest.approx(1010.5, abs=0.6)
    assert fault.seconds == pytest.approx(4.5, abs=1.1)
    assert energy.flags() == ("throttled",)
    assert energy.joules() == pytest.approx(9000.0, rel=0.01)


@pytest.mark.parametrize("bit", [0x1, 0x2, 0x4, 0x10, 0x100])
def test_a_power_cap_and_what_else_is_usual_is_told_and_not_flagged(bit):
    machine = Machine()
    gpu = Gpu(throttling=[(1010.0, 1015.0, bit)])
    meter, _ = metered(machine, gpu)
    before = take(machine, meter)
    run(machine, meter, 30.0)
    energy = take(machine, meter) - before

    told = meter.context()[gpu.uuid]

    assert (energy.flags(), energy.faults) == ((), ())
    assert (told["throttle_reasons"], told["throttle_reasons_since_open"]) == ([], name_reasons(bit))


def test_two_episodes_are_two_faults_and_one_episode_gathers_its_reasons():
    machine = Machine()
    meter, _ = metered(
        machine, Gpu(throttling=[(1005.0, 1010.0, 0x8), (1007.0, 1010.0, 0x40), (1020.0, 1022.0, 0x20)])
    )
    run(machine, meter, 30.0)

    reasons = [fault.reason for fault in meter.faults()]

    assert reasons == ["hw_slowdown, hw_thermal_slowdown", "sw_thermal_slowdown"]


def test_a_short_window_between_two_looks_at_a_slowed_board_is_flagged():
    machine = Machine()
    meter, _ = metered(machine, Gpu(throttling=[(1003.0, 1020.0, 0x40)]))
    run(machine, meter, 10.05)
    before = take(machine, meter)
    run(machine, meter, 0.2)

    assert "throttled" in (take(machine, meter) - before).flags()


def test_a_window_after_the_throttling_is_not_flagged():
    machine = Machine()
    meter, _ = metered(machine, Gpu(throttling=[(1003.0, 1005.0, 0x40)]))
    run(machine, meter, 10.0)
    before = take(machine, meter)
    run(machine, meter, 30.0)

    assert (take(machine, meter) - before).flags() == ()


def test_throttling_and_strangers_are_looked_for_once_a_second():
    machine = Machine()
    meter, library = metered(machine, Gpu())
    library.calls.clear()
    run(machine, meter, 60.0)

    assert 55 <= library.calls[EVENT_REASONS] <= 61
    assert library.calls[EVENT_REASONS] == library.calls[COMPUTE]


def test_reading_does_not_look():
    machine = Machine()
    meter, library = metered(machine, Gpu())
    library.calls.clear()
    machine.advance(5.0)
    meter.counts()

    assert set(library.calls) == {"nvmlDeviceGetTotalEnergyConsumption", "nvmlDeviceGetFieldValues"}


@pytest.mark.parametrize("pids", [{"compute_pids": (STRANGER,)}, {"graphics_pids": (STRANGER,)}])
def test_a_stranger_on_the_board_is_counted_and_flagged(pids):
    machine = Machine()
    gpu = Gpu(**pids)
    meter, _ = metered(machine, gpu)
    before = take(machine, meter)
    run(machine, meter, 20.0)
    energy = take(machine, meter) - before

    assert meter.context()[gpu.uuid]["other_processes"] == 1
    assert energy.flags() == ("shared_device",)
    assert {fault.joules_at_stake for fault in energy.faults} == {0.0}


def test_a_stranger_seen_only_at_the_windows_edge_is_flagged_too():
    machine = Machine()
    gpu = Gpu()
    meter, _ = metered(machine, gpu)
    gpu.compute_pids = (STRANGER,)
    meter.context()

    assert [fault.kind for fault in meter.faults()] == ["shared"]


def test_a_process_that_computes_and_draws_is_one():
    assert (
        state(Gpu(compute_pids=(STRANGER,), graphics_pids=(STRANGER, STRANGER + 1)))["other_processes"] == 2
    )


def test_this_process_and_its_children_are_no_strangers():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        told = state(Gpu(compute_pids=(os.getpid(), child.pid)))
    finally:
        child.communicate(b"\n")

    assert told["other_processes"] == 0


def test_processes_that_a_container_hides_are_unknown_and_never_strangers(monkeypatch):
    hidden = "the processes of others are hidden in this container"
    monkeypatch.setattr(_gpu_context, "_hidden_processes", lambda: hidden)
    machine = Machine()
    gpu = Gpu(compute_pids=(STRANGER,))
    meter, _ = metered(machine, gpu)
    told = meter.context()[gpu.uuid]

    assert (told["other_processes"], told["unknown"]) == (None, {"other_processes": hidden})
    assert meter.faults() == ()


def test_a_closed_meter_tells_no_state():
    meter, library = metered(Machine(), Gpu())
    meter.close()
    library.calls.clear()

    assert meter.context() == {}
    assert library.calls == {}
