"""The watch over the clocks: closed-form times, and one process that is really stopped."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from energy.meters._watch.clocks import ClockWatch, Instant


@dataclass
class Clocks:
    """Clocks that only move when told to; the wall clock's origin is a long time ago."""

    monotonic: float = 1000.0
    boot: float | None = 5000.0
    wall: float = 1.7e9
    main_cpu: float | None = 3.0
    switches: int | None = 100  # of the polling thread
    spread: float = 0.0

    def __call__(self):
        return Instant(self.monotonic, self.boot, self.wall, self.main_cpu, self.spread)

    def wait(self, seconds):
        """Let another thread keep the interpreter's lock without computing, as a call into C may."""
        self.run(seconds)
        if self.switches is not None:
            self.switches += round(seconds / sys.getswitchinterval())

    def run(self, seconds, computing=0.0):
        """Let time pass in which the main thread computes for a share (0 to 1) of it."""
        self.monotonic += seconds
        self.wall += seconds
        self.boot = None if self.boot is None else self.boot + seconds
        self.main_cpu = None if self.main_cpu is None else self.main_cpu + computing * seconds

    def suspend(self, seconds):
        self.boot = None if self.boot is None else self.boot + seconds
        self.wall += seconds


def watched(**changes):
    """Return clocks and a watch of them that has been polled for 10 s."""
    instant = Clocks(**changes)
    watch = ClockWatch(0.5, instant, lambda thread: instant.switches)
    poll_for(watch, instant, 10.0)
    return instant, watch


def poll_for(watch, instant, seconds, computing=0.0):
    for _ in range(round(seconds / 0.5)):
        instant.run(0.5, computing)
        watch.poll()


def kinds(watch):
    return [fault.kind for fault in watch.faults()]


def test_nothing_speaks_against_an_undisturbed_hour():
    instant, watch = watched()

    poll_for(watch, instant, 3600.0)

    assert watch.faults() == ()
    assert watch.unknown is None


def test_a_suspended_machine_is_told_between_which_polls_and_for_how_long():
    instant, watch = watched()

    instant.suspend(3600.0)
    poll_for(watch, instant, 10.0)

    (fault,) = watch.faults()
    assert (fault.kind, fault.source, fault.device, fault.joules_at_stake) == ("suspend", "clock", "", 0.0)
    assert (fault.at_seconds, fault.seconds) == (pytest.approx(1010.0), pytest.approx(0.5))
    assert fault.reason == "the machine was suspended for 3600.0 s"


def test_a_window_after_the_suspend_is_not_blamed_for_it():
    instant, watch = watched()
    instant.suspend(3600.0)
    poll_for(watch, instant, 10.0)

    (fault,) = watch.faults()

    assert fault.touches(1010.2, 1015.0)
    assert not fault.touches(1011.0, 1015.0)


@pytest.mark.parametrize("step", [-3600.0, -0.2, 0.2, 86400.0])
def test_a_wall_clock_that_was_set_is_told_with_its_sign(step):
    instant, watch = watched()

    instant.wall += step
    poll_for(watch, instant, 10.0)

    (fault,) = watch.faults()
    assert (fault.kind, fault.source, fault.joules_at_stake) == ("clock_step", "clock", 0.0)
    assert fault.reason == f"the wall clock went {step:+.1f} s"


def test_a_clock_that_is_slewed_is_not_set():
    instant, watch = watched(boot=None)

    for _ in range(7200):
        instant.wall += 5e-4 * 0.5
        poll_for(watch, instant, 0.5)

    assert watch.faults() == ()


def test_a_machine_suspended_while_its_clock_is_set_has_both_faults():
    instant, watch = watched()

    instant.suspend(60.0)
    instant.wall -= 30.0
    poll_for(watch, instant, 0.5)

    assert kinds(watch) == ["suspend", "clock_step"]
    assert [fault.reason for fault in watch.faults()] == [
        "the machine was suspended for 60.0 s",
        "the wall clock went -30.0 s",
    ]


@pytest.mark.parametrize("looks", ["poll", "look"])
def test_a_process_that_stood_still_is_told_by_the_first_that_looks(looks):
    instant, watch = watched()

    instant.run(3.2)
    getattr(watch, looks)()
    poll_for(watch, instant, 10.0)

    (fault,) = watch.faults()
    assert (fault.kind, fault.source, fault.joules_at_stake) == ("paused", "clock", 0.0)
    assert (fault.at_seconds, fault.seconds) == (pytest.approx(1010.0), pytest.approx(3.2))
    assert "stood still" in fault.reason


@pytest.mark.parametrize("computing", [0.0, 1.0])
@pytest.mark.parametrize("after_poll", [0.0, 0.2, 0.49])
def test_every_stop_of_a_second_and_a_half_is_seen(after_poll, computing):
    instant, watch = watched()

    instant.run(after_poll, computing)
    instant.run(1.52)
    watch.poll()

    assert kinds(watch) == ["paused"]


def test_a_poll_that_is_only_a_little_late_is_no_pause():
    instant, watch = watched()

    instant.run(1.45)
    watch.poll()

    assert watch.faults() == ()


def test_a_main_thread_that_computes_and_keeps_the_interpreter_to_itself_is_no_pause():
    instant, watch = watched()

    instant.run(0.49)
    instant.run(20.0, computing=1.0)
    watch.poll()

    assert watch.faults() == ()


def test_a_process_that_gets_a_tenth_of_a_cpu_stands_still():
    instant, watch = watched()

    instant.run(20.0, computing=0.1)
    watch.poll()

    assert kinds(watch) == ["paused"]


def test_where_the_main_thread_s_time_is_unknown_a_late_poll_is_a_pause():
    instant, watch = watched(main_cpu=None)

    instant.run(3.0)
    watch.poll()

    assert kinds(watch) == ["paused"]


