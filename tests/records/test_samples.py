"""A file of schema 1 stays readable for ever, and other people's tools read every file that we commit.

`samples/schema_1/0001_sample.json` is frozen. Its first two cases are a real run's (their epochs cut to two);
`enet-novograd` (three seeds, one unknown, invalid) and `micronet-baseline` (diverged) were made by hand.
"""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from energy import exporters
from energy.__main__ import main
from energy.records.storage import gather
from energy.records.storage.runfile import list_records
from energy.records.storage.store import Store
from energy.records.summary import summarise_record
from tests.records.test_schema import records
from tests.simulated.records import run

SAMPLE = Path(__file__).parents[1] / "samples" / "schema_1" / "0001_sample.json"
RESULTS = Path(__file__).parents[2] / "results"
MACHINE = "xeon-2c-cpu-fc60"
CASES = ["unet-baseline", "contextnet-baseline", "enet-novograd", "micronet-baseline"]
# What an exporter needs to be told beside the run.
TOLD = {
    "emissions_csv": ["--grid-g-per-kwh", "100"],
    "model_card": ["--case", "unet-baseline", "--grid-g-per-kwh", "100"],
}


@pytest.fixture
def results(tmp_path):
    """The sample as the one run of a results folder."""
    folder = tmp_path / "results" / MACHINE
    folder.mkdir(parents=True)
    shutil.copy(SAMPLE, folder)
    return tmp_path / "results"


@pytest.fixture
def joulebench(results, capsys):
    def call(command, *arguments):
        code = main([command, *arguments, "--storage", str(results)])
        out, err = capsys.readouterr()
        assert (code, err) == (0, "")
        return out

    return call


def test_the_sample_is_what_it_was():
    digest = hashlib.sha256(SAMPLE.read_bytes()).hexdigest()

    assert digest == "037b270a649bb1166f333a30f4d3d059deed8383a35f10249f3e36a57af9f29c"


def test_it_is_loaded_and_valid(results):
    found = list_records(Store(results).load(SAMPLE))

    assert [record["case"] for record in found] == CASES
    assert [record["status"] for record in found] == ["ok", "ok", "ok", "diverged"]


def test_its_figures_are_read_as_they_stand_there(results):
    unet, contextnet, enet, micronet = Store(results).summary(SAMPLE).cases

    assert unet.values["total_kj"] == (2.3424697428821295,)
    assert unet.values["gpu_kj"] == (None,)
    assert (unet.kind, unet.invalid, unet.seeds) == ("modelled", (), (0,))
    assert enet.values["total_kj"] == (1.5, None, 1.7)
    assert (enet.kind, enet.invalid, enet.seeds) == ("mixed", ("gap", "throttled"), (0, 1, 2))
    assert (micronet.status, micronet.values) == ("diverged", {})
    assert contextnet.keys["hardware"] == MACHINE


def test_list_shows_it(joulebench):
    line = joulebench("list").splitlines()[1]

    assert " ".join(line.split()) == (
        f"{MACHINE}/0001 2026-11-21 03:27 3760d3b3 4 3 ok, 1 diverged more than 5.73 mixed sample"
    )


def test_show_shows_it(joulebench):
    out = joulebench("show")

    assert all(case in out for case in CASES)
    assert "counter lost for 3 s" in joulebench("show", "--case", "enet-novograd")


def test_compared_with_itself_nothing_changed(joulebench):
    found = json.loads(joulebench("compare", "0001", "0001", "--json"))

    verdicts = {row["case"]: row["verdict"] for row in found["cases"]}
    assert verdicts["unet-baseline"] == verdicts["contextnet-baseline"] == "unchanged"
    assert verdicts["micronet-baseline"] != "unchanged"


def test_history_shows_it_and_says_what_does_not_count(joulebench):
    out = joulebench("history")

    assert "unet-baseline" in out
    assert "invalid: gap, throttled: enet-novograd in" in out
    assert "diverged: micronet-baseline in" in out


@pytest.mark.parametrize("name", exporters.names())
def test_it_is_exported(name, results, tmp_path):
    output = tmp_path / "exported"
    told = TOLD.get(name, [])

    code = main(["export", name, str(SAMPLE), *told, "-o", str(output), "--storage", str(results)])

    assert code == 0
    written = [path for path in tmp_path.rglob("*") if path.is_file() and results not in path.parents]
    assert written
    assert all(path.stat().st_size > 50 for path in written)


def test_a_report_takes_it(results):
    runs, unusable = gather.read_runs([results])

    assert ([found.data["energy"]["fingerprint"] for found in runs], unusable) == ([MACHINE], [])


def test_stock_pytest_benchmark_reads_it_and_every_committed_result():
    paths = [SAMPLE, *(stored.path for stored in Store(RESULTS).runs())]
    command = [sys.executable, "-m", "pytest_benchmark", "compare", "--columns=mean", "--name=short"]

    compared = subprocess.run([*command, *map(str, paths)], capture_output=True, text=True, timeout=60)

    assert (compared.returncode, compared.stderr) == (0, "")
    for path in paths:
        for record in list_records(Store(RESULTS).load(path)):
            assert f"[{record['case']}]" in compared.stdout
    assert "[micronet-baseline] diverged" in compared.stdout
    assert len(paths) >= 3


@settings(deadline=None, max_examples=8, suppress_health_check=[HealthCheck.too_slow])
@given(records())
def test_any_record_comes_back_from_its_file_unchanged(tmp_path_factory, drawn):
    results = Store(tmp_path_factory.mktemp("any"))

    path = results.write(run([drawn]))

    (again,) = list_records(results.load(path))
    assert again == drawn
    assert results.summary(path).cases == (summarise_record(drawn),)
