"""CPU time of our own: real processes that burn a known amount and are gone before anybody looks."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from energy.measuring import machine
from energy.measuring.machine import State
from energy.meters import open_meters
from energy.meters.cpu_model.seconds import count_family

ROOT = Path(__file__).parents[2]

# Every process burns CPU time by its own clock, so the sum is known however busy the machine is.
PRELUDE = """
import json, os, sys, time
from energy.measuring import machine

def burn(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass

def worker(work):
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    return child

before, own = machine.state(), time.process_time()
"""
REPORT = """
after = machine.state()
own = time.process_time() - own
print(json.dumps(machine.own_cpu_seconds(before, after) - own))
sys.stdout.flush()
"""
# What forking, exiting and rounding to clock ticks may add or take away, per process.
SLACK_SECONDS = 0.06


def used_by_children(body, after="", stdin=None):
    """Run a script in a process of its own; return the CPU seconds of its descendants between the states."""
    result = subprocess.run(
        [sys.executable, "-c", PRELUDE + body + REPORT + after],
        stdin=stdin,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


@needs_fork
def test_workers_that_are_rebuilt_every_epoch_are_counted():
    """Six epochs, each with a worker of 0.15 s that is gone before the next: 0.9 s that no poll would see."""
    used = used_by_children("for _ in range(6): os.waitpid(worker(lambda: burn(0.15)), 0)")

    assert used == pytest.approx(0.9, abs=6 * SLACK_SECONDS)


@needs_fork
def test_grandchildren_that_a_living_worker_has_waited_for_are_counted():
    used = used_by_children(
        """
end_in, end_out = os.pipe()
done_in, done_out = os.pipe()
def work():
    os.close(end_out)
    for _ in range(3):
        os.waitpid(worker(lambda: burn(0.2)), 0)
    burn(0.1)
    os.write(done_out, b"x")
    os.read(end_in, 1)
child = worker(work)
os.read(done_in, 1)
""",
        after="os.close(end_out); os.waitpid(child, 0)",
    )

    assert used == pytest.approx(0.7, abs=4 * SLACK_SECONDS)


@needs_fork
def test_a_grandchild_that_still_lives_is_counted():
    used = used_by_children(
        """
end_in, end_out = os.pipe()
done_in, done_out = os.pipe()
def grandchild():
    burn(0.3)
    os.write(done_out, b"x")
    os.read(end_in, 1)
def work():
    os.close(end_out)
    os.waitpid(worker(grandchild), 0)
child = worker(work)
os.read(done_in, 1)
""",
        after="os.close(end_out); os.waitpid(child, 0)",
    )

    assert used == pytest.approx(0.3, abs=2 * SLACK_SECONDS)


@needs_fork
def test_a_worker_that_has_ended_and_was_not_waited_for_is_counted():
    used = used_by_children(
        "child = worker(lambda: burn(0.3)); os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)",
        after="os.waitpid(child, 0)",
    )

    assert used == pytest.approx(0.3, abs=SLACK_SECONDS)


def test_work_of_strangers_is_not_ours():
    """A sibling burns 0.5 s while the script waits for it to end."""
    burning = "import time; end = time.process_time() + 0.5\nwhile time.process_time() < end: pass"
    with subprocess.Popen([sys.executable, "-c", burning], stdout=subprocess.PIPE) as stranger:
        used = used_by_children("sys.stdin.read()", stdin=stranger.stdout)

    assert used == pytest.approx(0.0, abs=SLACK_SECONDS)


def test_without_a_process_table_of_linux_our_own_time_is_known_all_the_same(tmp_path):
    before, pids = count_family(tmp_path)

    assert os.getpid() in pids
    assert 0 < before <= count_family(tmp_path)[0]


def test_the_cpu_time_of_a_state_is_what_the_cpu_model_counts():
    with open_meters("cpu_model") as meters:
        (meter,) = meters
        before, state, after = meter.count_family(), machine.state(meters), meter.count_family()

    assert before[0] <= state.own_cpu_seconds <= after[0]


@pytest.fixture
def group(tmp_path):
    """A control group of two processes, ours and one more; one group below it."""
    below = tmp_path / "root" / "job" / "below"
    below.mkdir(parents=True)
    job = below.parent
    (job / "cgroup.procs").write_text("10\n11\n")
    (below / "cgroup.procs").write_text("12\n")
    (job / "cpu.stat").write_text("usage_usec 1234567\nuser_usec 1000000\nsystem_usec 234567\n")
    own = tmp_path / "cgroup"
    own.write_text("0::/job\n")
    return lambda family: machine._group_cpu_seconds(family, tmp_path / "root", own)


def test_a_group_of_ours_alone_tells_our_cpu_time(group):
    assert group({10, 11, 12, 13}) == 1.234567


@pytest.mark.parametrize("family", [{10, 11}, {10, 12}], ids=["below", "beside"])
def test_a_group_that_holds_others_tells_nothing(group, family):
    assert group(family) is None


@pytest.mark.parametrize("text", ["", "0::/../elsewhere\n", "0::/missing\n", "4:cpu:/job\n"])
def test_without_a_group_of_version_2_there_is_nothing_to_tell(group, tmp_path, text):
    (tmp_path / "cgroup").write_text(text)

    assert group({10, 11, 12}) is None


def state(own, group):
    return State(0.0, None, 0.0, 0.0, own, None, None, group)


@pytest.mark.parametrize(
    ("before", "after", "seconds"),
    [
        (state(1.0, None), state(4.0, None), 3.0),
        (state(1.0, 10.0), state(4.0, 15.0), 5.0),
        (state(1.0, 10.0), state(4.0, 12.0), 3.0),
        (state(1.0, 10.0), state(4.0, None), 3.0),
        (state(1.0, None), state(4.0, 15.0), 3.0),
    ],
)
def test_the_group_counts_only_if_it_was_ours_at_both_ends(before, after, seconds):
    assert machine.own_cpu_seconds(before, after) == seconds


def test_a_state_can_be_written_as_json():
    assert json.loads(json.dumps(machine.state().as_json()))["own_cpu_seconds"] > 0
