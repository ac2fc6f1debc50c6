"""The CPU model: its constants against the published sweeps, its figure against its parameters."""

import math
import subprocess
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy.meters import cpu_model
from energy.meters._meter import MeterUnavailable
from energy.meters.cpu_model.power import (
    BUSY_FACTOR,
    FIT_BAND,
    IDLE_FACTOR,
    THREAD_WATTS,
    Processor,
    estimate,
    processor,
    table_watts,
    visible_cpus,
)
from energy.reading import Reading
from tests.simulated import cpu_sweeps

EPYC = Processor("AMD EPYC 8024P 8-Core Processor", 1, 16, virtual=False)


@dataclass
class Clocks:
    """Time and CPU time that only the test moves; stands for the tree of processes too."""

    now: float = 1000.0
    cpu: float = 50.0
    descendants: int = 0

    def seconds(self):
        return self.cpu

    def pids(self):
        return set(range(1 + self.descendants))

    def close(self):
        pass

    def work(self, seconds, cpus):
        self.now += seconds
        self.cpu += seconds * cpus


def metered(power):
    clocks = Clocks()
    return clocks, cpu_model.CpuModel(clocks, power, lambda: clocks.now)


def take(clocks, meter):
    return Reading(clocks.now, meter.counts(), meter.faults())


def window(power, seconds, cpus):
    clocks, meter = metered(power)
    before = take(clocks, meter)
    clocks.work(seconds, cpus)
    return take(clocks, meter) - before


def test_the_constants_are_what_the_sweeps_give():
    idle, busy = cpu_sweeps.fit("line", cpu_sweeps.points())

    assert (round(idle, 3), round(busy, 3)) == (IDLE_FACTOR, BUSY_FACTOR)


def test_the_band_is_what_a_machine_shows_that_the_line_was_not_fitted_to():
    truth = 1 / cpu_sweeps.leave_one_out("line")

    assert FIT_BAND[0] <= truth.min() <= FIT_BAND[0] * 1.02
    assert FIT_BAND[1] * 0.98 <= truth.max() <= FIT_BAND[1]


@pytest.mark.parametrize("form", ["power", "saturating"])
def test_a_concave_form_predicts_an_unseen_machine_no_better_than_the_line(form):
    line, concave = cpu_sweeps.leave_one_out("line"), cpu_sweeps.leave_one_out(form)

    assert cpu_sweeps.scatter(concave) > cpu_sweeps.scatter(line)
    assert concave.max() / concave.min() > line.max() / line.min()


def test_the_line_predicts_unseen_machines_better_than_codecarbons_formula():
    line, codecarbon = cpu_sweeps.leave_one_out("line"), cpu_sweeps.codecarbon()

    assert cpu_sweeps.scatter(line) < 0.65 * cpu_sweeps.scatter(codecarbon)


@pytest.mark.parametrize("point", cpu_sweeps.points(), ids=lambda p: f"{p.machine}-{p.load:.0%}")
def test_the_band_of_the_meter_holds_what_rapl_saw(point):
    cpu = Processor("as published", 1, point.threads, virtual=False)
    power = estimate(cpu, point.tdp_watts, visible_cpus=point.threads)

    energy = window(power, point.seconds, point.load * point.threads)

    assert energy.band()[0] <= point.joules <= energy.band()[1]


def test_the_figure_is_idle_share_plus_cpu_seconds():
    power = estimate(EPYC, 90.0, visible_cpus=4)

    (part,) = window(power, seconds=100.0, cpus=3.0).domains

    assert part.joules == pytest.approx(100 * 0.136 * 90 / 16 * 4 + 300 * 0.570 * 90 / 16)
    assert (part.domain, part.device, part.source) == ("cpu", "machine", "cpu_seconds_model")
    assert (part.kind, part.coverage) == ("modelled", 1.0)


def test_a_stopped_process_is_billed_the_idle_share_only():
    power = estimate(EPYC, 90.0, visible_cpus=16)

    energy = window(power, seconds=3.0, cpus=0.0)

    assert energy.joules() == pytest.approx(3.0 * 0.136 * 90)


@given(st.lists(st.tuples(st.floats(0, 1e4), st.floats(0, 256)), min_size=2, max_size=12))
def test_adjacent_windows_sum_to_the_whole_and_none_is_negative(steps):
    clocks, meter = metered(estimate(EPYC, 90.0, visible_cpus=16))
    readings = [take(clocks, meter)]
    for seconds, cpus in steps:
        clocks.work(seconds, cpus)
        readings.append(take(clocks, meter))
    parts = [(after - before).joules() for before, after in pairwise(readings)]

    assert min(parts) >= 0
    assert sum(parts) == pytest.approx((readings[-1] - readings[0]).joules())


def test_the_record_can_compute_the_figure_again():
    clocks, meter = metered(estimate(EPYC, 90.0, visible_cpus=4))
    clocks.work(10.0, 2.0)
    (count,) = meter.counts()
    model = count.model

    assert count.joules == pytest.approx(model["idle_watts"] * 10 + model["busy_watts"] * 20)
    assert model["idle_watts"] == pytest.approx(
        model["idle_factor"] * model["tdp_watts"] / model["threads"] * model["visible_cpus"]
    )
    assert (model["processor"], model["exponent"], model["band"]) == (EPYC.name, 1.0, list(FIT_BAND))


