"""The CPU model: what this process tree and the machine are billed, by a law, against hand calculations."""

import math
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy.meters import cpu_model
from energy.meters._meter import MeterUnavailable
from energy.meters.cpu_model import Laws, Share, Signs
from energy.meters.cpu_model.busy import Machine
from energy.meters.cpu_model.law import Law, from_watts
from energy.meters.cpu_model.pmu import NoCountersError
from energy.meters.cpu_model.power import choose_law
from energy.meters.cpu_model.processor import Processor
from energy.reading import Reading
from tests.simulated import cpu_sweeps

EPYC = Processor("AMD EPYC 8024P 8-Core Processor", 1, 16, virtual=False)
# One watt of idle power per thread and five at full load, between a half and twice of which the truth lies.
PLAIN = from_watts("cpu_seconds_model", "by hand", (0.5, 1.0, 2.0), (2.5, 5.0, 10.0))


@dataclass
class World:
    """Time, CPU time and counters that only the test moves; stands for the tree of processes, too."""

    now: float = 1000.0
    cpu: float = 50.0
    busy: float = 7000.0
    descendants: int = 0
    counted: dict = field(default_factory=dict)
    problem: str = ""

    def pids(self):
        return set(range(1 + self.descendants))

    def seconds(self):
        return self.cpu

    def close(self):
        pass

    def counts(self):
        if self.problem:
            raise NoCountersError(self.problem)
        return dict(self.counted)

    def work(self, seconds, cpus, others=0.0, **counted):
        self.now += seconds
        self.cpu += seconds * cpus
        self.busy += seconds * (cpus + others)
        self.counted = {name: self.counted[name] + amount for name, amount in counted.items()} or self.counted


class Everyone:
    """The CPU seconds of all programs of the world."""

    def __init__(self, world):
        self.world = world

    def seconds(self):
        return self.world.busy

    def close(self):
        pass


def metered(law, processor=EPYC, visible=None, pmu=False, others=None):
    world = World(counted=dict.fromkeys(("instructions", "llc_misses"), 1e9) if pmu else {})
    signs = Signs(world, Everyone(world), world if pmu else None)
    share = Share(processor, processor.threads if visible is None else visible)
    return world, cpu_model.CpuModel(signs, Laws(law, others or law), share, lambda: world.now)


def take(world, meter):
    return Reading(world.now, meter.counts(), meter.faults())


def window(law, seconds, cpus, others=0.0, **changes):
    """Return the energy of a window: headline and witness."""
    world, meter = metered(law, **changes)
    before = take(world, meter)
    world.work(seconds, cpus, others)
    return take(world, meter) - before


def parts(energy):
    return {part.boundary: part for part in energy.domains}


def test_the_process_is_billed_its_cpu_seconds_and_the_idle_power_of_its_cpus():
    part = parts(window(PLAIN, seconds=100.0, cpus=3.0, visible=4))["process"]

    assert part.joules == pytest.approx(100 * 4 * 1.0 + 300 * 4.0)
    assert (part.domain, part.device, part.source) == ("cpu", "machine", "cpu_seconds_model")
    assert (part.kind, part.coverage) == ("modelled", 1.0)


def test_the_machine_is_billed_everybodys_cpu_seconds_and_all_idle_power():
    part = parts(window(PLAIN, seconds=100.0, cpus=3.0, others=5.0, visible=4))["machine"]

    assert part.joules == pytest.approx(100 * 16 * 1.0 + 800 * 4.0)


def test_what_others_do_is_not_billed_to_the_process():
    alone, beside = (parts(window(PLAIN, 10.0, 2.0, others=others))["process"] for others in (0.0, 9.0))

    assert alone.joules == beside.joules


def test_the_headline_is_the_process_and_the_machine_a_witness_that_disagrees_with_nothing():
    energy = window(PLAIN, 10.0, 2.0, others=9.0)

    assert energy.boundary == "process"
    assert energy.joules() == parts(energy)["process"].joules
    assert parts(energy)["machine"].witness
    assert energy.disagreement(parts(energy)["machine"]) is None


