"""What real processes do to a run: they stop it, fork, kill, work side by side, and close what it needs."""

import json
import os
import signal
import time

import pytest

from tests.simulated.foreign import WITH_A_COUNTER, Foreign, flags

pytestmark = pytest.mark.skipif(
    not hasattr(os, "fork"), reason="this system neither forks nor stops processes"
)

WAITS = """
import os, time
from pathlib import Path

def wait_for(name):
    while not Path(name).exists():
        time.sleep(0.02)

def until_told(here, go):
    Path(here).touch()
    wait_for(go)

def test_first(energy):
    energy(until_told, f"ready-{os.getpid()}", "go")

def test_second(energy):
    energy(time.sleep, 0.1)
"""


@pytest.mark.slow
def test_a_run_that_was_stopped_for_3_seconds_says_so_in_that_case_only(tmp_path):
    project = Foreign(tmp_path, WAITS)
    run = project.start()
    run.wait_for(f"ready-{run.pid}")
    time.sleep(0.6)  # let the sampler's thread have polled once

    os.kill(run.pid, signal.SIGSTOP)
    time.sleep(3.0)
    (tmp_path / "go").touch()
    os.kill(run.pid, signal.SIGCONT)
    code, said = run.end()

    assert code == 0, said
    records = project.records()
    assert "paused" in flags(records["test_first"])
    assert "paused" not in flags(records["test_second"])
    assert "paused" in said


@pytest.mark.slow
def test_two_runs_at_once_on_one_machine_are_both_flagged_and_a_third_one_is_not(tmp_path):
    project = Foreign(tmp_path, WAITS, WITH_A_COUNTER)

    first = project.start("-k", "first", storage="one")
    second = project.start("-k", "first", storage="two")
    for run in (first, second):
        run.wait_for(f"ready-{run.pid}")
    (tmp_path / "go").touch()
    ends = [first.end(), second.end()]
    project.run("-k", "first", storage="three")

    assert [code for code, _ in ends] == [0, 0], ends
    assert "billed_twice" in flags(project.records("one")["test_first"])
    assert "billed_twice" in flags(project.records("two")["test_first"])
    assert "billed_twice" not in flags(project.records("three")["test_first"])
    ((fault,),) = project.records("one")["test_first"]["faults"]
    assert fault["reason"] == f"process {second.pid} (pytest) also bills machine"


FALLS_OUT = """
import os, time

def fork_and_go_on():
    parent = os.getpid()
    if os.fork() == 0:
        while os.getppid() == parent:
            time.sleep(0.02)

def test_first(energy):
    energy(fork_and_go_on)

def test_second(energy):
    energy(sorted, [1])
"""


@pytest.mark.slow
def test_a_child_that_falls_out_of_the_test_and_outlives_its_parent_writes_nothing(tmp_path):
    project = Foreign(tmp_path, FALLS_OUT)

    code, said = project.start("--energy-json=run.json").end()  # ends when the child has, too

    assert code == 0, said
    assert project.journal() == ["start", "test_first", "test_second", "end"]
    assert list(project.records()) == ["test_first", "test_second"]
    written = json.loads((tmp_path / "run.json").read_text())["benchmarks"]
    assert [case["extra_info"]["energy"]["status"] for case in written] == ["ok", "ok"]
    assert "2 failed" in said  # the child went on to the end of its own session


WORKERS = """
import json, multiprocessing, time
from pathlib import Path

import burning

def epochs(method):
    context = multiprocessing.get_context(method)
    used = []
    for _ in range(2):
        queue = context.SimpleQueue()
        workers = [context.Process(target=burning.work, args=(queue, 0.2)) for _ in range(2)]
        for worker in workers:
            worker.start()
        used += [queue.get() for _ in workers]
        for worker in workers:
            worker.join()
            assert worker.exitcode == 0
    return sum(used)

def test_workers(energy):
    before = time.process_time()
    used = energy(epochs, "{method}")
    Path("used.json").write_text(json.dumps(used + time.process_time() - before))
"""
BURNING = """
import time

def work(queue, seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass
    queue.put(time.process_time())
"""


@pytest.mark.parametrize(
    "method", ["fork", *(pytest.param(name, marks=pytest.mark.slow) for name in ("spawn", "forkserver"))]
)
def test_workers_emit_no_record_and_their_cpu_time_is_counted_once(tmp_path, method):
    """Loader workers as torch starts them, rebuilt each epoch; their joules come from their CPU seconds."""
    project = Foreign(tmp_path, WORKERS.format(method=method), WITH_A_COUNTER)
    (tmp_path / "burning.py").write_text(BURNING)

    project.run()

    record = project.records()["test_workers"]
    (domain,) = [domain for domain in record["domains"] if domain["boundary"] == "process"]
    model, seconds = domain["model"], record["metrics"]["seconds"]["mean"]
    per_cpu_second = model["law"]["joules_per"]["cpu_seconds"][1]
    cpu_seconds = (domain["joules"][0] - model["idle_watts"] * seconds) / per_cpu_second
    used = float((tmp_path / "used.json").read_text())
    assert used - 0.1 <= cpu_seconds <= used + 0.5  # a worker also ends, after it has said what it used
    assert project.journal() == ["start", "test_workers", "end"]
    assert "billed_twice" not in flags(record)
    assert list((tmp_path / "claims").iterdir()) == []


