"""What every meter of sensors keeps, each on simulated hardware whose energy is known exactly.

What is particular to a meter stands in its own file.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

import energy
from energy.meters import Meters, amd, apple, hwmon, jetson, nvml, rapl
from energy.reading import Fault
from tests.simulated import amd as amd_boards
from tests.simulated import apple as chips
from tests.simulated import hwmon as chips_of_hwmon
from tests.simulated import jetson as modules
from tests.simulated import nvml as nvidia_boards
from tests.simulated.machine import Constant, Machine, Ramp, Sine, Square, Step, measure, run, take
from tests.simulated.perf import Events
from tests.simulated.powercap import Powercap, Zone

# Of a device that draws so many watts at most.
SHAPES = {
    "constant": lambda watts: Constant(0.5 * watts),
    "step": lambda watts: Step(0.3 * watts, 0.9 * watts, at=8.37),
    "ramp": lambda watts: Ramp(0.2 * watts, 0.9 * watts, seconds=45.0),
    "square": lambda watts: Square(0.3 * watts, 0.6 * watts, period=1.3),
    "sine": lambda watts: Sine(0.5 * watts, 0.4 * watts, period=3.1, start=4.0, end=30.0),
}


@dataclass
class Rig:
    """An open meter over a machine, and what a test does to its sensors.

    parts: the share of the machine's power that each of its figures is of, by source and device.
    """

    machine: Machine
    meter: Any
    parts: dict[tuple[str, str], float]
    fail: Callable[[], None]
    heal: Callable[[], None]
    is_released: Callable[[], bool]


def amd_rig(root, shape, step_seconds=0.1):
    machine, gpu = Machine(shape(700.0)), amd_boards.Gpu(step_seconds=step_seconds)
    library = amd_boards.Library(machine, [gpu])
    meter = amd.open(library=library, clock=machine.now, sleep=machine.advance)
    parts = {(source, gpu.device): 1.0 for source in ("amdsmi_counter", "amdsmi_power")}
    fail = setting(gpu, energy_error=amd_boards.BUSY)
    return Rig(machine, meter, parts, fail, setting(gpu, energy_error=None), lambda: library.users == 0)


def nvml_rig(root, shape, step_seconds=0.1):
    machine, gpu = Machine(shape(700.0)), nvidia_boards.Gpu(step_seconds=step_seconds)
    library = nvidia_boards.Library(machine, [gpu])
    meter = nvml.open(library=library, clock=machine.now, sleep=machine.advance)
    parts = {(source, gpu.uuid): 1.0 for source in ("nvml_counter", "nvml_power")}
    fail = setting(gpu, counter_error=nvidia_boards.UNKNOWN)
    return Rig(machine, meter, parts, fail, setting(gpu, counter_error=None), lambda: library.users == 0)


def apple_rig(root, shape):
    machine = Machine(shape(60.0))
    chip = chips.Chip(machine)
    meter = apple.open(source=chip, clock=machine.now)
    shares = {"package-0": 0.5, "package-0/dram": 0.1, "apple-gpu": 0.3, "apple-ane": 0.05}
    parts = {("ioreport", device): share for device, share in shares.items()}
    return Rig(
        machine, meter, parts, setting(chip, broken=True), setting(chip, broken=False), lambda: chip.closed
    )


def jetson_rig(root, shape):
    machine = Machine(shape(50.0))
    board = modules.Board(root, machine, modules.AGX_ORIN, "hwmon")
    meter = jetson.open(root=root, clock=board.now)
    shares = {"gpu": 0.5, "cpu": 0.3, "ram": 0.1}
    parts = {
        ("ina3221", count.device): shares[count.domain] for count in meter.counts() if count.domain in shares
    }
    return Rig(machine, meter, parts, None, None, lambda: True)


def hwmon_rig(root, shape):
    machine = Machine(shape(400.0))
    tree = chips_of_hwmon.Tree(root, machine, chips_of_hwmon.grace())
    meter = hwmon.open(root=root, clock=tree.now)
    shares = {"CPU Power Socket 0": 0.3, "SysIO Power Socket 0": 0.1, "memory of Grace Power Socket 0": 0.1}
    parts = {("hwmon", device): share for device, share in shares.items()}
    return Rig(machine, meter, parts, None, None, lambda: True)


def rapl_rig(root, shape):
    machine = Machine(shape(200.0))
    tree = Powercap(root, machine, [Zone("intel-rapl:0", "package-0")])
    meter = rapl.open(root=root, clock=tree.now, sleep=tree.sleep)
    return Rig(
        machine, meter, {("rapl", "package-0"): 1.0}, tree.make_unreadable, tree.make_readable, lambda: True
    )


def perf_rig(root, shape):
    machine = Machine(shape(200.0))
    events = Events(root, machine, packages={0: (0, 0)}, names=("energy-pkg",))
    meter = rapl.open(
        root=root / "none", system=root, kernel=events, clock=machine.now, sleep=machine.advance
    )
    meter.period_seconds = 1.0  # it needs no polls, and takes no harm by them
    read = events.read

    def refuse(descriptor):
        raise OSError(5, "Input/output error")

    parts = {("rapl_perf", "package-0"): 1.0}
    fail, heal = setting(events, read=refuse), setting(events, read=read)
    return Rig(machine, meter, parts, fail, heal, lambda: events.opened == {})


RIGS = {
    "amd": amd_rig,
    "apple": apple_rig,
    "hwmon": hwmon_rig,
    "jetson": jetson_rig,
    "nvml": nvml_rig,
    "rapl, perf": perf_rig,
    "rapl": rapl_rig,
}
FAST = {
    "amd, 10 ms": lambda root, shape: amd_rig(root, shape, 0.01),
    "nvml, 20 ms": lambda root, shape: nvml_rig(root, shape, 0.02),
}
# A minute of files takes seconds to write.
WINDOWS = [
    (name, seconds)
    for name in (*RIGS, *FAST)
    for seconds in (1.0, 2.5, 10.05, 60.0)
    if name not in ("hwmon", "jetson") or (seconds < 60.0 and (name, seconds) != ("hwmon", 10.05))
]
FAILING = [name for name in RIGS if name not in ("hwmon", "jetson")]  # whose sensors fail one by one


def setting(thing, **values):
    """Return what sets these attributes."""

    def do():
        for name, value in values.items():
            setattr(thing, name, value)

    return do


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch):
    for variable in ("ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture(params=RIGS)
def rig(request, tmp_path):
    return RIGS[request.param](tmp_path, SHAPES["constant"])


@pytest.mark.parametrize(("name", "seconds"), WINDOWS)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_truth_lies_in_the_band_of_every_figure(tmp_path, name, shape, seconds):
    rig = (RIGS | FAST)[name](tmp_path, SHAPES[shape])

    energy, truth = measure(rig.machine, rig.meter, seconds, settle_seconds=8.0)

    figures = {(part.source, part.device): part for part in energy.domains}
    for key, share in rig.parts.items():
        low, high = figures[key].band
        assert low <= share * truth <= high, key


@pytest.mark.parametrize("name", FAILING)
def test_attempts_that_fail_cost_nothing_once_the_next_is_good_and_stand_on_record(tmp_path, name):
    rig = RIGS[name](tmp_path, SHAPES["constant"])
    run(rig.machine, rig.meter, 8.0)
    before = take(rig.machine, rig.meter)
    run(rig.machine, rig.meter, 50.0)
    rig.fail()
    run(rig.machine, rig.meter, 1.0)
    unknown = take(rig.machine, rig.meter) - before
    rig.heal()
    run(rig.machine, rig.meter, 149.0)
    energy = take(rig.machine, rig.meter) - before

    assert unknown.joules() is None
    truth = rig.machine.energy(before.seconds, before.seconds + energy.seconds)
    headline = {(part.source, part.device) for part in energy.headline()}
    assert energy.joules() == pytest.approx(truth * sum(rig.parts[key] for key in headline), rel=0.02)
    assert {fault.kind for fault in energy.faults} == {"unreadable"}
    assert {fault.joules_at_stake for fault in energy.faults} == {0.0}


def test_a_meter_that_was_closed_twice_has_given_back_once_what_it_took_and_has_no_figure(rig):
    rig.meter.close()
    rig.meter.close()

    assert rig.is_released()
    assert {(count.joules, count.reason) for count in rig.meter.counts()} == {(None, "the meter is closed")}


def test_a_fault_that_somebody_else_observed_is_among_a_meter_s_own(rig):
    fault = Fault("unreadable", rig.meter.name, "", rig.machine.now(), 0.0, 0.0, "told so by the test")

    rig.meter.note(fault)

    assert rig.meter.faults()[-1] == fault


def test_an_error_inside_a_reading_is_an_unknown_count_and_a_fault_and_leaves_nobody_s_code(rig, monkeypatch):
    """An OSError of one meter was seen to leave through the training that was measured."""
    with Meters([rig.meter]) as meters:
        before = energy.read(meters)
        with monkeypatch.context() as broken:
            broken.setattr(rig.meter, "counts", _fail)
            during = energy.read(meters)
        rig.machine.advance(0.1)
        after = energy.read(meters)

    assert {count.key for count in during.counts} == {count.key for count in before.counts}
    assert all(count.joules is None and "Input/output error" in count.reason for count in during.counts)
    assert (during - before).joules() is None
    assert (after - before).joules() is not None
    assert {fault.kind for fault in after.faults if "Input/output error" in fault.reason} == {"unreadable"}


def _fail():
    raise OSError(5, "Input/output error")
