"""`energy.frame`: one row per repeat, nothing invented, nothing lost."""

import json
import sys

import pandas
import pytest

import energy
from energy.records.metrics import METRICS, summarise_metric
from energy.records.schema import RecordError
from energy.records.storage import gather, journal
from energy.records.storage.frame import BACK, FRONT
from energy.records.storage.runfile import StoreError
from energy.records.storage.store import Store
from tests.simulated.records import COMMIT, block, domain, failed, modelled, record, run

CPU, GPU = "epyc-2c-cpu-91bc", "h200-700w-3f2a"
PLAIN = {
    "benchmarks": [{"fullname": "tests/test_it.py::test_it", "stats": {"mean": 1.5}}],
    "datetime": "2026-01-01T00:00:00+00:00",
    "commit_info": COMMIT,
}


def three_seeds():
    """A record of three seeds, the temperature of which nobody knows."""
    whole = record("enet-cache", domains=[modelled([1.0, 2.0, 3.0])])
    whole["budget"] = {**whole["budget"], "seeds": [7, 8, 9]}
    whole["metrics"] = {
        "dice": summarise_metric("dice", [0.5, 0.6, 0.7]),
        "total_kj": summarise_metric("total_kj", [1.0, 2.0, 3.0]),
        "seconds": summarise_metric("seconds", [10.0, 20.0, 30.0]),
        "temp_rise_c": summarise_metric("temp_rise_c", [None, None, None], "no sensor"),
    }
    whole["epochs"], whole["reference"] = [], None
    return whole


@pytest.fixture
def results(tmp_path):
    store = Store(tmp_path / "results")
    store.write(run([three_seeds(), failed("unet-bf16")], CPU, day=3))
    store.write(
        run([record(validity={"ok": False, "invalid": ["gap", "throttled"], "notes": []})], GPU, day=2)
    )
    return store.root


def test_one_repeat_is_one_row_with_its_own_seed_and_figures(results):
    table = energy.frame(results)

    enet = table[table["case"] == "enet-cache"]
    assert enet["seed"].tolist() == [7, 8, 9]
    assert enet["repeat"].tolist() == [0, 1, 2]
    assert enet["dice"].tolist() == [0.5, 0.6, 0.7]
    assert enet["total_kj"].tolist() == [1.0, 2.0, 3.0]
    assert set(enet["kind"]) == {"modelled"}
    assert set(enet["machine"]) == {CPU}
    assert set(enet["arch"]) == {"enet"}
    assert set(enet["technique"]) == {"cache"}


def test_what_is_unknown_is_nan_and_never_0(results):
    table = energy.frame(results)

    assert table["temp_rise_c"].isna().all()
    assert table["peak_gpu_mib"].isna().all()


def test_a_failed_case_is_one_row_with_its_status_and_no_figure(results):
    table = energy.frame(results)

    (row,) = table[table["case"] == "unet-bf16"].to_dict("records")
    assert row["status"] == "oom"
    assert pandas.isna(row["seed"])
    assert all(pandas.isna(row[name]) for name in METRICS)


def test_the_columns_and_their_types_are_always_the_same(results, tmp_path):
    (tmp_path / "plain.json").write_text(json.dumps(PLAIN))

    ours, plain = energy.frame(results), energy.frame(tmp_path / "plain.json")

    assert list(ours.columns) == list(plain.columns) == [*FRONT, *METRICS, *BACK]
    assert ours.dtypes.equals(plain.dtypes)
    assert all(ours[name].dtype == "float64" for name in METRICS)
    assert ours["seed"].dtype == "Int64"
    assert ours["dirty"].dtype == "bool"
    assert str(ours["datetime"].dtype.tz) == "UTC"


def test_validity_commit_and_time_stand_in_each_row(results):
    table = energy.frame(results)

    (row,) = table[table["machine"] == GPU].to_dict("records")
    assert row["invalid"] == "gap, throttled"
    assert row["commit"] == COMMIT["id"]
    assert row["datetime"] == pandas.Timestamp("2026-01-02T03:14:05Z")
    assert row["run"] == f"{GPU}/0001_01234567"


def test_budget_and_data_say_which_rows_may_be_compared(results):
    table = energy.frame(results)

    assert set(table["epochs"]) == {2}
    assert set(table["image_size"]) == {64}
    assert set(table["data"]) == {"77ab"}
    assert set(table["software"]) == {"5f0e"}


