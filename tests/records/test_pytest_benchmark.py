"""pytest-benchmark's own command line reads what we write."""

import platform
import statistics
import sys

import pytest
from pytest_benchmark import cli

from energy.records.metrics import summarise_metric
from energy.records.schema import RecordError
from energy.records.storage import runfile
from energy.records.storage.store import Store
from tests.simulated.records import COMMIT, block, failed, record, run

THREE_SEEDS = {
    "budget": {"seeds": [0, 1, 2]},
    "metrics": {"seconds": summarise_metric("seconds", [10.0, 13.0, 11.0])},
    "domains": [],
    "epochs": [],
    "reference": None,
}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Two machines, a case that failed on both, and one that failed on one."""
    folder = tmp_path_factory.mktemp("stock")
    store = Store(folder / "results")
    cases = [record(), record("attention_squeeze_unet-novograd", **THREE_SEEDS), failed("unet-bf16")]
    store.write(run([*cases, failed("unet-cache", "diverged")]))
    store.write(run([*cases, record("unet-cache")], "h200-700w-3f2a"))
    return folder


@pytest.fixture
def stock(results, monkeypatch, capsys):
    """The command line of pytest-benchmark, which returns nothing if all went well."""
    monkeypatch.chdir(results)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["pytest-benchmark", "--storage=results", *arguments])
        code = cli.main()
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def test_stock_list_shows_the_runs_of_every_machine(results, stock):
    code, out, err = stock("list")

    names = [f"{fingerprint}/0001_01234567.json" for fingerprint in ("epyc-2c-cpu-91bc", "h200-700w-3f2a")]
    assert (code, err) == (None, "")
    assert [line.removeprefix(f"{results.resolve()}/results/") for line in out.splitlines()] == names


def test_stock_compare_shows_seconds_of_good_cases_and_sets_failed_ones_apart(stock):
    code, out, err = stock("compare", "--columns=mean,rounds", "--sort=name")

    assert (code, err) == (None, "")
    good, failures = out.split("benchmark 'training, failed'")
    assert good.count("test_training[attention_squeeze_unet-novograd]") == 2
    assert "11.3333" in good  # (10 + 13 + 11) / 3
    assert " oom" not in good
    assert failures.count("test_training[unet-bf16] oom") == 2
    assert failures.count("test_training[unet-cache] diverged") == 1


def test_stock_compare_puts_two_machines_side_by_side(stock):
    code, out, err = stock("compare", "*/0001", "--between=mean")

    assert (code, err) == (None, "")
    (line,) = [line for line in out.splitlines() if line.startswith("test_training[unet-cache] ")][:1]
    assert "N/A" in line  # failed there, hence no seconds to compare with


def test_the_statistics_are_those_of_the_seconds_of_each_repeat():
    (entry,) = run([record(**THREE_SEEDS)])["benchmarks"]

    stats = entry["stats"]
    assert stats["data"] == [10.0, 13.0, 11.0]
    assert (stats["min"], stats["max"], stats["median"], stats["rounds"]) == (10.0, 13.0, 11.0, 3)
    assert stats["stddev"] == pytest.approx(statistics.stdev([10.0, 13.0, 11.0]))


def test_our_numbers_stand_once_under_extra_info():
    (entry,) = run([record()])["benchmarks"]

    assert entry["extra_info"] == {"energy": record()}
    assert entry["fullname"] == "benchmarks/test_training.py::test_training[unet-baseline]"
    assert entry["params"] == {"arch": "unet", "technique": "baseline"}


def test_a_case_that_failed_after_a_good_repeat_keeps_the_seconds_of_that_repeat():
    partial = failed("unet-baseline") | {"metrics": {"seconds": summarise_metric("seconds", [9.0])}}

    (entry,) = run([partial])["benchmarks"]

    assert entry["stats"]["data"] == [9.0]


def test_a_case_that_failed_before_keeps_the_seconds_until_then():
    (entry,) = run([failed("unet-baseline")])["benchmarks"]

    assert entry["stats"]["data"] == [3.25]
    assert entry["group"] == "training, failed"


def test_the_machine_is_described_without_its_host_name_and_without_changing_facts():
    first, second = (
        runfile.as_pytest_benchmark([], block(), commit=COMMIT)["machine_info"] for _ in range(2)
    )

    assert first == second
    assert first["node"] == "epyc-2c-cpu-91bc"
    assert platform.node() not in first.values()
    assert "hz_actual" not in str(first)


def test_an_invalid_record_makes_no_file():
    with pytest.raises(RecordError, match="case unet-baseline: status"):
        run([record(status="fine")])


def test_a_run_can_be_written_to_any_path(tmp_path):
    path = tmp_path / "new" / "out.json"
    runfile.write_run(run([record()]), path)
    runfile.write_run(run([record(), record("unet-bf16")]), path)

    assert len(Store(tmp_path).load(path)["benchmarks"]) == 2
    assert [entry.name for entry in path.parent.iterdir()] == ["out.json"]
