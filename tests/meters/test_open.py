"""Opening by name, reading, the polling thread, and what a forked child may do."""

import os
import sys
import threading
import time
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest

import energy
from energy import meters
from energy.meters import _registry as _folder
from energy.meters import nvml, rapl
from energy.meters._watch import claims
from energy.meters._watch.sampler import Sampler
from energy.reading import Count, Fault
from tests.simulated.machine import Constant, Machine
from tests.simulated.nvml import LIBRARY_NOT_FOUND, Gpu, Library
from tests.simulated.powercap import Powercap

GPU = Gpu().uuid


class Ticking:
    """A meter that counts how often it was polled."""

    def __init__(self, name="ticking", period_seconds=0.01, slow=False, domain="cpu", problem=None):
        self.name, self.period_seconds, self.slow, self.closed = name, period_seconds, slow, False
        self.pid, self.polls, self.noted, self.threads = os.getpid(), 0, [], set()
        self.domain, self.problem = domain, problem

    def poll(self):
        self.polls += 1
        self.threads.add(threading.current_thread().name)
        if self.problem:
            raise self.problem

    def counts(self):
        return (Count(self.domain, "machine", self.name, "measured", time.monotonic(), 0.0),)

    def faults(self):
        return tuple(self.noted)

    def note(self, fault):
        self.noted.append(fault)

    def close(self):
        self.closed = True


@pytest.fixture(autouse=True)
def nobody_else(monkeypatch, tmp_path):
    """Keep the claims of other tests out of these."""
    monkeypatch.setattr(claims, "FOLDER", tmp_path / "claims")


@pytest.fixture
def folder(monkeypatch):
    """Replace the meters of the folder: folder(name=meter or exception)."""

    def replace(**found):
        def file(name):
            def open_(gpus=None):
                if isinstance(found[name], BaseException):
                    raise found[name]
                return found[name]

            domains = ("gpu",) if name == "nvml" else ("cpu",)
            return SimpleNamespace(open=open_, DOMAINS=domains)

        monkeypatch.setattr(meters, "meter_names", lambda: tuple(sorted(found)))
        monkeypatch.setattr(meters, "meter_file", file)

    return replace


def wait_for(condition):
    deadline = time.monotonic() + 5.0
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)
    assert condition()


def kernel_threads():
    """Name this process's threads as the kernel knows them, where it tells: Python 3.12 counts those."""
    tasks = Path("/proc/self/task")
    if tasks.exists():
        return {int(task.name) for task in tasks.iterdir()}
    return {thread.native_id for thread in threading.enumerate()}


def broken(reason="no driver"):
    return energy.MeterUnavailable(reason, "install it")


def test_the_folder_is_the_registry():
    assert {"codecarbon", "nvml", "rapl"} <= set(_folder.names())


def test_a_misspelt_meter_is_answered_with_the_nearest_names():
    with pytest.raises(ValueError, match="unknown meter 'rappl'; did you mean rapl"):
        energy.open_meters("rappl")


def test_auto_opens_what_works(folder):
    works = Ticking()
    folder(nvml=broken(), rapl=works)

    with energy.open_meters("auto") as opened:
        assert opened == [works]


def test_a_meter_asked_for_by_name_must_work_and_the_others_are_closed(folder):
    works = Ticking()
    folder(aaa=works, nvml=broken())

    with pytest.raises(energy.MeterUnavailable, match="no driver install it"):
        energy.open_meters("aaa,nvml")

    assert works.closed


@pytest.mark.parametrize("problem", [RuntimeError("a bug"), KeyboardInterrupt()])
def test_what_no_meter_may_raise_closes_those_that_are_open(folder, problem):
    works = Ticking()
    folder(aaa=works, bbb=problem)

    with pytest.raises(type(problem)):
        energy.open_meters("auto")

    assert works.closed


def test_no_meter_at_all_is_an_error_not_an_empty_list(folder):
    folder(nvml=broken(), rapl=broken())

    with pytest.raises(energy.MeterUnavailable, match="No meter works here"):
        energy.open_meters("auto")


@pytest.mark.parametrize("names", ["b,a", " a , b ", ["a", "b"], ("b", "a", "a")])
def test_names_come_as_text_or_list(folder, names):
    first, second = Ticking("a"), Ticking("b")
    folder(a=first, b=second, c=Ticking("c"))

    with energy.open_meters(names) as opened:
        assert opened == [first, second]


def test_a_gpu_that_was_named_and_cannot_be_metered_keeps_the_total_unknown(folder):
    folder(nvml=broken(), rapl=Ticking())

    with energy.open_meters("auto", gpus=[GPU]) as opened:
        before = energy.read(opened)
        spent = energy.read(opened) - before

    assert spent.joules() is None
    gpu = next(part for part in spent.domains if part.domain == "gpu")
    assert (gpu.device, gpu.reason) == (GPU, "nvml: no driver install it")


