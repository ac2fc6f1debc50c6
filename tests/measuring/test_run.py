"""A whole run on a simulated GPU: fingerprint, synchronisation, idle power, record and file."""

import json
import sys
import time

import pytest

from energy.measuring.run import Device, Run, Settings
from tests.simulated.machine import Constant, Machine
from tests.simulated.nvml import LIBRARY_NOT_FOUND, Gpu, Library

WATTS = 300.0


class RealTime(Machine):
    """A simulated machine on the real clock, for code that sleeps."""

    def now(self):
        return time.monotonic()


@pytest.fixture
def library(monkeypatch):
    """NVML as the meters find it when they import it."""
    fake = Library(RealTime(Constant(WATTS)), [Gpu(step_seconds=0.02)])
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    return fake


def settings(folder, **changes):
    values = {
        "meters": "nvml",
        "outside": None,
        "idle_seconds": 0.4,
        "storage": folder,
        "save": True,
        "name": None,
        "json_path": None,
        "resume": False,
        "grid_g_per_kwh": None,
        "command": "pytest benchmarks",
    }
    return Settings(**(values | changes))


def measure(run, name="unet-baseline", seconds=0.6):
    case = run.case(name)
    with case.window(seed=0) as repeat:
        time.sleep(seconds)
        repeat.window.mark("epoch", epoch=1, slices=8, loss=0.5, val_dice=0.5)
        time.sleep(0.1)
    repeat.observe(dice=0.5)
    return run.finish(case)


def test_a_run_on_a_gpu_names_the_board_synchronises_and_counts_its_joules(library, tmp_path):
    waited = []
    device = Device(gpus=(library.gpus[0].uuid,), synchronize=lambda: waited.append(time.monotonic()))
    run = Run(settings(tmp_path), device, say=print)
    run.open()
    before = len(waited)

    record = measure(run)
    path = run.close()

    assert path.parent.name.startswith("h200-700w-")
    (board,) = json.loads(path.read_text())["energy"]["hardware"]["gpus"]
    assert board == {"name": "NVIDIA H200", "memory_mib": 131072, "power_limit_watts": 700.0, "mig": False}
    assert len(waited) - before == 3  # at both edges of the window and at the mark inside it
    gpu = record["metrics"]["gpu_kj"]["mean"] * 1000
    assert gpu == pytest.approx(WATTS * record["metrics"]["seconds"]["mean"], rel=0.15)
    assert run.idle["watts"]["gpu"] == pytest.approx(WATTS, rel=0.15)
    low, high = next(part["band"] for part in record["domains"] if part["source"] == "nvml_counter")
    assert low <= WATTS * record["metrics"]["seconds"]["mean"] <= high
    assert record["metrics"]["total_kj"]["mean"] is None
    assert record["metrics"]["total_kj"]["reason"] == "no meter read the cpu in this run"
    assert library.users == 0


def test_a_mark_that_was_just_made_is_the_end_of_the_window(library, tmp_path):
    run = Run(settings(tmp_path, idle_seconds=0.0), Device(gpus=(library.gpus[0].uuid,)), say=print)
    run.open()

    with run.case("unet-baseline").window() as repeat:
        time.sleep(0.1)
        repeat.window.mark("epoch")
    run.close()

    assert repeat.window.last == repeat.window.marks[-1].reading


def test_a_gpu_that_is_lost_leaves_its_joules_unknown_and_the_case_in_the_file(library, tmp_path):
    run = Run(settings(tmp_path, idle_seconds=0.0), Device(gpus=(library.gpus[0].uuid,)), say=print)
    run.open()
    library.gpus[0].lost_at = time.monotonic() + 0.3

    record = measure(run)
    run.close()

    assert record["metrics"]["gpu_kj"]["mean"] is None
    assert "lost" in record["metrics"]["gpu_kj"]["reason"]
    assert "lost_device" in record["validity"]["invalid"]


def test_a_gpu_that_no_named_meter_reads_makes_the_total_unknown(library, tmp_path):
    device = Device(gpus=(library.gpus[0].uuid,))
    run = Run(settings(tmp_path, meters="codecarbon", idle_seconds=0.0), device, say=print)
    library.init_error = LIBRARY_NOT_FOUND
    run.open()

    record = measure(run)
    run.close()

    assert record["metrics"]["cpu_kj"]["mean"] > 0
    assert record["metrics"]["total_kj"]["mean"] is None
    assert "none of the meters asked for reads these GPUs" in record["metrics"]["total_kj"]["reason"]


def test_the_uuid_that_torch_gives_is_found_without_its_prefix(library, tmp_path):
    uuid = library.gpus[0].uuid.removeprefix("GPU-")
    run = Run(settings(tmp_path, idle_seconds=0.0), Device(gpus=(uuid,)), say=print)
    run.open()

    record = measure(run)
    run.close()

    assert run.fingerprint.startswith("h200-700w-")
    assert record["metrics"]["gpu_kj"]["mean"] > 0


def test_another_board_is_another_folder(library, tmp_path):
    folders = set()
    for watts in (700.0, 500.0):
        library.gpus[0].limit_watts = watts
        run = Run(settings(tmp_path, idle_seconds=0.0), Device(gpus=(library.gpus[0].uuid,)), say=print)
        run.open()
        measure(run, seconds=0.2)
        folders.add(run.close().parent.name)

    assert {name.rsplit("-", 1)[0] for name in folders} == {"h200-700w", "h200-500w"}