def test_a_stopped_process_is_billed_the_idle_share_only():
    energy = window(PLAIN, seconds=3.0, cpus=0.0)

    assert energy.joules() == pytest.approx(3.0 * 16)


def test_the_band_is_the_law_at_its_ends():
    part = parts(window(PLAIN, seconds=100.0, cpus=3.0))["process"]
    low, high = (100 * 16 * idle + 300 * (full - idle) for idle, full in ((0.5, 2.5), (2.0, 10.0)))

    assert part.band == pytest.approx((low, high))


@pytest.mark.parametrize("slice_of", [1, 4, 15])
def test_a_slice_of_a_machine_may_have_kept_all_of_it_awake(slice_of):
    """Of 16 threads it may use a few, and has their share of the idle power, or all of it if it is alone."""
    energy = window(PLAIN, seconds=10.0, cpus=slice_of, visible=slice_of)
    alone = window(PLAIN, seconds=10.0, cpus=slice_of, visible=16)

    assert energy.joules() < alone.joules()
    assert energy.band()[0] < energy.joules() < alone.joules() < energy.band()[1]


@pytest.mark.parametrize("slices", [1, 2])
@pytest.mark.parametrize("point", cpu_sweeps.points(), ids=lambda p: f"{p.machine}-{p.mode}-{p.load:.0%}")
def test_the_band_holds_what_rapl_saw_of_the_whole_machine_while_a_slice_of_it_worked(point, slices):
    """The sweep's load, by a process that is held to as many threads as it keeps busy, or to half of them."""
    cpu = Processor("as published", 1, point.threads, virtual=False)
    law = choose_law(cpu, tdp_watts=point.tdp_watts)
    visible = min(point.threads, max(1.0, math.ceil(point.load * point.threads) / slices))

    energy = window(law, point.seconds, point.load * point.threads, processor=cpu, visible=visible)

    assert energy.band()[0] <= point.joules <= energy.band()[1]


@given(st.lists(st.tuples(st.floats(0, 1e4), st.floats(0, 16), st.floats(0, 16)), min_size=2, max_size=12))
def test_adjacent_windows_sum_to_the_whole_and_none_is_negative_or_outside_its_band(steps):
    world, meter = metered(PLAIN)
    readings = [take(world, meter)]
    for seconds, cpus, others in steps:
        world.work(seconds, cpus, others)
        readings.append(take(world, meter))
    windows = [later - earlier for earlier, later in pairwise(readings)]

    for boundary in ("process", "machine"):
        own = [parts(each)[boundary] for each in windows]
        whole = parts(readings[-1] - readings[0])[boundary]
        assert all(0 <= part.band[0] <= part.joules <= part.band[1] + 1e-6 for part in own)
        assert sum(part.joules for part in own) == pytest.approx(whole.joules)
    for each in windows:
        assert parts(each)["process"].joules <= parts(each)["machine"].joules + 1e-6


def test_the_record_can_compute_the_figure_again():
    world, meter = metered(PLAIN, visible=4)
    world.work(10.0, 2.0)
    process, machine = meter.counts()

    for count in (process, machine):
        per_second = count.model["law"]["joules_per"]["cpu_seconds"][1]
        assert count.joules == pytest.approx(count.model["idle_watts"] * 10 + per_second * 20)
    assert process.model["processor"]["name"] == EPYC.name
    assert process.model["law"]["idle_watts_per_thread"] == [0.5, 1.0, 2.0]


LAW_OF_WORK = Law(
    "cpu_work_model",
    "a machine that the test made up",
    (1.0, 1.0, 1.0),
    {"cpu_seconds": (2.0,) * 3, "macs_fp32": (3e-9,) * 3, "bytes_moved": (1e-10,) * 3},
)


def test_a_law_of_work_bills_what_the_measured_code_says_it_has_done():
    world, meter = metered(LAW_OF_WORK, visible=4, others=PLAIN)
    before = take(world, meter)
    meter.tell({"macs_fp32": 1e9, "macs_bf16": 5e9})
    world.work(10.0, 2.0, others=1.0)
    meter.tell({"macs_fp32": 1e9, "bytes_moved": 1e10})
    energy = take(world, meter) - before

    assert meter.wants == {"macs_fp32", "bytes_moved"}
    assert parts(energy)["process"].joules == pytest.approx(10 * 4 + 20 * 2.0 + 2e9 * 3e-9 + 1e10 * 1e-10)
    assert parts(energy)["machine"].joules == pytest.approx(10 * 16 + 20 * 2.0 + 6.0 + 1.0 + 10 * 4.0)
    assert parts(energy)["process"].source == "cpu_work_model"


