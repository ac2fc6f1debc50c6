"""The script that says what the meters cost: it measures what it says, in every row."""

import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.audit import meter_cost, spread

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def printed():
    command = [sys.executable, "-m", "tests.audit.overhead", "--seconds", "2", "--rounds", "2"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_every_row_has_a_figure_with_its_spread(printed):
    simulated, *rows = printed.splitlines()

    assert simulated.startswith("simulated, because this machine has none: ")
    assert len(rows) >= 10
    for row in rows:
        assert re.search(r"\d.*\(.*\d.*\)", row), row


@pytest.mark.slow
def test_all_meters_of_a_machine_take_part(printed):
    for name in ("nvml", "rapl", "codecarbon"):
        assert f"  {name} alone" in printed


@pytest.mark.slow
def test_one_round_is_no_interval():
    command = [sys.executable, "-m", "tests.audit.overhead", "--rounds", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)

    assert done.returncode == 2
    assert "an interval needs 2 rounds" in done.stderr


def test_work_of_another_thread_is_background():
    """What polling takes is told from what the waiting thread does by the kernel's clocks of each."""
    import threading

    stop = threading.Event()

    def poll():
        while not stop.is_set():
            meter_cost.in_python()

    threading.Thread(target=poll, daemon=True).start()
    busy = meter_cost._share(0.3)
    stop.set()

    assert busy > 0.05


def test_ratios_are_of_logarithms():
    """Twice as long and half as long are, in the middle, equally long."""
    assert spread.ratio([0.6931, -0.6931, 0.6931, -0.6931]).startswith("1.0000 (")


def test_a_block_that_was_interrupted_moves_a_median_by_nothing():
    calm = [0.001 * number for number in range(-20, 21)]
    interrupted = [*calm[:-1], 5.0]

    assert spread.median_interval(interrupted) == spread.median_interval(calm)


def test_the_interval_of_a_median_holds_it_19_times_in_20():
    """The truth from outside: samples drawn from a distribution whose median is 0."""
    draw = random.Random(1)
    held = 0
    for _ in range(2000):
        low, _, high = spread.median_interval([draw.gauss(0, 1) for _ in range(40)])
        held += low <= 0 <= high

    assert 0.94 <= held / 2000 <= 0.985


def test_the_feeder_moves_counters_in_place(tmp_path):
    file = tmp_path / "energy_uj"
    file.write_text("50000000000\n")
    feeder = subprocess.Popen([sys.executable, "-c", meter_cost.FEEDER, str(file)])
    before = file.stat().st_ino
    for _ in range(1000):
        if int(file.read_text()) > 50_000_000_000:
            break
        meter_cost.time.sleep(0.02)
    feeder.kill()
    feeder.wait()

    assert int(file.read_text()) >= 50_025_000_000
    assert file.stat().st_ino == before
