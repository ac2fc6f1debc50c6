"""What must hold for whatever a machine draws and whatever goes wrong, judged end to end from the true power.

Hypothesis draws power in pieces, boards with their sensors, moments of reading and of polling, and faults;
the readings come through the NVML meter from the simulated machine.
"""

import itertools
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from energy.meters import nvml
from energy.reading import Reading
from tests.simulated.machine import Machine, Pieces, take
from tests.simulated.nvml import NO_PERMISSION, NOT_SUPPORTED, UNKNOWN, Library, Script, preset_gpu
from tests.simulated.sensors import PRESETS, drawn

OTHER = "GPU-91d0c3aa-77de-4a1b-8a0f-3c5d2e4f6071"
COUNTER = "nvmlDeviceGetTotalEnergyConsumption"
CALLS = ("", COUNTER, "nvmlDeviceGetFieldValues", "nvmlDeviceGetPowerUsage")
thorough = settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)


@st.composite
def pieces(draw, least=30.0, most=280.0):
    """Power in up to eight pieces of up to 6 s."""
    spans = draw(st.lists(st.floats(0.05, 6.0), min_size=0, max_size=8))
    levels = draw(st.lists(st.floats(least, most), min_size=len(spans) + 1, max_size=len(spans) + 1))
    return Pieces((0.0, *itertools.accumulate(spans)), tuple(levels))


@st.composite
def boards(draw, **changes):
    preset = PRESETS[draw(st.sampled_from(sorted(PRESETS)))]
    return preset_gpu(preset, drawn(preset.sensor, draw(st.integers(0, 10**6))), **changes)


# Seconds between one reading and the next.
waits = st.lists(st.floats(0.02, 8.0), min_size=2, max_size=5)
# Seconds between one poll and the next, again and again.
paces = st.lists(st.floats(0.08, 0.2), min_size=1, max_size=7)
late_paces = st.lists(st.floats(0.08, 3.0), min_size=1, max_size=7)


def readings(machine, gpus, waits, paces, phase=0.0):
    """Open the meter, let 1 s pass, and return a reading after each wait, with polls in between."""
    meter = nvml.open(library=Library(machine, gpus), clock=machine.now, sleep=machine.advance)
    pace = itertools.cycle(paces)
    due = machine.now() + phase
    found = []
    for until in itertools.accumulate([1.0, *waits], initial=machine.now()):
        while due < until:
            machine.seconds = max(machine.now(), due)
            meter.poll()
            due += next(pace)
        machine.seconds = max(machine.now(), until)
        found.append(take(machine, meter))
    return found[1:]


def holds(energy, truth):
    low, high = energy.band()
    return low <= truth <= high


@thorough
@given(pieces(), boards(), waits, paces)
def test_no_window_is_negative_and_its_band_holds_its_figure(shape, gpu, waits, paces):
    for before, after in itertools.combinations(readings(Machine(shape), [gpu], waits, paces), 2):
        for part in (after - before).domains:
            assert 0 <= part.band[0] <= part.joules <= part.band[1]


@thorough
@given(pieces(), boards(), waits, paces)
def test_adjacent_windows_sum_to_the_whole(shape, gpu, waits, paces):
    found = readings(Machine(shape), [gpu], waits, paces)

    parts = sum((after - before).joules() for before, after in itertools.pairwise(found))

    assert parts == pytest.approx((found[-1] - found[0]).joules(), abs=1e-6)


@thorough
@given(pieces(), boards(), waits, paces)
def test_an_inner_window_is_at_most_the_outer(shape, gpu, waits, paces):
    found = readings(Machine(shape), [gpu], waits, paces)
    outer = (found[-1] - found[0]).joules()

    for before, after in itertools.combinations(found, 2):
        assert (after - before).joules() <= outer + 1e-6


@thorough
@given(pieces(), boards(), st.floats(5.0, 20.0), paces, st.floats(0.0, 0.1), st.floats(0.0, 0.1))
def test_when_the_polls_fall_moves_a_figure_within_its_band_only(shape, gpu, seconds, paces, one, other):
    first, second = (
        found[-1] - found[0]
        for found in (
            readings(Machine(shape), [replace(gpu)], [0.01, seconds], paces, phase) for phase in (one, other)
        )
    )

    assert first.band()[0] <= second.joules() <= first.band()[1]
    assert second.band()[0] <= first.joules() <= second.band()[1]


