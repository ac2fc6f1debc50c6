"""RAPL as perf events, against simulated ones, and the system call against a real one."""

import errno
import os
import re
import sys
import time
from pathlib import Path

import pytest

from energy.meters import rapl
from energy.meters._counting.perf_event import open_perf_event
from energy.meters._meter import MeterUnavailable
from energy.meters.rapl.events import ALL_PROCESSES, cpus
from tests.simulated.machine import Constant, Machine, Ramp, Square, Step, take
from tests.simulated.perf import Events
from tests.simulated.powercap import Powercap

SHAPES = {
    "constant": Constant(120.0),
    "step": Step(40.0, 180.0, at=8.37),
    "ramp": Ramp(20.0, 200.0, seconds=45.0),
    "square": Square(50.0, 150.0, period=1.3),
}


def metered(root, shape=SHAPES["constant"], **changes):
    machine = Machine(shape)
    events = Events(root, machine, **changes)
    return machine, events, opened(root, machine, events, sleep=lambda seconds: None)


def opened(root, machine, events, sleep):
    powercap = root / "sys/class/powercap"
    return rapl.open(root=powercap, system=root, kernel=events, clock=machine.now, sleep=sleep)


def diagnosis(root, events):
    return rapl.diagnose(root=root / "sys/class/powercap", system=root, kernel=events)


def window(machine, meter, seconds):
    machine.advance(3.21)
    before = take(machine, meter)
    machine.advance(seconds)
    return take(machine, meter) - before


@pytest.mark.parametrize("seconds", [1.0, 10.05, 60.0, 7200.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_truth_lies_in_the_band_without_any_polling(tmp_path, shape, seconds):
    """Two hours at 120 W are 864 kJ: the 32 bits behind the count wrap three times, the count does not."""
    machine, _, meter = metered(tmp_path, SHAPES[shape], packages={0: (0, 0)}, names=("energy-pkg",))

    energy = window(machine, meter, seconds)
    truth = machine.energy(1003.21, 1003.21 + seconds)

    assert meter.period_seconds is None
    assert energy.joules() == pytest.approx(truth, rel=1e-6)
    assert energy.band()[0] <= truth <= energy.band()[1]
    assert energy.flags() == ()


def test_a_short_window_right_after_opening_has_uncertain_edges_too(tmp_path):
    machine = Machine(SHAPES["constant"])
    meter = opened(tmp_path, machine, Events(tmp_path, machine), sleep=machine.advance)

    before = take(machine, meter)
    machine.advance(0.0015)
    energy = take(machine, meter) - before

    assert min(part.edge_joules for part in energy.domains) > 0
    assert energy.flags() == ("window_too_short",)


def test_packages_and_their_memory_count_and_nothing_that_overlaps_them(tmp_path):
    machine, _, meter = metered(tmp_path)

    energy = window(machine, meter, 20.0)

    assert {(part.domain, part.device): round(part.joules) for part in energy.domains} == {
        ("cpu", "package-0"): 2400,
        ("cpu", "package-1"): 2400,
        ("ram", "package-0/dram"): 200,
        ("ram", "package-1/dram"): 200,
    }
    assert {(part.source, part.kind) for part in energy.domains} == {("rapl_perf", "measured")}


def test_devices_have_the_names_that_powercap_gives_them(tmp_path):
    """CPU 18 is of package 0 here: numbers of CPUs do not follow those of packages."""
    _, events, meter = metered(tmp_path, packages={0: (1, 0), 18: (0, 0)}, names=("energy-pkg",))

    assert [count.device for count in meter.counts()] == ["package-1", "package-0"]
    assert [cpu for _, cpu, _ in events.opened.values()] == [0, 18]


def test_intels_dies_have_a_counter_each(tmp_path):
    _, _, meter = metered(tmp_path, packages={0: (0, 0), 24: (0, 1)}, names=("energy-pkg",))

    assert [count.device for count in meter.counts()] == ["package-0-die-0", "package-0-die-1"]


def test_amds_package_counts_once_however_many_dies_show_it(tmp_path):
    packages = {8 * n: (n // 4, n) for n in range(8)}
    machine, _, meter = metered(tmp_path, packages=packages, names=("energy-pkg",), vendor="AuthenticAMD")

    energy = window(machine, meter, 20.0)

    assert [part.device for part in energy.domains] == ["package-0", "package-1"]
    assert energy.joules() == pytest.approx(2 * 2400.0)


def test_a_list_of_cpus_is_read():
    assert cpus("0,18\n") == [0, 18]
    assert cpus("0-2,64") == [0, 1, 2, 64]


def test_where_powercaps_files_are_open_they_are_read(tmp_path):
    (tmp_path / "sys/class/powercap").mkdir(parents=True)
    Powercap(tmp_path / "sys/class/powercap", Machine())

    _, events, meter = metered(tmp_path)

    assert {count.source for count in meter.counts()} == {"rapl"}
    assert events.opened == {}


def test_where_they_are_closed_the_events_are(tmp_path, monkeypatch):
    (tmp_path / "sys/class/powercap").mkdir(parents=True)
    Powercap(tmp_path / "sys/class/powercap", Machine())

    def refuse(path, flags):  # tests may run as root, whom modes do not stop
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "open", refuse)
    machine, _, meter = metered(tmp_path, names=("energy-pkg",))

    energy = window(machine, meter, 20.0)

    assert {part.source for part in energy.domains} == {"rapl_perf"}
    assert energy.joules() == pytest.approx(2 * 2400.0)


def test_closed_files_and_closed_events_come_with_the_commands_for_either(tmp_path, monkeypatch):
    (tmp_path / "sys/class/powercap").mkdir(parents=True)
    Powercap(tmp_path / "sys/class/powercap", Machine())
    events = Events(tmp_path, Machine(), refusal=PermissionError(errno.EACCES, "Permission denied"))

    def refuse(path, flags):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "open", refuse)
    found = diagnosis(tmp_path, events)

    assert found.remedy.startswith(f"`sudo chmod a+r {tmp_path}/sys/class/powercap/intel-rapl:0/energy_uj`")
    assert "Or `sudo sysctl kernel.perf_event_paranoid=0`" in found.remedy


@pytest.mark.parametrize("code", [errno.EACCES, errno.EPERM])
def test_refusal_comes_with_the_commands_that_end_it(tmp_path, code):
    events = Events(tmp_path, Machine(), refusal=OSError(code, os.strerror(code)))

    found = diagnosis(tmp_path, events)

    assert not found.works
    assert f"perf events cannot be had either ([Errno {code}]" in found.what
    assert "`sudo sysctl kernel.perf_event_paranoid=0`" in found.remedy
    assert f"`sudo setcap cap_perfmon+ep {Path(sys.executable).resolve()}`" in found.remedy


def test_refusal_in_a_container_comes_with_its_capability(tmp_path):
    events = Events(tmp_path, Machine(), refusal=PermissionError(errno.EPERM, "Operation not permitted"))
    (tmp_path / ".dockerenv").write_text("")

    assert "`--cap-add=PERFMON`" in diagnosis(tmp_path, events).remedy


def test_a_refusal_half_way_leaves_nothing_open(tmp_path):
    class HalfOpen(Events):
        def open(self, kind, config, cpu):
            if self.opened:
                raise OSError(errno.ENODEV, "No such device")
            return super().open(kind, config, cpu)

    events = HalfOpen(tmp_path, Machine())

    with pytest.raises(MeterUnavailable, match="No such device"):
        rapl.open(root=tmp_path / "none", system=tmp_path, kernel=events)
    assert events.opened == {}


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("events/energy-pkg", "event=0x02,umask=1"),
        ("events/energy-pkg.unit", "Watts"),
        ("events/energy-pkg.scale", "none"),
        ("type", ""),
        ("cpumask", "all"),
    ],
)
def test_an_event_described_otherwise_is_not_guessed_at(tmp_path, file, text):
    events = Events(tmp_path, Machine())
    (tmp_path / "sys/bus/event_source/devices/power" / file).write_text(text)

    with pytest.raises(MeterUnavailable, match=re.escape(f"{file} says {text!r}")):
        rapl.open(root=tmp_path / "none", system=tmp_path, kernel=events)


