"""The results folder: nothing half-written, no number twice, everything found again."""

import json
import os
import subprocess
import sys

import pytest

from energy.records.metrics import summarise_metric
from energy.records.schema import RecordError
from energy.records.storage import store as module
from energy.records.storage.runfile import StoreError, list_records
from energy.records.storage.store import Store
from tests.simulated.records import COMMIT, domain, failed, record, run

CPU, GPU = "epyc-2c-cpu-91bc", "h200-700w-3f2a"


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "results")


def test_what_was_written_is_read_again_unchanged(store):
    data = run([record(), failed("unet-bf16")])

    path = store.write(data)

    assert store.load(path) == json.loads(json.dumps(data))
    assert list_records(store.load(path)) == [record(), failed("unet-bf16")]


def test_a_run_is_named_by_machine_number_and_commit(store):
    first, second = store.write(run([record()])), store.write(run([record()]))

    assert first == store.root / CPU / "0001_01234567.json"
    assert second == store.root / CPU / "0002_01234567.json"


def test_a_checkout_with_changes_says_so_in_the_name(store):
    data = run([record()]) | {"commit_info": COMMIT | {"dirty": True}}

    assert store.write(data).name == "0001_01234567+dirty.json"


def test_a_folder_without_version_control_is_written_in_full(store):
    data = run([record()]) | {"commit_info": COMMIT | {"id": "unversioned"}}

    assert store.write(data).name == "0001_unversioned.json"


def test_a_saved_name_stands_in_place_of_the_commit(store):
    assert store.write(run([record()]), "main").name == "0001_main.json"


@pytest.mark.parametrize("name", ["a/b", "", "..\\x", "a b", "x\n"])
def test_a_name_that_is_no_part_of_a_file_name_is_refused(store, name):
    with pytest.raises(ValueError, match="expected letters"):
        store.write(run([record()]), name)

    assert store.runs() == []


def test_an_invalid_run_is_refused_and_nothing_is_written(store):
    broken = run([record()])
    del broken["benchmarks"][0]["extra_info"]["energy"]["keys"]

    with pytest.raises(RecordError, match='"keys" is a required property'):
        store.write(broken)

    assert not store.root.exists()


def test_an_interrupted_write_leaves_neither_a_file_nor_a_claim(store, monkeypatch):
    folder = store.prepare(CPU)
    before = sorted(folder.iterdir())

    def interrupted(descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        store.write(run([record()]))

    assert sorted(folder.iterdir()) == before


def test_the_claim_of_a_killed_process_costs_a_number_and_no_more(store):
    folder = store.prepare(CPU)
    (folder / ".0001.tmp").write_text("half of a fi")

    path = store.write(run([record()]))

    assert path.name.startswith("0002_")
    assert [found.path for found in store.runs()] == [path]


def test_a_number_taken_between_listing_and_claiming_is_not_taken_again(store, monkeypatch):
    """The other process renames its claim after we listed the folder: the list is stale, the claim free."""
    store.write(run([record()]), "other")
    stale = [set()]
    numbers = module._numbers
    monkeypatch.setattr(module, "_numbers", lambda folder: stale.pop() if stale else numbers(folder))

    assert store.write(run([record()]), "ours").name == "0002_ours.json"


WRITER = """
import sys
from pathlib import Path
from energy.records.storage.store import Store
from tests.simulated.records import record, run
for number in range(20):
    Store(Path(sys.argv[1])).write(run([record(f"unet-{sys.argv[2]}{number}")]))
"""


def test_two_processes_that_write_at_once_never_share_a_number(store):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    commands = [[sys.executable, "-c", WRITER, str(store.root), name] for name in "ab"]
    writers = [subprocess.Popen(command, env=environment) for command in commands]

    codes = [process.wait(timeout=50) for process in writers]

    assert codes == [0, 0]
    assert [found.number for found in store.runs()] == list(range(1, 41))
    assert len({stored.record["case"] for stored in store.records()}) == 40
    assert not list(store.root.glob("*/.*.tmp"))


def test_preparing_shows_a_writable_folder_and_ignores_the_journal_only(store):
    folder = store.prepare(CPU)

    assert [path.name for path in folder.iterdir()] == [".gitignore"]
    assert "journal.jsonl" in (folder / ".gitignore").read_text().splitlines()
    assert store.journal(CPU) == folder / "journal.jsonl"


def test_a_folder_that_exists_gets_no_gitignore(store):
    (store.root / CPU).mkdir(parents=True)

    store.prepare(CPU)

    assert list((store.root / CPU).iterdir()) == []


def test_a_results_folder_that_is_a_file_is_named_before_anything_runs(tmp_path):
    blocked = tmp_path / "results"
    blocked.write_text("not a folder")

    with pytest.raises(StoreError, match=f"{blocked}.* cannot be written: .*; name another folder"):
        Store(blocked).prepare(CPU)

    assert blocked.read_text() == "not a folder"


def test_a_folder_that_refuses_a_file_is_named_before_anything_runs(store, monkeypatch):
    """Root may write anywhere, so the system's refusal of a read-only disk is played by hand."""

    def refused(*args, **kwargs):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("tempfile.TemporaryFile", refused)
    with pytest.raises(StoreError, match="cannot be written: Read-only file system"):
        store.prepare(CPU)


@pytest.fixture
def filled(store):
    """Three runs on a CPU, then one on a GPU."""
    for day, name in ((1, "main"), (2, "branch"), (3, "main")):
        store.write(run([record()], CPU, day), name)
    store.write(run([record()], GPU, 9), "main")
    return store


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        (f"{CPU}/0002", f"{CPU}/0002_branch.json"),
        ("0002", f"{CPU}/0002_branch.json"),
        ("0002_branch", f"{CPU}/0002_branch.json"),
        ("0002_branch.json", f"{CPU}/0002_branch.json"),
        ("branch", f"{CPU}/0002_branch.json"),
        (f"{CPU}/main", f"{CPU}/0003_main.json"),
        (CPU, f"{CPU}/0003_main.json"),
        ("h200*/0001", f"{GPU}/0001_main.json"),
        ("h200*", f"{GPU}/0001_main.json"),
        ("epyc*/000[12]", f"{CPU}/0002_branch.json"),
        (None, f"{GPU}/0001_main.json"),
    ],
)
def test_a_run_is_found_by_any_of_its_names(filled, reference, expected):
    assert filled.find(reference) == filled.root / expected


