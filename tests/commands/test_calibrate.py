"""`python -m energy calibrate`: an A/A run on a meter of known power, and as a real process."""

import copy
import json
import math
import os
import signal
import statistics
import subprocess
import sys
import time

import psutil
import pytest

from energy.__main__ import main
from energy.analysis import calibration
from energy.analysis.compare.gate import parse_gate
from energy.commands import _aa, _work
from energy.reading import Count
from energy.report.terminal.noise import format_noise

RAM_JOULES = 25.0
READING_SECONDS = 0.01
QUICK = ("--meters", "codecarbon", "--idle", "0.1")
PROCESS = [sys.executable, "-m", "energy", "calibrate", *QUICK]


class Counting:
    """A meter whose count depends on how often it was read, and on nothing else."""

    name = "counting"
    period_seconds = None
    slow = False
    closed = False

    def __init__(self):
        self.pid = os.getpid()
        self.readings = 0
        self.cpu_joules = 0.0

    def counts(self):
        time.sleep(READING_SECONDS)
        self.cpu_joules += cpu_joules(self.readings)
        self.readings += 1
        now = time.monotonic()
        return (
            Count("cpu", "package-0", "rapl", "measured", self.cpu_joules, now),
            Count("ram", "machine", "ram_model", "modelled", RAM_JOULES * self.readings, now),
        )

    def faults(self):
        return ()


def cpu_joules(reading):
    """Return what is counted between a reading and the one before it."""
    return 100.0 + (7 * reading) % 5


def window_joules():
    """Return what the CPU counts in each of the six windows: two readings of idle and five of cost before."""
    return [cpu_joules(7 + 2 * number + 1) for number in range(6)]


@pytest.fixture(scope="module")
def measured():
    """Return what an A/A run finds on that meter."""
    work = _work.Work("sleeping", None, lambda: time.sleep(0.01))
    return _aa.measure_work([Counting()], work, "ABBABA", 0.05, lambda text: None)


@pytest.fixture
def found(measured):
    """Return it as a copy that a test may change."""
    return copy.deepcopy(measured)


def noise_file(folder):
    (path,) = folder.glob("*/noise.json")
    return json.loads(path.read_text())


def test_the_noise_is_that_of_the_joules_in_the_windows_and_of_nothing_else(found):
    cpu, ram = found["metrics"]["cpu_kj"], found["metrics"]["ram_kj"]
    logs = [math.log(joules) for joules in window_joules()]

    assert cpu["mean"] == pytest.approx(statistics.fmean(window_joules()) / 1000)
    assert cpu["noise"] == pytest.approx(statistics.stdev(logs))
    assert (ram["mean"], ram["noise"], ram["a_to_b"]) == pytest.approx((RAM_JOULES / 1000, 0.0, 1.0))
    assert ram["detectable"] == pytest.approx({"3": 0.0, "5": 0.0})


def test_power_is_energy_by_time(found):
    for row in found["windows"]:
        values = row["values"]

        assert values["mean_watts"] == pytest.approx(1000 * values["total_kj"] / values["seconds"])


def test_idle_watts_and_the_cost_of_a_reading_are_those_of_the_meter(found):
    idle = found["idle"]

    assert idle["watts"]["cpu"] == pytest.approx(cpu_joules(1) / idle["seconds"])
    assert idle["watts"]["total"] == pytest.approx((cpu_joules(1) + RAM_JOULES) / idle["seconds"])
    assert found["self_cost"]["reading_seconds"] >= READING_SECONDS
    assert found["self_cost"]["cpu_share"] > 0
    assert found["self_cost"]["threads"] >= 1


def test_every_figure_says_whether_it_was_measured_or_modelled(found):
    kinds = {name: noise["kind"] for name, noise in found["metrics"].items()}

    assert kinds == {
        "total_kj": "mixed",
        "gpu_kj": None,
        "cpu_kj": "measured",
        "ram_kj": "modelled",
        "seconds": "measured",
        "mean_watts": "mixed",
    }