LAW_OF_COUNTERS = Law(
    "cpu_pmu_model",
    "a machine that the test made up",
    (1.0, 1.0, 1.0),
    {"cpu_seconds": (1.0,) * 3, "instructions": (2e-9,) * 3, "llc_misses": (5e-8,) * 3},
)


def test_a_law_of_counters_bills_instructions_and_misses_since_the_meter_was_opened():
    world, meter = metered(LAW_OF_COUNTERS, others=PLAIN, pmu=True, visible=4)
    before = take(world, meter)
    world.work(10.0, 1.0, instructions=3e9, llc_misses=2e7)
    energy = take(world, meter) - before

    assert energy.joules() == pytest.approx(10 * 4 + 10 * 1.0 + 3e9 * 2e-9 + 2e7 * 5e-8)


def test_two_programs_of_equal_cpu_time_and_other_work_do_not_cost_the_same_by_such_a_law():
    world, meter = metered(LAW_OF_COUNTERS, others=PLAIN, pmu=True, visible=4)
    readings = [take(world, meter)]
    for instructions in (1e9, 3e10):
        world.work(10.0, 1.0, instructions=instructions, llc_misses=0.0)
        readings.append(take(world, meter))
    little, much = (later - earlier for earlier, later in pairwise(readings))

    assert much.joules() > 1.5 * little.joules()


def test_counters_that_others_hold_make_the_figure_unknown_and_not_0():
    world, meter = metered(LAW_OF_COUNTERS, others=PLAIN, pmu=True)
    before = take(world, meter)
    world.problem = "other programs hold all counters of the processor"
    energy = take(world, meter) - before

    assert energy.joules() is None
    assert "other programs hold all counters" in parts(energy)["process"].reason


def test_the_uncertainty_of_living_workers_is_stated():
    world, meter = metered(PLAIN)
    world.descendants = 4

    process, _ = meter.counts()

    assert process.edge_joules == pytest.approx(4 * 2 * 0.01 * 4.0)


def test_the_machines_cpu_seconds_are_those_that_the_kernel_adds_up(tmp_path):
    """proc(5): user nice system idle iowait irq softirq steal guest guest_nice, in ticks of 10 ms."""
    (tmp_path / "stat").write_text("cpu  100 20 30 4000 500 6 7 800 90 10\ncpu0 1 2 3 4\nintr 5\n")
    machine = Machine(tmp_path)

    assert machine.seconds() == pytest.approx((100 + 20 + 30 + 6 + 7) / 100)
    (tmp_path / "stat").write_text("cpu  99 20 30 4000 500 6 7 800 90 10\n")  # tickless sums may go back
    assert machine.seconds() == pytest.approx(1.63)
    machine.close()
    machine.close()


def test_opened_here_it_counts_and_says_what_it_takes_the_processor_for():
    diagnosis = cpu_model.diagnose()
    meter = cpu_model.open()
    first = meter.counts()
    sum(math.sqrt(n) for n in range(300_000))
    last = meter.counts()
    meter.close()

    assert diagnosis.works
    assert "modelled from CPU time" in diagnosis.what
    assert [count.boundary for count in first] == ["process", "machine"]
    assert all(0 <= before.joules < after.joules for before, after in zip(first, last, strict=True))


def test_closing_leaves_no_descriptor_open_and_no_figure():
    before = len(list(Path("/proc/self/fd").iterdir()))
    meter = cpu_model.open()
    meter.close()
    meter.close()

    assert {(count.joules, count.reason) for count in meter.counts()} == {(None, "the meter is closed")}
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_without_linuxs_process_table_it_is_unavailable(tmp_path):
    with pytest.raises(MeterUnavailable, match="process table") as problem:
        cpu_model.open(proc=tmp_path)

    assert "codecarbon" in problem.value.remedy