def test_a_cpu_without_a_place_is_no_crash(tmp_path):
    events = Events(tmp_path, Machine())
    (tmp_path / "sys/devices/system/cpu/cpu18/topology/physical_package_id").unlink()

    with pytest.raises(MeterUnavailable, match="physical_package_id"):
        rapl.open(root=tmp_path / "none", system=tmp_path, kernel=events)


def test_an_event_that_the_kernel_gives_up_is_lost_and_never_zero(tmp_path):
    machine, _, meter = metered(tmp_path, names=("energy-pkg",), given_up_at=1010.0)

    energy = window(machine, meter, 20.0)

    assert energy.joules() is None
    assert "lost_device" in energy.flags()


def test_a_count_that_stands_still_is_unknown_not_zero(tmp_path):
    machine, _, meter = metered(tmp_path, Constant(0.0), names=("energy-pkg",))

    assert window(machine, meter, 10.0).joules() is None


def test_diagnosis_names_the_events(tmp_path):
    events = Events(tmp_path, Machine())

    found = diagnosis(tmp_path, events)

    assert found.works
    assert "cpu: package-0" in found.what
    assert "ram: package-1/dram" in found.what
    assert "perf events" in found.what
    assert events.opened == {}


def test_a_machine_whose_system_call_is_unknown_is_told_so(monkeypatch):
    monkeypatch.setattr("platform.machine", lambda: "riscv64")

    with pytest.raises(ValueError, match="riscv64"):
        open_perf_event(1, 0, thread=ALL_PROCESSES, cpu=0)


def cpu_clock():
    """Open the kernel's own clock (PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK): energy needs hardware."""
    try:
        cpu = min(os.sched_getaffinity(0))
        return open_perf_event(1, 0, thread=ALL_PROCESSES, cpu=cpu)
    except OSError as problem:
        return problem


def test_the_system_call_opens_a_real_event_or_is_refused_by_name():
    opened = cpu_clock()
    if isinstance(opened, OSError):
        assert opened.errno in (errno.EACCES, errno.EPERM, errno.ENOSYS)
        assert "perf_event_open" in str(opened)
    else:
        time.sleep(0.01)
        nanoseconds = int.from_bytes(os.read(opened, 8), sys.byteorder)
        os.close(opened)

        assert nanoseconds >= 10_000_000
