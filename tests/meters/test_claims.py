"""Claims on devices: two that bill one device both get to know, however short that was."""

import errno
import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from energy.meters._watch import claims as claims_file
from energy.meters._watch.claims import Claims, billed
from energy.reading import Count

ROOT = Path(__file__).parents[2]
GPU = "gpu:GPU-5c8a1e60-0b5e-4d1f-9c43-7f2b8a90d1e2"
OTHER_GPU = "gpu:GPU-91d0c3aa-77de-4a1b-8a0f-3c5d2e4f6071"
pytestmark = pytest.mark.skipif(os.name != "posix", reason="this system has no flock")

HOLDER = """
import sys, time
from pathlib import Path
from energy.meters._watch.claims import Claims
claims = Claims([{device!r}], Path({folder!r}))
assert claims.problem is None, claims.problem
print("held", flush=True)
{then}
"""


class Clock:
    def __init__(self):
        self.seconds = 1000.0

    def __call__(self):
        return self.seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def claim(tmp_path, clock):
    """Make claims in one folder on one clock, and close them all at the end."""
    made = []

    def make(*devices, folder=None):
        made.append(Claims(devices or ["cpu:package-0"], folder or tmp_path / "claims", clock))
        return made[-1]

    yield make
    for claims in made:
        claims.close()


@pytest.fixture
def holder(tmp_path):
    """Start a process that claims a device and then does something."""
    processes = []

    def start(device="cpu:package-0", then="sys.stdin.read()"):
        code = HOLDER.format(device=device, folder=str(tmp_path / "claims"), then=then)
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        processes.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def files(tmp_path):
    return sorted(path.name for path in (tmp_path / "claims").iterdir())


def make_old(tmp_path):
    for path in (tmp_path / "claims").iterdir():
        os.utime(path, (0, 0))


def test_who_is_alone_is_told_of_nobody(claim):
    claims = claim("cpu:package-0", GPU)

    claims.look()

    assert (claims.faults(), claims.problem) == ((), None)


def test_two_openers_of_one_package_both_know(claim, clock):
    first = claim()
    clock.seconds = 1010.0
    second = claim()
    clock.seconds = 1011.0
    first.look()
    clock.seconds = 1015.0

    faults = [*first.faults(), *second.faults()]

    assert [fault.kind for fault in faults] == ["double", "double"]
    for fault in faults:
        assert (fault.source, fault.device, fault.joules_at_stake) == ("claims", "package-0", 0.0)
        assert (fault.at_seconds, fault.seconds) == (1010.0, 5.0)
        assert fault.concerns("rapl", "package-0")
        assert "also bills package-0 with other meters" in fault.reason


def test_two_processes_on_one_gpu_both_know(claim, holder, tmp_path):
    other = holder(GPU, "sys.stdin.readline(); claims.look(); print(claims.faults()[0].reason, flush=True)")
    claims = claim(GPU)

    other.stdin.write("\n")
    other.stdin.flush()

    assert f"process {os.getpid()} (" in other.stdout.readline()
    assert claims.faults()[0].reason == f"process {other.pid} (-c) also bills {GPU.removeprefix('gpu:')}"


def test_different_devices_are_nobody_s_business(claim):
    claim(GPU, "cpu:package-0")

    assert claim(OTHER_GPU, "cpu:package-1", "ram:package-0").faults() == ()


@pytest.mark.parametrize(
    ("ours", "theirs", "shared"),
    [
        (["cpu:package-0"], ["cpu:package-0"], ["package-0"]),
        (["cpu:package-0", "cpu:package-1"], ["cpu:package-1"], ["package-1"]),
        (["cpu:package-0", GPU], [GPU], [GPU.removeprefix("gpu:")]),
        (["cpu:package-0"], ["cpu:machine"], ["package-0"]),
        (["cpu:machine"], ["cpu:package-0", "cpu:package-1"], ["machine"]),
        (["cpu:machine"], ["cpu:machine"], ["machine"]),
        ([GPU], ["cpu:machine"], []),
        (["cpu:machine"], [GPU], []),
        (["cpu:machine"], ["ram:machine"], []),
    ],
)
def test_what_two_openers_share(claim, ours, theirs, shared):
    claim(*theirs)

    assert [fault.device for fault in claim(*ours).faults()] == shared