FORKS = '''
import multiprocessing, os, warnings

def fork_often():
    for _ in range(5):
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
    worker = multiprocessing.get_context("fork").Process(target=sorted, args=([3, 1],))
    worker.start()
    worker.join()
    assert worker.exitcode == 0

def test_forks(energy):
    energy(fork_often)

def test_forks_and_listens(energy):
    """Some versions lose the warning of a fork when it is an error."""
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        energy(fork_often)
    assert not heard, heard[0].message
'''


@pytest.mark.slow
@pytest.mark.parametrize("meters", ["cpu_model", "codecarbon,cpu_model"])
def test_a_workload_that_forks_runs_with_warnings_as_errors(tmp_path, meters):
    """Python 3.12 and later warn if a process that forks has another thread."""
    project = Foreign(tmp_path, FORKS)

    project.run("-W", "error", meters=meters, env={"OPENBLAS_NUM_THREADS": "1"})

    assert [record["status"] for record in project.records().values()] == ["ok", "ok"]


KILLED = """
import os, signal, time
from pathlib import Path

def test_first(energy):
    energy(sorted, [1])

def test_second(energy):
    energy(die_once)

def die_once():
    if not Path("once").exists():
        Path("once").touch()
        if os.fork() == 0:
            end = time.monotonic() + 60.0
            while not Path("go").exists() and time.monotonic() < end:
                time.sleep(0.05)
            os._exit(0)
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
def test_what_a_killed_run_leaves_behind_does_not_count_against_the_next(tmp_path):
    """Its claim on the machine dies with it, even if a child of it lives on."""
    project = Foreign(tmp_path, KILLED, WITH_A_COUNTER)
    killed = project.start()
    killed.process.wait(timeout=60.0)
    claimed = list((tmp_path / "claims").iterdir())

    project.run("--energy-resume")
    (tmp_path / "go").touch()
    killed.end()

    assert killed.process.returncode == -signal.SIGKILL
    assert len(claimed) == 1
    records = project.records()
    assert {case: record["status"] for case, record in records.items()} == {
        "test_first": "ok",
        "test_second": "ok",
    }
    assert not any("billed_twice" in flags(record) for record in records.values())


SORTS = """
def test_sorting(energy):
    assert energy(sorted, [3, 1, 2]) == [1, 2, 3]
"""


@pytest.mark.slow
def test_a_home_that_cannot_be_written_does_no_harm(tmp_path):
    project = Foreign(tmp_path, SORTS)
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(0o555)
    unwritable = "/proc" if os.access(home, os.W_OK) else str(home)  # nothing stops root but the kernel

    said = project.run(meters="codecarbon,cpu_model", env={"HOME": unwritable, "XDG_CACHE_HOME": unwritable})

    assert project.records()["test_sorting"]["status"] == "ok"
    assert "Traceback" not in said


CLOSED = """
import socket

class Closed(socket.socket):
    def __init__(self, *arguments, **options):
        raise OSError("sockets are closed in this project")

socket.socket = Closed
"""
WATCHED = """
import socket

def refuse(*arguments):
    Path(__file__).with_name("addressed").write_text(repr(arguments))
    raise OSError("this project speaks to nobody")

for name in ("connect", "connect_ex", "sendto", "sendmsg"):
    setattr(socket.socket, name, refuse)
for name in ("getaddrinfo", "gethostbyname", "create_connection"):
    setattr(socket, name, refuse)
"""


@pytest.mark.parametrize("conftest", [CLOSED, WATCHED], ids=["closed", "watched"])
@pytest.mark.slow
def test_a_run_needs_no_socket_and_speaks_to_nobody(tmp_path, conftest):
    """A library that CodeCarbon imports opens a socket to see whether there is IPv6, and sends nothing."""
    project = Foreign(tmp_path, SORTS, conftest=conftest)

    project.run(meters="codecarbon,cpu_model")

    assert not (tmp_path / "addressed").exists()
    assert project.records()["test_sorting"]["status"] == "ok"


@pytest.mark.slow
def test_a_temporary_folder_that_cannot_be_written_leaves_the_claims_unknown_and_says_why(tmp_path):
    project = Foreign(
        tmp_path, SORTS, f"{WITH_A_COUNTER}\nenergy.meters._watch.claims.FOLDER = Path('/dev/null/claims')\n"
    )

    project.run()

    (path,) = (tmp_path / "out").glob("*/*.json")
    assert "nobody can tell whether others bill the same devices" in path.read_text()