def test_a_sampler_that_hangs_while_the_process_goes_on_reading_is_no_pause():
    instant, watch = watched()

    for _ in range(100):
        instant.run(0.1)
        watch.look()

    assert watch.faults() == ()


def test_where_nobody_polls_readings_far_apart_are_no_pause():
    instant = Clocks()
    watch = ClockWatch(0.5, instant)

    instant.run(600.0)
    watch.look()
    instant.run(600.0)
    watch.look()

    assert watch.faults() == ()


@pytest.mark.parametrize("looks", ["poll", "look"])
@pytest.mark.parametrize("main_cpu", [3.0, None])
@pytest.mark.parametrize("held", [1.6, 2.6, 60.0])
def test_a_thread_that_keeps_the_interpreter_to_itself_is_no_pause(held, main_cpu, looks):
    """A call into C that does not let go of the lock, in whatever thread, computing or waiting."""
    instant, watch = watched(main_cpu=main_cpu)

    instant.run(0.4)
    instant.wait(held)
    getattr(watch, looks)()
    poll_for(watch, instant, 5.0)

    assert watch.faults() == ()


@pytest.mark.parametrize("stopped", [3.0, 3600.0])
def test_a_stop_while_a_thread_keeps_the_interpreter_to_itself_is_a_pause(stopped):
    instant, watch = watched()

    instant.wait(1.0)
    instant.run(stopped)
    watch.poll()

    assert kinds(watch) == ["paused"]


def test_where_the_kernel_counts_no_switches_a_late_poll_is_a_pause():
    instant, watch = watched(switches=None)

    instant.wait(3.0)
    watch.poll()

    assert kinds(watch) == ["paused"]


def test_many_pauses_are_few_faults_and_none_is_forgotten():
    instant, watch = watched()

    for _ in range(1000):
        instant.run(5.0)
        watch.poll()

    assert len(watch.faults()) <= 100
    assert all(any(fault.touches(at, at) for fault in watch.faults()) for at in range(1011, 6010, 7))


def test_without_a_boot_clock_a_suspend_is_unknown_and_said_to_be():
    instant, watch = watched(boot=None)

    instant.suspend(3600.0)
    poll_for(watch, instant, 0.5)

    (fault,) = watch.faults()
    assert "no CLOCK_BOOTTIME" in watch.unknown
    assert (fault.kind, fault.reason) == (
        "clock_step",
        "the wall clock went +3600.0 s (set, or the machine was suspended)",
    )


def test_clocks_that_were_read_with_an_interruption_may_be_apart_by_it():
    """A stop of 3 s between the wall clock and the monotonic clock is no step of 3 s."""
    instant, watch = watched()

    instant.monotonic += 3.0
    instant.boot += 3.0
    instant.spread = 3.0
    watch.look()
    instant.wall += 3.0
    watch.look()

    assert kinds(watch) == ["paused"]


def test_the_real_clocks_agree_with_each_other():
    watch = ClockWatch()

    time.sleep(0.2)
    watch.look()

    assert watch.faults() == ()
    assert watch.unknown is None or sys.platform != "linux"


STOPPED = """
import sys, time
from energy.meters._watch.clocks import ClockWatch
from energy.meters._watch.sampler import Sampler

class Meter:
    name, period_seconds, closed = "fake", 0.1, False
    def poll(self): pass
    def counts(self): return ()

watch = ClockWatch()
sampler = Sampler([Meter()], [(watch.poll, 0.5)])
sampler.start()
time.sleep(0.6)
print("ready", flush=True)
end = time.monotonic() + 30.0
while not watch.faults() and time.monotonic() < end:
    {work}
watch.look()
for fault in watch.faults():
    print(fault.kind, fault.seconds)
"""


HOLDING = """
import ctypes, threading, time
import energy.meters._watch.clocks as clocks
from energy.meters._watch.sampler import Sampler

class Meter:
    name, period_seconds, closed = "fake", 0.1, False
    def poll(self): pass
    def counts(self): return ()

watch = clocks.ClockWatch()
sampler = Sampler([Meter()], [(watch.poll, 0.5)])
sampler.start()
time.sleep(0.7)
sleep_with_the_lock = ctypes.PyDLL(None).usleep
thread = threading.Thread(target=sleep_with_the_lock, args=(2_600_000,))
thread.start()
thread.join()
watch.look()
time.sleep(0.7)
sampler.stop()
print([fault.kind for fault in watch.faults()])
"""


@pytest.mark.slow  # the rule stands above, on clocks that are moved; this holds the kernel and CPython to it
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts the switches of a thread")
def test_a_real_thread_that_keeps_the_interpreter_for_2_6_seconds_is_no_pause():
    said = subprocess.run(
        [sys.executable, "-c", HOLDING],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        check=True,
    )

    assert said.stdout == "[]\n"


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="this system cannot stop a process")
@pytest.mark.parametrize(
    "work",
    [
        pytest.param("time.sleep(0.05)", id="waiting"),
        pytest.param("sum(range(10000))", id="computing"),
    ],
)
@pytest.mark.slow  # the rule stands above, on clocks that are moved
def test_a_process_that_was_stopped_for_3_seconds_knows(work):
    process = subprocess.Popen(
        [sys.executable, "-c", STOPPED.format(work=work)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout.readline() == "ready\n"

    os.kill(process.pid, signal.SIGSTOP)
    time.sleep(3.0)
    os.kill(process.pid, signal.SIGCONT)
    said, _ = process.communicate(timeout=60.0)

    assert process.returncode == 0
    kind, seconds = said.splitlines()[0].split()
    assert kind == "paused"
    assert float(seconds) >= 2.9