def test_who_comes_and_goes_between_two_looks_is_seen_by_the_second(claim, clock):
    claims = claim()
    claims.look()

    clock.seconds = 1000.2
    short = claim()
    clock.seconds = 1000.5
    short.close()
    clock.seconds = 1001.0
    claims.look()
    clock.seconds = 1100.0
    claims.look()

    (fault,) = claims.faults()
    assert fault.at_seconds == 1000.2
    assert fault.seconds == pytest.approx(0.8)


def test_who_is_killed_between_two_looks_is_seen_too(claim, holder):
    claims = claim()

    other = holder()
    other.kill()
    other.wait()
    claims.look()

    assert [fault.kind for fault in claims.faults()] == ["double"]


def test_who_was_killed_before_is_not_there(claim, holder):
    other = holder()
    other.kill()
    other.wait()

    claims = claim()
    claims.look()

    assert claims.faults() == ()


def test_who_closed_before_is_not_there(claim, clock):
    witness, other = claim(), claim()
    other.close()
    witness.close()
    clock.seconds += 0.001

    claims = claim()
    claims.look()

    assert claims.faults() == ()


def test_a_claim_ends_with_its_owner_whatever_kills_it(claim, holder, clock):
    other = holder()
    clock.seconds = opened = time.monotonic()
    claims = claim()
    clock.seconds = opened + 10.0
    claims.look()

    other.send_signal(signal.SIGKILL)
    other.wait()
    clock.seconds = opened + 11.0
    claims.look()
    clock.seconds = opened + 1000.0

    (fault,) = claims.faults()
    assert fault.at_seconds == opened
    assert fault.seconds == pytest.approx(11.0)


def test_a_claim_does_not_live_on_in_a_child_that_was_forked(claim, holder):
    """A loader worker that outlives a killed parent bills nothing."""
    fork = "import os\nif os.fork() == 0: print(os.getpid(), flush=True); time.sleep(60)\nsys.stdin.read()"
    other = holder(then=fork)
    child = int(other.stdout.readline())
    other.kill()
    other.wait()

    claims = claim()
    os.kill(child, signal.SIGKILL)

    assert claims.faults() == ()


def test_a_child_that_was_forked_takes_nothing_from_its_parent(claim):
    claims = claim()
    child = os.fork()
    if child == 0:
        claims.look()
        claims.close()
        os._exit(0)
    os.waitpid(child, 0)

    assert claim().faults() != ()


def test_a_glance_sees_who_has_just_come(claim):
    claims = claim()
    claims.look()

    claim()
    claims.look_if_changed()

    assert len(claims.faults()) == 1


def test_a_glance_at_an_old_folder_reads_no_file(claim, tmp_path, monkeypatch):
    claims = claim()
    os.utime(tmp_path / "claims", (1e9, 1e9))
    claims.look()
    monkeypatch.setattr(claims, "look", lambda: pytest.fail("it looked"))

    claims.look_if_changed()


def test_the_folder_is_for_all_users_and_a_file_for_its_owner_to_write(claim, tmp_path):
    before = os.umask(0o077)
    try:
        claim()
    finally:
        os.umask(before)

    (name,) = files(tmp_path)
    assert stat.S_IMODE((tmp_path / "claims").stat().st_mode) == 0o1777
    assert stat.S_IMODE((tmp_path / "claims" / name).stat().st_mode) == 0o644