def test_a_plain_file_has_its_seconds(tmp_path):
    (tmp_path / "plain.json").write_text(json.dumps(PLAIN))

    (row,) = energy.frame(tmp_path / "plain.json").to_dict("records")

    assert row["seconds"] == 1.5
    assert pandas.isna(row["total_kj"])
    assert pandas.isna(row["machine"])
    assert pandas.isna(row["epochs"])


def test_a_run_that_has_not_ended_is_there_and_says_so(tmp_path):
    path = tmp_path / CPU / "journal.jsonl"
    path.parent.mkdir()
    time = "2026-01-05T00:00:00+00:00"
    journal.append_event(
        path, {"event": "start", "run": "c0ffee", "time": time, "energy": block(finished=None)}
    )
    journal.append_event(path, {"event": "case", "run": "c0ffee", "record": record()})

    (row,) = energy.frame(tmp_path).to_dict("records")

    assert row["case"] == "unet-baseline"
    assert row["finished"] is False


def test_a_run_that_has_ended_is_in_its_file_and_not_once_more_in_the_journal(tmp_path):
    path = tmp_path / CPU / "journal.jsonl"
    file = Store(tmp_path).write(run([record()], CPU))
    time = "2026-01-05T00:00:00+00:00"
    journal.append_event(
        path, {"event": "start", "run": "c0ffee", "time": time, "energy": block(finished=None)}
    )
    journal.append_event(path, {"event": "case", "run": "c0ffee", "record": record()})
    journal.append_event(path, {"event": "end", "run": "c0ffee", "file": file.name})

    assert energy.frame(tmp_path)["run"].tolist() == [f"{CPU}/{file.stem}"]


def test_metrics_of_others_come_after_ours_and_hide_no_column_of_ours(tmp_path):
    odd = record()
    odd["metrics"] |= {name: {"unit": "1", "better": None, "values": [3.0], "mean": 3.0, "ci95": None}
                       for name in ("case", "sparsity", "epochs")}  # fmt: skip
    Store(tmp_path).write(run([odd]))

    table = energy.frame(tmp_path)

    assert table["case"].tolist() == ["unet-baseline"]
    assert table["epochs"].tolist() == [2]
    assert table["sparsity"].tolist() == [3.0]


def test_a_damaged_file_is_named_and_not_left_out(results):
    (results / CPU / "0002_x.json").write_text("{")

    with pytest.raises(RecordError, match=r"0002_x\.json: damaged"):
        energy.frame(results)


def test_an_empty_folder_says_what_to_do(tmp_path):
    with pytest.raises(StoreError, match="run a benchmark first"):
        energy.frame(tmp_path)


def test_without_pandas_it_says_what_to_install(results, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)

    with pytest.raises(ImportError, match=r'pip install "joulebench\[report\]"'):
        energy.frame(results)


def test_folder_file_glob_and_list_name_the_same_runs_once(results):
    one = results / CPU / "0001_01234567.json"

    assert gather.list_files([results / CPU]) == [one]
    assert gather.list_files([one, str(results / CPU / "*.json"), results / CPU]) == [one]
    assert len(gather.list_files([results])) == len(gather.list_files([str(results / "*")])) == 2


def test_a_name_that_means_nothing_is_refused(tmp_path):
    with pytest.raises(StoreError, match="no such folder or file"):
        gather.list_files([tmp_path / "reslts"])


def test_a_damaged_file_costs_no_other_one(results):
    (results / CPU / "0002_x.json").write_text("{")
    newer = run([record()], CPU)
    newer["energy"]["schema"] = 2
    (results / CPU / "0003_x.json").write_text(json.dumps(newer))

    runs, unusable = gather.read_runs([results])

    assert len(runs) == 2
    assert ["damaged" in unusable[0].reason, "newer joulebench" in unusable[1].reason] == [True, True]


def test_witnesses_are_no_source_of_the_total(tmp_path):
    both = record(domains=[domain([12300.0]), domain([9.0], source="plug", domain="machine", witness=True)])
    Store(tmp_path).write(run([both]))

    assert energy.frame(tmp_path)["sources"].tolist() == ["rapl"]