def test_a_gpu_that_is_there_but_cannot_be_metered_keeps_the_total_unknown(folder):
    problem = energy.MeterUnavailable("NVML does not start.", "Let this user in.", device="all")
    folder(nvml=problem, rapl=Ticking())

    with energy.open_meters("auto") as opened:
        before = energy.read(opened)
        assert (energy.read(opened) - before).joules() is None
    with energy.open_meters("auto", gpus=()) as opened:
        before = energy.read(opened)
        assert (energy.read(opened) - before).joules() is not None


def test_slow_meters_are_read_first(folder):
    fast, slow = Ticking("a"), Ticking("b", slow=True)
    folder(a=fast, b=slow)

    with energy.open_meters("auto") as opened:
        counts = energy.read(opened).counts

    assert [count.source for count in counts] == ["b", "a"]


def test_a_reading_is_stamped_on_the_monotonic_clock_and_carries_all_faults(folder):
    meter = Ticking()
    fault = Fault("gap", "ticking", "machine", 1.0, 2.0, 3.0, "told so by the test")
    meter.note(fault)
    folder(a=meter)

    with energy.open_meters("auto") as opened:
        before = time.monotonic()
        reading = energy.read(opened)

    assert before <= reading.seconds <= time.monotonic()
    assert reading.faults == (fault,)


def test_one_thread_polls_all_meters_at_their_own_periods(folder):
    often, seldom, never = Ticking("a", 0.01), Ticking("b", 0.05), Ticking("c", None)
    folder(a=often, b=seldom, c=never)

    with energy.open_meters("auto"):
        wait_for(lambda: seldom.polls >= 5)

    assert often.polls > 2 * seldom.polls
    assert never.polls == 0
    assert often.threads == seldom.threads == {"energy-sampler"}


def test_closing_ends_the_thread(folder):
    folder(a=Ticking())
    opened = energy.open_meters("auto")

    energy.close(opened)

    assert not opened.sampler.running
    assert opened[0].closed


def test_closing_a_part_of_the_meters_leaves_the_others_polled(folder):
    first, second = Ticking("a"), Ticking("b")
    folder(a=first, b=second)

    with energy.open_meters("auto") as opened:
        energy.close([first])
        polls = first.polls
        wait_for(lambda: second.polls > 10)

        assert first.polls <= polls + 1
        assert opened.sampler.running


def test_the_thread_ends_when_its_last_meter_is_closed(folder):
    meter = Ticking()
    folder(a=meter)
    opened = energy.open_meters("auto")

    meter.close()

    wait_for(lambda: not opened.sampler.running)


def test_no_thread_is_started_where_none_is_needed(folder):
    folder(a=Ticking(period_seconds=None))

    with energy.open_meters("auto") as opened:
        assert not opened.sampler.running


def test_a_meter_that_breaks_leaves_a_fault_and_does_not_stop_the_others(folder):
    bad, good = Ticking("bad", problem=RuntimeError("a bug")), Ticking("good")
    folder(bad=bad, good=good)

    with energy.open_meters("auto"):
        wait_for(lambda: good.polls > 5)

    assert bad.noted[0].kind == "unreadable"
    assert "RuntimeError('a bug')" in bad.noted[0].reason


class Failing(Ticking):
    """A late meter with a state, all of whose answers can be made to fail."""

    patience_seconds = 0.0
    fails = False

    def answer(self, value):
        if self.fails:
            raise self.problem
        return value

    def poll(self):
        self.answer(None)

    def counts(self):
        return self.answer(super().counts())

    def counts_at(self, seconds):
        return self.answer(self.counts())

    def context(self):
        return self.answer({self.name: {"temperature_c": 40.0}})


@pytest.mark.parametrize(
    "problem", [OSError(5, "Input/output error"), RuntimeError("a bug"), KeyError("gone")]
)
def test_whatever_a_meter_raises_stays_with_that_meter(folder, problem):
    bad, good = Failing("bad", period_seconds=None, problem=problem), Ticking("good", domain="ram")
    folder(bad=bad, good=good)

    with energy.open_meters("auto") as opened:
        before = energy.read(opened)
        bad.fails = True
        after = energy.read(opened)
        (settled,) = energy.settle(opened, [after])
        states = meters.context(opened)

    spent = settled - before
    assert {part.source: part.joules is None for part in spent.domains} == {"bad": True, "good": False}
    assert states == {}
    assert {fault.kind for fault in bad.noted} == {"unreadable"}
    assert len(bad.noted) >= 3
    assert all(type(problem).__name__ in fault.reason for fault in bad.noted)
    assert good.noted == []