def test_a_run_is_found_by_its_path(filled, tmp_path):
    path = tmp_path / "results" / CPU / "0001_main.json"

    assert filled.find(str(path)) == path


def test_every_run_is_found_by_its_reference(filled):
    assert [filled.find(found.reference) for found in filled.runs()] == [
        found.path for found in filled.runs()
    ]


def test_a_name_that_means_runs_of_two_machines_is_refused(filled):
    with pytest.raises(StoreError, match=f"several runs: .*{CPU}/0001, {GPU}/0001; say which"):
        filled.find("0001")


def test_a_misspelt_run_gets_the_nearest_names(filled):
    with pytest.raises(StoreError, match="did you mean branch"):
        filled.find("brnch")


def test_an_empty_store_says_what_to_do(store):
    with pytest.raises(StoreError, match="run a benchmark first"):
        store.find("0001")


def test_numbers_above_9999_stay_in_order(store):
    folder = store.prepare(CPU)
    text = json.dumps(run([record()]))
    for name in ("9999_a.json", "10000_b.json", "0010_c.json"):
        (folder / name).write_text(text)

    assert [found.number for found in store.runs()] == [10, 9999, 10000]
    assert store.write(run([record()])).name.startswith("10001_")


def test_files_of_other_names_are_no_runs(store):
    folder = store.prepare(CPU)
    for name in ("baseline.json", "journal.jsonl", "001_x.json", "notes.txt"):
        (folder / name).write_text("{}")

    assert store.runs() == []


@pytest.mark.parametrize("text", ["", "{", "[1, 2", '{"benchmarks": ['])
def test_a_damaged_file_is_named(store, text):
    path = store.prepare(CPU) / "0001_x.json"
    path.write_text(text)

    with pytest.raises(RecordError, match=r"0001_x\.json: damaged, not JSON"):
        store.load(path)


def test_the_newest_good_case_of_equal_keys_is_the_reference(store):
    keys = record()["keys"]
    store.write(run([record(recipe={"run": 1})]))
    store.write(run([record(recipe={"run": 2})]))
    store.write(run([failed("unet-baseline")]))
    store.write(run([record(keys=keys | {"data": "other"})]))

    found = store.latest_case("unet-baseline", keys)

    assert found.record["recipe"] == {"run": 2}
    assert found.run.reference == f"{CPU}/0002"


@pytest.mark.parametrize("key", ["hardware", "software", "data", "case"])
def test_a_case_that_differs_in_one_key_is_no_reference(store, key):
    store.write(run([record()]))

    assert store.latest_case("unet-baseline", record()["keys"] | {key: "other"}) is None


def test_the_reference_is_of_the_code_that_is_asked_for_and_has_all_the_seeds(store):
    keys, three = record()["keys"], {"seeds": [0, 1, 2]}
    metrics = {name: summarise_metric(name, [1.0, 2.0, 3.0]) for name in ("total_kj", "seconds")}
    figures = {"metrics": metrics, "epochs": [], "domains": [domain([1.0, 2.0, 3.0])], "reference": None}
    store.write(run([record(budget=three, code="mine", **figures)]))
    store.write(run([record(budget={"seeds": [0]}, code="mine")]))
    store.write(run([record(budget={"seeds": [0]}, code="other")]))

    def number(**wanted):
        found = store.latest_case("unet-baseline", keys, **wanted)
        return found and found.run.number

    assert number() == 3
    assert number(code="mine") == number(code="mine", seeds=[0]) == 2
    assert number(code="mine", seeds=[0, 2]) == 1
    assert number(code="mine", seeds=[3]) is None


def test_a_file_that_is_not_valid_is_no_reference_and_keeps_from_no_other(store):
    store.write(run([record()]))
    path = store.write(run([record()]))
    data = json.loads(path.read_text())
    del data["benchmarks"][0]["extra_info"]["energy"]["metrics"]
    path.write_text(json.dumps(data))
    told = []
    found = Store(store.root, told.append).latest_case("unet-baseline", record()["keys"])

    assert found.run.number == 1
    assert told == [one for one in told if '"metrics" is a required property' in one] != []


def test_inference_is_no_reference_for_training(store):
    store.write(run([record(task="inference")]))

    assert store.latest_case("unet-baseline", record()["keys"]) is None
    assert store.latest_case("unet-baseline", record()["keys"], task="inference") is not None
