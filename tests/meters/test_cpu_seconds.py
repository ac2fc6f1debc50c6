"""The CPU seconds of a process tree: real processes that burn a known number, and a table of made-up ones."""

import subprocess
import sys

import pytest

from energy.meters.cpu_model.seconds import SETTLED_SECONDS
from tests.simulated.processes import FakeProcesses

# Each script burns CPU seconds whose number it knows, in a process of its own, and prints what the tree saw.
BURN = """
import os, signal, time
from energy.meters.cpu_model.seconds import Tree

pipe = os.pipe()

def burn(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass

def child(seconds, then=lambda: None):
    pid = os.fork()
    if not pid:
        burn(seconds)
        then()
        os._exit(0)
    return pid

def ready():
    os.write(pipe[1], b".")

def stay():
    ready()
    time.sleep(600)

def wait():
    os.read(pipe[0], 1)

tree = Tree()
start = tree.seconds()
"""
SCRIPTS = {
    "itself": ("burn(0.5)", 0.5),
    "short-lived workers": ("for _ in range(8): os.waitpid(child(0.1), 0)", 0.8),
    "a living worker": ("child(0.5, stay); wait()", 0.5),
    "an ended worker that was not waited for": ("child(0.5, ready); wait()", 0.5),
    "a living worker's child": ("child(0, lambda: (child(0.5, stay), stay())); wait(); wait()", 0.5),
    "a living worker's ended children": (
        "child(0, lambda: (os.waitpid(child(0.4), 0), stay())); wait()",
        0.4,
    ),
    "workers that were waited for after a look": (
        "pids = [child(0.2, stay) for _ in range(3)]; wait(); wait(); wait(); tree.seconds()\n"
        "for pid in pids: os.kill(pid, signal.SIGKILL); os.waitpid(pid, 0)",
        0.6,
    ),
    "a worker that nobody waits for, and what comes after it": (
        "signal.signal(signal.SIGCHLD, signal.SIG_IGN); pid = child(0.5, stay); wait(); tree.seconds()\n"
        "os.kill(pid, signal.SIGKILL); time.sleep(0.2); tree.seconds(); time.sleep(0.6); tree.seconds()\n"
        "burn(0.3)",
        0.8,
    ),
}


def seen(body):
    """Run a script and return what it prints, in a session of its own that ends with it."""
    code = f"{BURN}\n{body}\nprint(tree.seconds() - start, flush=True)\nos.killpg(0, signal.SIGKILL)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, start_new_session=True
    )
    assert done.stderr == ""
    return float(done.stdout)


@pytest.mark.parametrize("who", SCRIPTS)
def test_the_cpu_seconds_counted_are_those_of(who):
    body, burnt = SCRIPTS[who]

    counted = seen(body)

    assert burnt - 0.06 <= counted <= burnt + 0.15  # ticks of 10 ms; starting and ending processes


def test_a_stopped_tree_uses_no_cpu_seconds():
    stop = "pid = child(0.1, stay); wait(); os.kill(pid, signal.SIGSTOP); time.sleep(0.1)"

    counted = seen(f"{stop}; start = tree.seconds(); time.sleep(0.5)")

    assert 0 <= counted <= 0.1


def test_strangers_and_their_children_do_not_count(tmp_path):
    processes = FakeProcesses(tmp_path)
    tree = processes.tree()
    start = tree.seconds()
    processes.write(20, parent=1, ticks=100)
    processes.write(10, parent=20, ticks=10)  # a lower number than its parent's: numbers come round again
    processes.write(30, parent=2, ticks=5000)
    processes.write(31, parent=30, ticks=5000)

    assert tree.seconds() - start == pytest.approx(1.1)
    assert len(tree.pids()) == 3


def test_a_sum_that_falls_and_mends_itself_is_not_counted_twice(tmp_path):
    """Its time was in neither sum for an instant: the worker had died and its parent not yet been told."""
    processes = FakeProcesses(tmp_path)
    tree = processes.tree()
    processes.write(20, parent=1, ticks=200)
    before = tree.seconds()
    processes.vanish(20)
    during = tree.seconds()
    processes.now, processes.reaped = SETTLED_SECONDS / 2, 2.0
    after = tree.seconds()
    processes.now, processes.own = 10.0, 1.5

    assert before == during == after
    assert tree.seconds() - before == pytest.approx(0.5)


def test_what_an_unwaited_for_worker_had_used_stays_counted(tmp_path):
    processes = FakeProcesses(tmp_path)
    tree = processes.tree()
    processes.write(20, parent=1, ticks=200)
    before = tree.seconds()
    processes.vanish(20)
    tree.seconds()
    processes.now = 2 * SETTLED_SECONDS
    tree.seconds()
    processes.own += 0.7

    assert tree.seconds() - before == pytest.approx(0.7)