def test_a_meter_that_fails_at_once_is_unknown_and_not_forgotten():
    bad = Failing("bad", problem=OSError(5, "Input/output error"))
    bad.fails = True

    with meters.Meters([bad, Ticking("good")]) as opened:
        before = energy.read(opened)
        spent = energy.read(opened) - before

    assert spent.joules() is None
    assert [part.source for part in spent.domains if part.joules is None] == ["bad"]


def test_a_meter_of_a_plain_list_that_fails_is_unknown_too():
    bad = Failing("bad", problem=OSError(5, "Input/output error"))
    before = energy.read([bad])
    bad.fails = True

    assert (energy.read([bad]) - before).joules() is None


@pytest.mark.parametrize("watch", ["clocks.look", "claims.look_if_changed"])
def test_a_look_around_that_fails_is_a_fault_of_the_watch_and_no_exception(folder, monkeypatch, watch):
    meter = Ticking(period_seconds=None)
    folder(a=meter)

    with energy.open_meters("auto") as opened:
        name, method = watch.split(".")

        def fail():
            raise OSError(2, "No such file or directory")

        monkeypatch.setattr(getattr(opened, name), method, fail)
        reading = energy.read(opened)

    (fault,) = [fault for fault in reading.faults if fault.source == "sampler"]
    assert "No such file or directory" in fault.reason
    assert reading.counts[0].joules is not None


def test_a_late_sampler_polls_once_not_many_times_in_a_row():
    due = time.monotonic() - 10.0

    assert Sampler._next(due, 0.1) >= time.monotonic() + 0.04


def test_a_watch_rides_along_with_the_meters():
    meter, calls = Ticking(), []
    sampler = Sampler([meter], watches=[(lambda: calls.append(threading.current_thread().name), 0.01)])

    sampler.start()
    wait_for(lambda: len(calls) > 3)
    sampler.stop()

    assert set(calls) == {"energy-sampler"}


def test_a_watch_alone_is_no_reason_for_a_thread():
    sampler = Sampler([Ticking(period_seconds=None)], watches=[(lambda: None, 0.01)])

    sampler.start()

    assert not sampler.running


def test_a_watch_that_breaks_is_reported_once_and_stops_nobody():
    meter, calls = Ticking(), []

    def bad():
        calls.append(1)
        raise RuntimeError("a bug")

    sampler = Sampler([meter], watches=[(bad, 0.01)])
    sampler.start()
    wait_for(lambda: meter.polls > 10)
    sampler.stop()

    (fault,) = sampler.faults()
    assert len(calls) == 1
    assert (fault.kind, fault.source, fault.joules_at_stake) == ("unreadable", "sampler", 0.0)
    assert "RuntimeError('a bug')" in fault.reason


class Busy(Ticking):
    """A meter whose poll takes 5 ms of CPU time."""

    def poll(self):
        super().poll()
        end = time.thread_time() + 0.005
        while time.thread_time() < end:
            pass


def test_the_sampler_counts_its_polls_and_its_cpu_seconds():
    meter = Busy()
    sampler = Sampler([meter])

    sampler.start()
    wait_for(lambda: sampler.polls >= 5)
    sampler.stop()

    assert sampler.polls == meter.polls
    assert 0.005 * meter.polls <= sampler.cpu_seconds <= 0.005 * meter.polls + 0.05


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


@needs_fork
def test_a_fork_finds_no_thread_of_ours_and_the_polling_goes_on(monkeypatch):
    """Python 3.12 counts the threads of the process right after the fork, and warns."""
    meter = Busy()
    sampler = Sampler([meter])
    seen = []
    sampler.start()
    wait_for(lambda: meter.polls > 0)
    after = sampler.after_fork_in_parent
    monkeypatch.setattr(
        sampler, "after_fork_in_parent", lambda: (seen.append(kernel_threads()), after()), raising=True
    )

    for _ in range(5):
        ours = sampler._thread.native_id
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
        assert ours not in seen[-1]
    polls = meter.polls
    wait_for(lambda: meter.polls > polls)
    sampler.stop()

    assert sampler.cpu_seconds >= 0.005 * meter.polls


@needs_fork
def test_two_threads_that_fork_at_once_leave_one_sampler():
    others = set(threading.enumerate())
    meter = Ticking(period_seconds=0.001)
    sampler = Sampler([meter])
    sampler.start()
    wait_for(lambda: meter.polls > 0)

    sampler.before_fork()
    sampler.before_fork()
    sampler.after_fork_in_parent()
    parked = sampler.running
    sampler.after_fork_in_parent()

    assert not parked
    assert sampler.running
    (ours,) = set(threading.enumerate()) - others
    sampler.stop()
    assert ours.native_id not in kernel_threads()


