"""The ledger of faults stays short however much goes wrong, and forgets none of what may be missing."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from energy.fault import FLAGS, MOST_FAULTS, OF_THE_WINDOW, Fault, keep
from energy.meters import nvml
from energy.reading import Count, Reading
from tests.simulated.machine import Constant, Machine, run, take
from tests.simulated.nvml import NOT_SUPPORTED, Gpu, Library, Script

SOURCES = ("nvml_counter", "nvml_power")


def fault(kind="gap", at=0.0, seconds=1.0, stake=1.0, source="rapl"):
    return Fault(kind, source, "package-0", at, seconds, stake, "nobody looked")


def kept(faults):
    ledger = []
    for one in faults:
        keep(ledger, one)
    return ledger


def flapping(machine, library, meter, seconds):
    """Fail every third time that the sensors are asked."""
    (gpu,) = library.gpus
    end = machine.now() + seconds
    for turn in itertools.count():
        if machine.now() >= end:
            break
        gpu.scripts = [Script(error=NOT_SUPPORTED)] if turn % 3 == 0 else []
        run(machine, meter, 0.2)
    gpu.scripts = []


def test_a_sensor_that_flaps_for_an_hour_leaves_a_short_ledger():
    machine = Machine(Constant(300.0))
    library = Library(machine, [Gpu()])
    meter = nvml.open(library=library, clock=machine.now, sleep=machine.advance)
    before = take(machine, meter)
    flapping(machine, library, meter, 3600.0)
    run(machine, meter, 1.0)
    energy = take(machine, meter) - before

    assert len(energy.faults) <= MOST_FAULTS * len(SOURCES)
    assert "several, joined" in energy.faults[0].reason
    assert energy.faults[0].at_seconds < before.seconds + 1.0
    assert energy.band()[0] <= 300.0 * energy.seconds <= energy.band()[1]


def test_the_latest_faults_are_kept_as_they_were():
    every = [fault(at=10.0 * number) for number in range(1000)]

    ledger = kept(every)

    assert len(ledger) <= MOST_FAULTS
    assert ledger[-MOST_FAULTS // 2 :] == every[-MOST_FAULTS // 2 :]


def test_what_lasts_for_ever_is_not_joined():
    lost = fault("shared", at=1.0, seconds=0.0)

    ledger = kept([lost, *(fault("shared", at=10.0 * number) for number in range(1, 1000))])

    assert lost in ledger


KINDS = st.sampled_from(sorted(FLAGS.keys() - OF_THE_WINDOW))
FAULTS = st.lists(st.tuples(KINDS, st.floats(0.0, 5.0), st.floats(0.0, 100.0), st.sampled_from(SOURCES)))


@given(FAULTS, st.floats(0.0, 2000.0), st.floats(0.0, 2000.0))
def test_no_window_has_less_at_stake_or_fewer_flags(some, one, other):
    start, end = sorted((one, other))
    every = [
        fault(kind, 10.0 * number, seconds, stake, source)
        for number, (kind, seconds, stake, source) in enumerate(some * 20)
    ]

    whole, short = (window(start, end, faults) for faults in (every, kept(every)))

    assert set(whole.flags()) <= set(short.flags())
    assert whole.band()[1] <= short.band()[1] + 1e-6


def window(start, end, faults):
    def reading(seconds):
        count = Count("cpu", "package-0", SOURCES[0], "measured", 10.0 * seconds, covered_seconds=seconds)
        return Reading(seconds, (count,), tuple(faults))

    return reading(end) - reading(start)