def test_a_domain_without_a_meter_is_unknown_with_a_reason_and_never_0(found):
    gpu = found["metrics"]["gpu_kj"]

    assert gpu["reason"] == "no meter read the gpu in this run"
    assert [gpu[name] for name in ("mean", "noise", "a_to_b", "detectable")] == [None] * 4


def test_the_windows_are_kept_so_that_anybody_can_compute_it_again(found):
    rows = found["windows"]
    values = [row["values"]["total_kj"] for row in rows]
    again = calibration.find_statistics(
        values, [row["label"] for row in rows], [row["starts_seconds"] for row in rows]
    )

    assert "".join(row["label"] for row in rows) == found["order"] == "ABBABA"
    assert found["metrics"]["total_kj"]["a_to_b"] == again["a_to_b"]


def test_the_noise_is_told_in_plain_words(found):
    text = "\n".join(format_noise(found))

    assert "total energy is mixed (ram_model + rapl): this says how it repeats, not how right it is" in text
    assert "runs of the same work differ by ±" in text
    assert "with n = 3 a change below" in text
    assert "gpu_kj: unknown, no meter read the gpu in this run" in text
    assert "idle power: cpu " in text


def test_a_difference_between_equals_and_a_drift_are_called_out(found):
    total = found["metrics"]["total_kj"]
    total |= {"a_to_b": 1.05, "a_to_b_ci95": [1.02, 1.08], "drift": 0.1, "drift_ci95": [0.05, 0.15]}

    text = "\n".join(format_noise(found))

    assert "A and B are the same work, yet A/B is 1.0500 [1.0200, 1.0800]" in text
    assert "it drifts by +10 % from the first to the last window" in text


def test_where_the_total_is_unknown_the_words_are_about_time(found):
    found["metrics"]["total_kj"] |= {"reason": "no meter read the ram in this run"}

    lines = list(format_noise(found))

    assert lines[0] == "total energy: unknown, no meter read the ram in this run"
    assert lines[1] == "wall time is measured (monotonic_clock)"


def test_it_says_what_a_suite_can_tell_and_which_gate_follows(found):
    found["metrics"]["total_kj"] |= {"noise": 0.03, "n": 20}

    lines = list(format_noise(found))

    begin = lines.index("the least increase of total_kj in one case that a comparison of two runs can tell:")
    assert [" ".join(line.split()) for line in lines[begin + 1 : begin + 5]] == [
        "cases n = 1 n = 3 n = 5 n = 10",
        "1 12 % 7.7 % 5.3 % 3.5 %",
        "8 17 % 9 % 6.7 % 4.6 %",
        "24 19 % 9.7 % 7.4 % 5.1 %",
    ]
    assert lines[-1].strip() == "--energy-compare=main --energy-fail kj_per_epoch:10%"
    (gate,) = [part for part in lines[-1].split() if part.startswith("kj_per_epoch")]
    assert parse_gate(gate, "calibrate").limit == pytest.approx(0.10)


def test_where_the_total_is_unknown_the_gate_is_about_time(found):
    found["metrics"]["total_kj"] |= {"reason": "no meter read the ram in this run"}

    assert "--energy-fail s_per_epoch:" in list(format_noise(found))[-1]


def test_where_nothing_is_known_no_gate_is_advised(found):
    for name in ("total_kj", "seconds"):
        found["metrics"][name] |= {"reason": "unknown"}

    assert "--energy-fail" not in "\n".join(format_noise(found))


def test_the_work_is_the_same_amount_each_time_whatever_it_takes(monkeypatch):
    done = []
    monkeypatch.setattr("hashlib.pbkdf2_hmac", lambda *arguments: time.sleep(0.001) or done.append(arguments))
    work = _work.make_hashing(0.05, threads=2)
    amounts = []
    for _ in range(3):
        done.clear()
        work.run()
        amounts.append(len(done))

    assert len(set(amounts)) == 1
    assert work.description.startswith(f"2 x {amounts[0] // 2} x ")