def test_an_unknown_processor_widens_the_band_by_what_a_thread_may_draw():
    power = estimate(Processor("AMD EPYC", 1, 2, virtual=True), None, visible_cpus=2)

    assert THREAD_WATTS[0] * THREAD_WATTS[1] == pytest.approx(power.thread_watts**2)
    assert power.band[0] * power.thread_watts == pytest.approx(FIT_BAND[0] * THREAD_WATTS[0])
    assert power.band[1] * power.thread_watts == pytest.approx(FIT_BAND[1] * THREAD_WATTS[1])
    assert power.tdp_source.startswith("unknown")


def test_two_virtual_cpus_are_not_billed_the_whole_socket():
    """An EPYC 7763 has 280 W for 128 threads, of which this machine shows two."""
    power = estimate(Processor("AMD EPYC 7763 64-Core Processor", 1, 2, virtual=True), 280.0, 2)
    busy = power.idle_watts + 2 * power.busy_watts
    truth = (IDLE_FACTOR + BUSY_FACTOR) * 280 * 2 / 128

    assert busy < 10
    assert power.band[0] * busy <= truth <= power.band[1] * busy


def test_the_visible_threads_of_a_virtual_machine_have_at_most_the_rated_power():
    power = estimate(Processor("AMD EPYC 7763 64-Core Processor", 1, 96, virtual=True), 280.0, 96)

    assert power.thread_watts_range == (1.4, pytest.approx(280 / 96))


def test_rated_powers_of_the_extremes_are_in_codecarbons_table():
    assert table_watts("AMD EPYC 9754 128-Core Processor") / 256 == pytest.approx(THREAD_WATTS[0], rel=0.01)
    assert table_watts("Intel(R) Xeon(R) CPU E3-1240 V2 @ 3.40GHz") / 8 == pytest.approx(8.6, rel=0.01)


@pytest.mark.parametrize(
    "name", ["Intel(R) Xeon(R) Processor", "AMD EPYC", "QEMU Virtual CPU version 2.5+", ""]
)
def test_a_generic_name_has_no_rated_power(name):
    assert table_watts(name) is None


def test_looking_up_prints_nothing():
    code = "from energy.meters.cpu_model.power import table_watts; table_watts('Intel(R) Xeon(R) Processor')"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, check=True)

    assert (done.stdout, done.stderr) == (b"", b"")


SOCKETS = """processor\t: {0}
model name\t: Intel(R) Xeon(R) CPU E5-2620 v3 @ 2.40GHz
physical id\t: {1}
flags\t\t: fpu vme{2}

"""


@pytest.mark.parametrize(("flag", "virtual"), [("", False), (" hypervisor", True)])
def test_sockets_threads_and_hypervisor_are_read(tmp_path, flag, virtual):
    text = "".join(SOCKETS.format(cpu, cpu // 12, flag) for cpu in range(24))
    (tmp_path / "cpuinfo").write_text(text)

    assert processor(tmp_path / "cpuinfo") == Processor(
        "Intel(R) Xeon(R) CPU E5-2620 v3 @ 2.40GHz", 2, 24, virtual
    )


def test_an_arm_kernel_gives_no_name(tmp_path):
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nFeatures\t: fp asimd\n\nprocessor\t: 1\n")

    assert processor(tmp_path / "cpuinfo") == Processor("", 1, 2, virtual=False)


def test_a_quota_of_any_enclosing_group_limits_the_share(tmp_path, monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(16)))
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("0::/jobs/mine\n")
    (tmp_path / "groups/jobs/mine").mkdir(parents=True)
    (tmp_path / "groups/jobs/mine/cpu.max").write_text("max 100000\n")
    (tmp_path / "groups/jobs/cpu.max").write_text("150000 100000\n")

    assert visible_cpus(tmp_path / "proc", tmp_path / "groups") == 1.5


def test_without_a_quota_the_affinity_counts(tmp_path, monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {3, 5, 7})

    assert visible_cpus(tmp_path, tmp_path) == 3.0


def test_the_uncertainty_of_living_workers_is_stated():
    power = estimate(EPYC, 90.0, visible_cpus=16)
    clocks, meter = metered(power)
    clocks.descendants = 4

    (count,) = meter.counts()

    assert count.edge_joules == pytest.approx(4 * 2 * 0.01 * power.busy_watts)


def test_opened_here_it_counts_and_says_what_it_takes_the_processor_for():
    diagnosis = cpu_model.diagnose()
    meter = cpu_model.open()
    first = meter.counts()[0]
    sum(math.sqrt(n) for n in range(300_000))
    last = meter.counts()[0]
    meter.close()

    assert diagnosis.works
    assert "modelled" in diagnosis.what
    assert 0 <= first.joules < last.joules


def test_closing_leaves_no_descriptor_open_and_no_figure():
    before = len(list(Path("/proc/self/fd").iterdir()))
    meter = cpu_model.open()
    meter.close()
    meter.close()

    assert [(count.joules, count.reason) for count in meter.counts()] == [(None, "the meter is closed")]
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_without_linuxs_process_table_it_is_unavailable(tmp_path):
    with pytest.raises(MeterUnavailable, match="process table") as problem:
        cpu_model.open(proc=tmp_path)

    assert "codecarbon" in problem.value.remedy