@thorough
@given(pieces(), boards(), st.floats(2.0, 20.0), paces)
def test_the_truth_lies_in_the_band_of_every_window_of_two_seconds_and_more(shape, gpu, seconds, paces):
    machine = Machine(shape)
    found = readings(machine, [gpu], [seconds], paces)

    spent = found[-1] - found[0]

    assert holds(spent, machine.energy(found[0].seconds, found[-1].seconds))


@thorough
@given(pieces(), boards(), st.floats(7.0, 20.0), st.floats(0.0, 1.0), st.integers(5, 30))
def test_a_gap_never_raises_the_lower_bound_or_the_figure(shape, gpu, seconds, place, missed):
    """Of a board that is measured by its power: some polls in a row do not take place."""
    gpu = replace(gpu, counter_error=NOT_SUPPORTED)
    machine = Machine(shape)
    polls = [0.1] * round(10 * place * seconds) + [0.1 * missed] + [0.1] * 400
    seen = readings(Machine(shape), [replace(gpu)], [seconds], [0.1])
    found = readings(machine, [replace(gpu)], [seconds], polls)

    whole, holed = seen[-1] - seen[0], found[-1] - found[0]

    # Without samples nobody knows what slipped between them: neither how much, nor that it may be so much.
    slipped = whole.domains[0].sampling_joules
    edges = 2 * abs(whole.domains[0].edge_joules - holed.domains[0].edge_joules)
    assert holed.joules() <= whole.joules() + slipped + 1e-6
    assert holed.band()[0] <= whole.band()[0] + 2 * slipped + edges + 1e-6
    assert holds(holed, machine.energy(found[0].seconds, found[-1].seconds))


@thorough
@given(pieces(), pieces(), boards(), boards(uuid=OTHER, bus=0x65), waits, paces)
def test_adding_a_device_never_lowers_the_total(shape, second_shape, gpu, other, waits, paces):
    other.shape = second_shape
    found = readings(Machine(shape), [gpu, other], waits, paces)

    for before, after in itertools.pairwise(found):
        alone = _only(after, gpu.uuid) - _only(before, gpu.uuid)
        assert (after - before).joules() >= alone.joules()


def _only(reading, uuid):
    return Reading(reading.seconds, tuple(count for count in reading.counts if count.device == uuid))


moments = st.floats(1000.5, 1030.0)
lengths = st.floats(0.05, 12.0)


@st.composite
def troubles(draw):
    """Up to three failing calls, and any of: lost, reset, stuck, 0 W, nobody polls."""
    scripts = []
    for _ in range(draw(st.integers(0, 3))):
        start = draw(moments)
        error = draw(st.sampled_from([NOT_SUPPORTED, NO_PERMISSION, UNKNOWN, None]))
        slow = 0.0 if error else draw(st.floats(0.01, 0.3))
        call = draw(st.sampled_from(CALLS))
        scripts.append(Script(call, error, slow, start, start + draw(lengths)))
    changes = {"scripts": scripts}
    for name in draw(st.sets(st.sampled_from(["lost_at", "reset_at", "stuck", "zero_watts"]), max_size=2)):
        start = draw(moments)
        changes[name] = start if name.endswith("_at") else (start, start + draw(lengths))
    return changes


@settings(thorough, max_examples=150)
@given(pieces(), boards(), troubles(), st.lists(st.floats(2.0, 10.0), min_size=1, max_size=4), late_paces)
def test_whatever_goes_wrong_the_truth_is_in_the_band_or_the_figure_is_flagged_or_unknown(
    shape, gpu, trouble, waits, paces
):
    machine = Machine(shape)
    found = readings(machine, [replace(gpu, **trouble)], waits, paces)

    for before, after in itertools.combinations(found, 2):
        spent, truth = after - before, machine.energy(before.seconds, after.seconds)
        assert spent.joules() is None or spent.flags() or holds(spent, truth)


@settings(thorough, max_examples=150)
@given(pieces(), boards(), troubles(), waits, late_paces)
def test_unknown_never_becomes_zero(shape, gpu, trouble, waits, paces):
    found = readings(Machine(shape), [replace(gpu, **trouble)], waits, paces)

    for before, after in itertools.combinations(found, 2):
        for part in (after - before).domains:
            assert (part.joules is None) == (part.reason is not None)
            assert part.joules is None or part.joules >= 0
            assert part.joules != 0 or part.band[1] > 0