def test_a_real_process_writes_a_whole_file_that_is_no_run(tmp_path):
    done = subprocess.run(
        [*PROCESS, "--repeats", "4", "--seconds", "0.2", "--storage", str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    )

    found = noise_file(tmp_path)
    assert sorted(found["order"]) == ["A", "A", "B", "B"]
    assert found["metrics"]["total_kj"]["kind"] == "modelled"
    assert found["metrics"]["seconds"]["mean"] > 0.05
    assert found["meters"] == ["codecarbon"]
    assert sorted(path.name for path in tmp_path.glob("*/*")) == [".gitignore", "noise.json"]
    assert "cannot be told from noise" in done.stdout
    assert str(next(tmp_path.glob("*/noise.json"))) in done.stdout
    assert main(["list", "--storage", str(tmp_path)]) == 0


def test_every_field_of_the_file_is_described(found):
    names = {*_aa.describe_run([], "x"), *found, *found["work"], *found["idle"], *found["self_cost"]}
    names |= {*found["metrics"]["cpu_kj"], *found["windows"][0], *found["metrics"]["cpu_kj"]["detectable"]}

    assert {name for name in names | set(found["metrics"]) if f'"{name}"' not in calibration.__doc__} == set()


def test_a_command_is_run_once_to_warm_up_and_once_per_window(tmp_path):
    command = f"echo x >> {tmp_path / 'runs'}"

    code = main(
        [
            "calibrate",
            *QUICK,
            "--repeats",
            "4",
            "--command",
            command,
            "--storage",
            str(tmp_path / "out"),
        ]
    )

    assert code == 0
    assert (tmp_path / "runs").read_text().count("x") == 5
    assert noise_file(tmp_path / "out")["work"]["command"] == "echo x >> runs"


def test_a_command_that_fails_is_a_mistake_told_in_one_line_and_nothing_is_written(tmp_path, capsys):
    arguments = ["calibrate", *QUICK, "--command", "echo no such net; exit 3"]

    code = main([*arguments, "--storage", str(tmp_path)])

    error = capsys.readouterr().err
    assert code == 4
    assert "ended with exit code 3: no such net" in error
    assert error.count("\n") == 1
    assert not list(tmp_path.glob("*/noise.json"))


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_ends_the_command_too_and_leaves_the_earlier_file_as_it_was(tmp_path):
    pid_file = tmp_path / "pid"
    command = f"echo $$ > {pid_file}; exec sleep 60"
    process = subprocess.Popen(
        [*PROCESS, "--command", command, "--storage", str(tmp_path / "out")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not (pid_file.exists() and pid_file.read_text().strip()):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)

    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=30)

    assert process.returncode == 2
    assert error == "joulebench: interrupted; nothing was written\n"
    assert not list((tmp_path / "out").glob("*/noise.json"))
    end = time.monotonic() + 30  # init takes a moment to bury it
    while psutil.pid_exists(int(pid_file.read_text())) and time.monotonic() < end:
        time.sleep(0.05)
    assert not psutil.pid_exists(int(pid_file.read_text()))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--repeats 3", "3 windows: expected an even number, 4 or more"),
        ("--seconds 0", "--seconds 0: expected more than 0"),
        ("--seconds nan", "--seconds nan: expected more than 0"),
        ("--seconds inf", "--seconds inf: expected more than 0"),
        ("--idle 0", "--idle 0: expected more than 0"),
        ("--threads 0", "--threads 0: expected more than 0"),
        ("--command true --seconds 3", "--seconds is about hashing and does nothing to a --command"),
        ("--command true --threads 2", "--threads is about hashing and does nothing to a --command"),
        ("--command= ", "--command is empty"),
        ("--meters nvmll", "did you mean nvml"),
        ("--repeats many", "invalid int value: 'many'"),
    ],
)
def test_a_mistake_is_told_at_once_in_one_line(arguments, said, tmp_path, capsys):
    code = main(["calibrate", *arguments.split(), "--storage", str(tmp_path)])

    error = capsys.readouterr().err
    assert code == 4
    assert said in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_told_before_anything_is_measured(tmp_path, capsys):
    (tmp_path / "out").write_text("")

    code = main(["calibrate", *QUICK, "--storage", str(tmp_path / "out")])

    captured = capsys.readouterr()
    assert code == 4
    assert "cannot be written" in captured.err
    assert captured.out == ""