@needs_fork
def test_a_poll_that_hangs_holds_up_no_fork_and_is_not_doubled():
    hangs, go, inside = Ticking(), threading.Event(), []

    def poll():
        hangs.polls += 1
        inside.append(threading.current_thread())
        assert go.wait(20.0)

    hangs.poll = poll
    sampler = Sampler([hangs])
    sampler.start()
    wait_for(lambda: inside)

    sampler.before_fork()
    sampler.after_fork_in_parent()
    time.sleep(0.05)
    hung = list(inside)
    go.set()

    wait_for(lambda: len(set(inside)) == 2)
    sampler.stop()
    assert len(hung) == 1


def test_a_sampler_that_was_stopped_is_not_revived_by_a_fork():
    sampler = Sampler([Ticking()])
    sampler.start()
    sampler.stop()

    sampler.before_fork()
    sampler.after_fork_in_parent()

    assert not sampler.running


def test_a_sampler_whose_meters_are_all_closed_is_not_revived_by_a_fork(monkeypatch):
    meter, started = Ticking(), []
    sampler = Sampler([meter])
    sampler.start()
    meter.close()
    wait_for(lambda: not sampler.running)
    monkeypatch.setattr(threading.Thread, "start", lambda thread: started.append(thread))

    sampler.before_fork()
    sampler.after_fork_in_parent()

    assert started == []


def test_a_sampler_that_is_gone_is_told_of_no_fork():
    import gc
    import weakref

    sampler = Sampler([Ticking()])
    sampler.start()
    sampler.stop()
    gone = weakref.ref(sampler)

    del sampler
    gc.collect()

    assert gone() is None


@needs_fork
def test_a_forked_child_never_polls_never_reads_and_closes_nothing(folder):
    meter = Ticking()
    folder(a=meter)
    with energy.open_meters("auto") as opened:
        wait_for(lambda: meter.polls > 0)
        child = os.fork()
        if child == 0:
            os._exit(_in_the_child(meter, opened))
        _, status = os.waitpid(child, 0)
        polls = meter.polls
        wait_for(lambda: meter.polls > polls)  # and the parent goes on

    assert os.waitstatus_to_exitcode(status) == 0


def _in_the_child(meter, opened):
    """Return 0 if everything is as it should be; assertions would be lost here."""
    polls = meter.polls
    time.sleep(0.1)
    if meter.polls != polls or opened.sampler.running:
        return 1
    energy.close(opened)
    if meter.closed:
        return 2
    try:
        energy.read(opened)
    except RuntimeError as problem:
        return 0 if "read it in the parent" in str(problem) else 3
    return 4


def test_real_meters_are_polled_by_the_real_thread(tmp_path, folder):
    """100 W for half a second of real time, through real files and the simulated library."""
    machine = Machine(Constant(100.0), seconds=1000.0)
    started = time.monotonic()
    machine.now = lambda: 1000.0 + time.monotonic() - started
    tree = Powercap(tmp_path, machine)
    folder(
        nvml=nvml.open(library=Library(machine, [Gpu(step_seconds=0.01)])),
        rapl=rapl.open(root=tmp_path, clock=lambda: (tree.update(), time.monotonic())[1]),
    )

    with energy.open_meters("auto") as opened:
        before = energy.read(opened)
        time.sleep(0.5)
        spent = energy.read(opened) - before

    parts = {part.source: part for part in spent.domains}
    for source in ("nvml_counter", "nvml_power", "rapl"):
        assert parts[source].band[0] <= 100.0 * spent.seconds <= parts[source].band[1], source
    # On a busy machine samples come late: what they do not cover is a gap that is told.
    gaps = sum(fault.seconds for fault in spent.faults if fault.source == "nvml_power")
    assert parts["nvml_power"].coverage * spent.seconds + gaps == pytest.approx(spent.seconds, rel=0.2)


def test_codecarbon_is_given_indices_for_the_gpus_asked_for():
    from energy.meters import codecarbon

    library = Library(Machine(), [Gpu(bus=2), Gpu(uuid="GPU-91d0c3aa-77de-4a1b-8a0f-3c5d2e4f6071", bus=1)])

    assert [board.index for board in codecarbon._resolve(["GPU-91d0"], library)] == [1]
    assert codecarbon._resolve([], library) == ()
    assert codecarbon._resolve(None, Library(Machine(), init_error=LIBRARY_NOT_FOUND)) == ()


def test_importing_energy_imports_no_vendor_s_library():
    import subprocess

    code = "import sys, energy; print(sorted({'codecarbon', 'pynvml', 'torch', 'numpy'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert result.stdout == "[]\n"


def test_the_version_is_that_of_the_distribution():
    pyproject = Path(__file__).parents[2] / "pyproject.toml"

    assert energy.__version__ == tomllib.loads(pyproject.read_text())["project"]["version"]
