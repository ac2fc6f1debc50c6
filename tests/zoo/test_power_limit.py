"""A lower power limit comes, is said, and goes again, whatever ends the training: on simulated boards."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

import zoo
from benchmarks.suite import BUDGETS, Suite
from tests.simulated import shared_gpu
from tests.simulated.nvml import Gpu, Script
from tests.simulated.tiny_slices import losses, network, small_recipe
from zoo.device import notes
from zoo.device import power_limit as power
from zoo.training.distilling import make_teachers_recipe

ROOT = Path(__file__).parents[2]
UUID = Gpu().uuid
# A training that is nothing but its limit and a loader's worker, which has the keeper's pipe open, too.
HOLDER = """
import os, sys, time
from pathlib import Path
import zoo
from zoo.device import power_limit as power
power.find_uuid = lambda device: {uuid!r}
with power.limited(zoo.recipe("unet", "power_limit_60")):
    if os.fork() == 0:
        time.sleep(12)
        os._exit(0)
    Path(sys.argv[1]).touch()
    time.sleep(60)
"""


@pytest.fixture
def board(tmp_path, monkeypatch):
    """Let this process and its children find one board of 700 W, alone with notes of their own."""
    shared_gpu.install(tmp_path)
    board = shared_gpu.Shared(tmp_path)
    monkeypatch.setitem(sys.modules, "pynvml", board)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(ROOT)]))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(power, "find_uuid", lambda device: UUID)
    return board


@pytest.fixture
def training(data, monkeypatch):
    """Train a tiny network on the CPU while the board is limited: what torch computes on is not the point."""
    monkeypatch.setattr("zoo.model.build.create_network", network)
    monkeypatch.setattr(power, "unavailable", lambda recipe: None)
    return data


def wait_for(holds, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert holds()


def limit_in_another_process(tmp_path):
    """Start a process that lowers the limit and sleeps; return it once the limit is lowered."""
    ready = tmp_path / "ready"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER.format(uuid=UUID), str(ready)], cwd=ROOT, stderr=subprocess.DEVNULL
    )
    wait_for(ready.exists, 30.0)
    return holder


def keeper_of(pid):
    (keeper,) = [
        child for child in psutil.Process(pid).children() if "keeper.py" in " ".join(child.cmdline())
    ]
    return keeper


def notes_left():
    return sorted(path.name for path in notes.folder().glob("*"))


def test_the_limit_holds_while_it_trains_and_is_said(board, training):
    steps = zoo.epochs(small_recipe(power_limit_percent=60, epochs=2), training)
    applied = next(steps).applied
    during = [board.limit_watts for _ in steps]

    assert applied["power_limit"] == {
        "default_watts": 700.0,
        "before_watts": 700.0,
        "asked_watts": 420.0,
        "enforced_watts": 420.0,
    }
    assert during == [420.0, 420.0]
    assert board.limit_watts == 700.0
    assert notes_left() == []
    assert board.users == 0


def test_a_limit_changes_no_loss(board, training):
    limited = zoo.train(small_recipe(power_limit_percent=60), training)

    assert losses(limited) == losses(zoo.train(small_recipe(), training))


def test_the_limit_that_comes_back_is_the_one_before_not_the_default(board, training):
    board.nvmlInit()
    board.nvmlDeviceSetPowerManagementLimit(board.gpus[0], 600_000)

    applied = zoo.train(small_recipe(power_limit_percent=80, epochs=1), training).applied

    assert applied["power_limit"]["before_watts"] == 600.0
    assert applied["power_limit"]["asked_watts"] == 560.0
    assert board.limit_watts == 600.0


@pytest.mark.parametrize("problem", [RuntimeError("a bug"), KeyboardInterrupt()], ids=repr)
def test_an_exception_in_the_training_brings_the_limit_back(board, training, monkeypatch, problem):
    seen = []

    def broken(*_):
        seen.append(board.limit_watts)
        raise problem

    monkeypatch.setattr("zoo.training.loop._validate", broken)
    with pytest.raises(type(problem)):
        zoo.train(small_recipe(power_limit_percent=60), training)

    assert seen == [420.0]
    assert board.limit_watts == 700.0


def test_a_training_that_is_left_early_brings_the_limit_back(board, training):
    steps = zoo.epochs(small_recipe(power_limit_percent=60), training)
    next(steps)
    assert board.limit_watts == 420.0

    steps.close()

    assert board.limit_watts == 700.0


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_process_that_is_killed_leaves_the_limit_of_before(board, tmp_path, number):
    holder = limit_in_another_process(tmp_path)
    assert board.limit_watts == 420.0

    holder.send_signal(number)
    holder.wait(10)

    wait_for(lambda: board.limit_watts == 700.0 and notes_left() == [])


def test_the_keeper_is_deaf_to_what_ends_a_job(board, tmp_path):
    holder = limit_in_another_process(tmp_path)
    keeper = keeper_of(holder.pid)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        keeper.send_signal(number)
    assert os.getsid(keeper.pid) != os.getsid(holder.pid)  # a signal to the job's group does not reach it

    holder.kill()
    holder.wait(10)

    wait_for(lambda: board.limit_watts == 700.0)


def test_what_is_left_after_both_were_killed_the_next_run_undoes(board, tmp_path):
    holder = limit_in_another_process(tmp_path)
    keeper = keeper_of(holder.pid)
    keeper.kill()
    holder.kill()
    holder.wait(10)
    assert board.limit_watts == 420.0
    assert notes_left() == [f"{UUID}.json"]

    undone = []
    wait_for(lambda: undone or undone.extend(power.undo_leftovers()))  # its keeper may still be dying

    assert undone == [UUID]
    assert board.limit_watts == 700.0
    assert notes_left() == []
    assert power.undo_leftovers() == []


def test_a_training_whose_keeper_was_killed_brings_the_limit_back_itself(board, training):
    steps = zoo.epochs(small_recipe(power_limit_percent=60, epochs=1), training)
    next(steps)
    keeper_of(os.getpid()).kill()

    assert len(list(steps)) == 1

    assert board.limit_watts == 700.0
    assert notes_left() == []


def test_a_limit_that_somebody_has_set_since_is_left_alone(board):
    notes.folder().mkdir(parents=True)
    note = {"uuid": UUID, "before_milliwatts": 700_000, "lowered_milliwatts": 420_000}
    (notes.folder() / f"{UUID}.json").write_text(json.dumps(note))
    board.nvmlInit()
    board.nvmlDeviceSetPowerManagementLimit(board.gpus[0], 500_000)

    power.undo_leftovers()

    assert board.limit_watts == 500.0
    assert notes_left() == []


def test_a_note_that_was_torn_while_it_was_written_undoes_nothing(board):
    notes.folder().mkdir(parents=True)
    (notes.folder() / f"{UUID}.json").write_text('{"uuid": "GPU-5c')

    power.undo_leftovers()

    assert board.limit_watts == 700.0
    assert notes_left() == []


def test_the_note_is_written_before_the_limit_is_touched(board, training):
    found = []
    lower = board.nvmlDeviceSetPowerManagementLimit

    def watched(gpu, milliwatts):
        found.append((milliwatts, json.loads((notes.folder() / f"{UUID}.json").read_text())))
        lower(gpu, milliwatts)

    board.nvmlDeviceSetPowerManagementLimit = watched
    zoo.train(small_recipe(power_limit_percent=60, epochs=1), training)

    note = {"uuid": UUID, "before_milliwatts": 700_000, "lowered_milliwatts": 420_000}
    assert found == [(420_000, note)]


def test_two_processes_do_not_limit_one_board(board, tmp_path):
    holder = limit_in_another_process(tmp_path)

    with (
        pytest.raises(power.PowerLimitError, match=f"another process has lowered .*{UUID}"),
        power.limited(small_recipe(power_limit_percent=80)),
    ):
        pass

    assert board.limit_watts == 420.0
    holder.kill()
    holder.wait(10)
    wait_for(lambda: board.limit_watts == 700.0)


@pytest.mark.parametrize(
    ("cap_watts", "percent", "said"),
    [(300.0, 60, "kept to 300 W before and keeps to 300 W now"), (420.0, 60, "420 W was asked for")],
)
def test_a_limit_that_lowers_nothing_is_ineffective(board, monkeypatch, cap_watts, percent, said):
    monkeypatch.setattr(power, "ENFORCED_SECONDS", 0.1)
    board.gpus[0].cap_watts = cap_watts

    with pytest.raises(zoo.Ineffective, match=said), power.limited(small_recipe(power_limit_percent=percent)):
        pass

    assert board.limit_watts == 700.0


def test_a_board_that_ignores_its_limit_is_ineffective_and_gets_it_back(board, monkeypatch):
    monkeypatch.setattr(power, "ENFORCED_SECONDS", 0.1)
    board.nvmlDeviceGetEnforcedPowerLimit = lambda gpu: 700_000

    with (
        pytest.raises(zoo.Ineffective, match="keeps to 700 W now"),
        power.limited(small_recipe(power_limit_percent=60)),
    ):
        pass

    assert board.limit_watts == 700.0


def test_a_driver_that_refuses_is_answered_with_root_and_the_command(board):
    board.is_root = False

    with pytest.raises(power.PowerLimitError) as refusal, power.limited(small_recipe(power_limit_percent=60)):
        pass

    assert "needs root" in str(refusal.value)
    assert f"sudo nvidia-smi -i {UUID} -pl 420" in str(refusal.value)
    assert board.limit_watts == 700.0
    assert notes_left() == []


def test_a_limit_that_cannot_be_put_back_fails_and_leaves_the_note(board, training):
    steps = zoo.epochs(small_recipe(power_limit_percent=60, epochs=1), training)
    next(steps)
    keeper_of(os.getpid()).kill()
    board.gpus[0].scripts.append(Script("nvmlDeviceSetPowerManagementLimit", error=15))

    with pytest.raises(board.NVMLError, match="GPU is lost"):
        list(steps)

    assert notes_left() == [f"{UUID}.json"]


@pytest.mark.parametrize(
    ("percent", "user", "said"),
    [
        (60, 1000, "needs root"),
        (20, 0, "20 % is 140 W; this GPU takes 200 to 700 W"),
        (60, 0, None),
    ],
)
def test_what_cannot_be_limited_is_skipped_with_the_reason(board, monkeypatch, percent, user, said):
    monkeypatch.setattr(os, "geteuid", lambda: user)

    reason = power.unavailable(small_recipe(power_limit_percent=percent, device="cuda:0"))

    assert (reason is None) if said is None else (said in reason)
    assert board.limit_watts == 700.0
    assert "nvmlDeviceSetPowerManagementLimit" not in board.calls


def test_a_mig_instance_is_no_board_to_limit(board, monkeypatch):
    monkeypatch.setattr(power, "find_uuid", lambda device: "GPU-of-an-instance")
    monkeypatch.setattr(os, "geteuid", lambda: 0)

    reason = power.unavailable(small_recipe(power_limit_percent=60, device="cuda:0"))

    assert "no whole GPU" in reason


@pytest.mark.parametrize(("technique", "percent"), [("power_limit_60", 60), ("power_limit_80", 80)])
def test_a_power_limit_is_a_technique_that_a_cpu_skips(technique, percent):
    recipe = zoo.recipe("unet", technique)

    assert recipe.power_limit_percent == percent
    assert zoo.unavailable(recipe) == f"{technique} on cpu: NVML limits the power of NVIDIA GPUs"


def test_two_limits_contradict_each_other():
    with pytest.raises(ValueError, match="contradict each other"):
        zoo.recipe("unet", "power_limit_60+power_limit_80")


@pytest.mark.parametrize("percent", [0, 100, 60.0, "60"])
def test_a_limit_is_a_whole_number_of_per_cent(percent):
    with pytest.raises(ValueError, match=r"power_limit_percent is .* from 1 to 99"):
        small_recipe(power_limit_percent=percent)


@pytest.mark.parametrize(("allowed", "said"), [(False, "--allow-power-limit"), (True, None)])
def test_the_suite_limits_only_if_allowed_to(monkeypatch, allowed, said):
    monkeypatch.setattr(zoo, "unavailable", lambda recipe: None, raising=False)
    suite = Suite(BUDGETS["quick"], None, "cuda:0", threads=1, allow_power_limit=allowed)

    reason = suite.unavailable(small_recipe("power_limit_60"))

    assert (reason is None) if said is None else (said in reason)
    assert suite.unavailable(small_recipe()) is None


def test_a_teacher_is_trained_under_the_student_s_limit_and_sets_none_of_its_own():
    student = small_recipe(power_limit_percent=60, teacher="unet")

    assert make_teachers_recipe(student).power_limit_percent is None