def test_the_file_names_the_program_and_none_of_its_arguments(claim, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/home/ada/bin/pytest", "--token=secret"])
    claim()

    (name,) = files(tmp_path)
    written = json.loads((tmp_path / "claims" / name).read_text())
    assert written == {
        "pid": os.getpid(),
        "program": "pytest",
        "devices": ["cpu:package-0"],
        "since_seconds": 1000.0,
        "until_seconds": None,
    }


def test_a_program_run_as_a_module_is_named_by_its_package(claim, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/lib/python3/site-packages/pytest/__main__.py"])
    claim()

    assert "(pytest)" in claim().faults()[0].reason


def test_who_was_alone_leaves_no_file(claim, tmp_path):
    claim().close()

    assert files(tmp_path) == []


def test_what_others_have_left_is_removed_when_all_have_had_the_time_to_see_it(claim, holder, tmp_path):
    claims = claim()
    other = holder()
    other.kill()
    other.wait()
    claims.close()
    left = len(files(tmp_path))

    claim().close()
    young = len(files(tmp_path))
    make_old(tmp_path)
    claim().close()

    assert (left, young, len(files(tmp_path))) == (2, 2, 0)


def test_the_file_of_a_living_owner_is_never_removed_however_old(claim, holder, tmp_path):
    holder()
    make_old(tmp_path)

    assert claim().faults() != ()
    assert len(files(tmp_path)) == 2


def test_whose_file_was_tidied_away_claims_again(claim, tmp_path):
    import shutil

    claims = claim()
    shutil.rmtree(tmp_path / "claims")

    claims.look()

    assert len(files(tmp_path)) == 1
    assert claims.problem is None


def test_meters_without_devices_claim_nothing(claim, tmp_path):
    claims = Claims([], tmp_path / "claims")

    claims.look()
    claims.close()

    assert not (tmp_path / "claims").exists()
    assert (claims.faults(), claims.problem) == ((), None)


def test_closing_twice_and_looking_afterwards_do_nothing(claim):
    claims = claim()
    claims.close()

    claims.close()
    claims.look()
    claims.look_if_changed()

    assert claims.faults() == ()


def unusable(tmp_path, how):
    folder = tmp_path / "unusable"
    if how == "a file":
        folder.write_text("")
    elif how == "a link":
        (tmp_path / "elsewhere").mkdir()
        folder.symlink_to(tmp_path / "elsewhere")
    else:
        folder = folder / "missing" / "claims"
    return folder


@pytest.mark.parametrize("how", ["a file", "a link", "nowhere"])
def test_a_folder_that_cannot_be_used_makes_the_claims_unknown(claim, tmp_path, how):
    folder = unusable(tmp_path, how)

    claims = claim(folder=folder)
    claims.look()
    claims.look_if_changed()
    claims.close()

    assert claims.problem.startswith(f"nobody can tell whether others bill the same devices: {folder}: ")
    assert claims.faults() == ()
    assert not list(tmp_path.glob("elsewhere/*"))


@pytest.mark.parametrize("call", ["mkdir", "open", "write"])
def test_a_read_only_or_full_disk_makes_the_claims_unknown(claim, monkeypatch, tmp_path, call):
    problem = OSError(errno.EROFS, os.strerror(errno.EROFS))
    genuine = os.open

    def refuse(path, flags=0, *arguments, **options):
        if call == "open" and not flags & os.O_CREAT:
            return genuine(path, flags, *arguments, **options)
        raise problem

    monkeypatch.setattr(os, call, refuse)

    claims = claim()

    assert claims.problem.endswith("Read-only file system")
    monkeypatch.undo()
    assert call == "mkdir" or files(tmp_path) == []


def test_without_flock_the_claims_are_unknown(claim, monkeypatch):
    monkeypatch.setitem(sys.modules, "fcntl", None)

    claims = claim()
    monkeypatch.undo()

    assert "nobody can tell whether others bill the same devices" in claims.problem
    assert "fcntl" in claims.problem


JUNK = {
    "garbage": b"\xff\x00not json\n",
    "number": b"7\n",
    "list": b"[1]\n",
    "wrong_types": b'{"pid": "me", "devices": "package-0", "since_seconds": "now"}\n',
    "nan": b'{"pid": 1, "program": "x", "devices": ["cpu:package-0"], "since_seconds": NaN}\n',
    "deep": b"[" * 50000,
    "huge": b'{"pid": 1, "program": "x", "devices": ["cpu:package-0"], "since_seconds": 1%s}\n'
    % (b"0" * 400),
    "empty": b"",
}


def test_what_others_put_there_is_left_alone(claim, tmp_path):
    claims = claim()
    folder = tmp_path / "claims"
    for name, content in JUNK.items():
        (folder / name).write_bytes(content)
    os.mkfifo(folder / "fifo")
    (folder / "folder").mkdir()
    (folder / "link").symlink_to("/dev/zero")

    claims.look()
    make_old_but_links(folder)
    claims.look()

    assert (claims.faults(), claims.problem) == ((), None)


def make_old_but_links(folder):
    for path in folder.iterdir():
        os.utime(path, (0, 0), follow_symlinks=False)


def test_a_claim_of_the_past_or_the_future_stays_within_what_was_seen(claim, clock, tmp_path):
    claims = claim()
    for name, since in (("past", -1e9), ("future", 1e9)):
        line = {"pid": 1, "program": "x\x1b[2J", "devices": ["cpu:package-0"], "since_seconds": since}
        (tmp_path / "claims" / name).write_text(json.dumps(line))

    clock.seconds = 1001.0
    claims.look()

    assert sorted((fault.at_seconds, fault.seconds) for fault in claims.faults()) == [
        (1000.0, 1.0),
        (1001.0, 0.0),
    ]
    assert all("(x[2J)" in fault.reason for fault in claims.faults())


def count(domain, device, source, kind="measured", witness=False):
    return Count(domain, device, source, kind, 1.0, 0.0, witness=witness)


def test_only_what_a_counter_of_the_whole_machine_shows_is_billed():
    """Two users of one virtual machine, each with models of his own processes, bill nothing of each other."""
    models = [
        count("cpu", "machine", "cpu_seconds_model", "modelled"),
        count("cpu", "machine", "codecarbon_cpu_load_model", "modelled"),
        count("ram", "machine", "codecarbon_ram_model", "modelled"),
    ]
    counters = [
        count("cpu", "package-0", "rapl"),
        count("gpu", "GPU-1,GPU-2", "codecarbon_gpu"),
        count("machine", "plug.csv", "outside_power", witness=True),
        count("gpu", "all", "missing"),
    ]

    assert billed(models) == set()
    assert billed(counters) == {"cpu:package-0", "gpu:GPU-1", "gpu:GPU-2"}


def test_two_openers_of_models_are_not_billed_twice():
    """Seen live by two users of one machine, whose CPU models bill their own process trees."""
    import energy

    with energy.open_meters("cpu_model") as first, energy.open_meters("cpu_model") as second:
        before = energy.read(first), energy.read(second)
        after = energy.read(first), energy.read(second)

    for start, end in zip(before, after, strict=True):
        assert "billed_twice" not in (end - start).flags()


def test_many_openers_at_once_all_know_of_each_other(tmp_path):
    """Eight processes open at the same moment; each must have seen the seven others before it closes."""
    code = HOLDER.format(device="cpu:package-0", folder=str(tmp_path / "claims"), then=MEET)
    start = time.monotonic() + 1.5
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(start)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for _ in range(8)
    ]

    said = [[process.stdout.readline().strip() for _ in range(2)] for process in processes]
    for process in processes:  # nobody leaves before all have been seen
        process.communicate(timeout=60.0)

    assert said == [["held", "7"]] * 8
    assert claims_file.Claims(["cpu:package-0"], tmp_path / "claims").faults() == ()


MEET = """
end = time.monotonic() + 30.0
while len(claims.faults()) < 7 and time.monotonic() < end:
    claims.look()
    time.sleep(0.01)
print(len(claims.faults()), flush=True)
sys.stdin.read()
claims.close()
"""
