"""`python -m energy history`: what a user types, what comes out, and one line for a mistake."""

import csv
import io
import json
import os
import subprocess
import sys

import pytest

from energy.__main__ import main
from energy.records.metrics import summarise_metric
from energy.records.storage.store import Store
from tests.simulated.records import failed, record, run

CPU, GPU = "epyc-2c-cpu-91bc", "h200-700w-3f2a"


def measured(case, kj, dice=0.8):
    figures = {"total_kj": [kj], "dice": [dice], "seconds": [1.0]}
    return record(case, metrics={name: summarise_metric(name, values) for name, values in figures.items()})


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Twelve days on one machine, with a step of 10 % in U-Net on the seventh; one day on another."""
    store = Store(tmp_path_factory.mktemp("history") / "results")
    for day in range(1, 13):
        step = 1.1 if day >= 7 else 1.0
        cases = [measured("unet-baseline", 10 * step), measured("unet-novograd", 8.0)]
        store.write(run(cases, CPU, day=day))
    store.write(run([measured("unet-baseline", 3.0), failed("cgnet-baseline")], GPU, day=2))
    return store.root


@pytest.fixture
def ask(results, capsys):
    def call(*arguments):
        code = main(["history", "--storage", str(results), *arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def test_a_change_is_said_in_words_for_each_machine(ask):
    code, out, err = ask()

    assert (code, err) == (0, "")
    first, second = out.split("\n\nh200")
    assert first.startswith(f"{CPU}: total_kj of 2 cases in 12 runs, 2026-01-01 to 2026-01-12")
    assert "unet-baseline  +10.0 % since 01234567 (2026-01-07), 6 points before, 6 after, worse" in first
    assert "not searched in 1 case: 1 point; changes are looked for among 10 or more" in second
    assert f"oom: cgnet-baseline in {GPU}/0001_01234567" in second


def test_a_glob_and_a_metric_choose(ask):
    out = ask("*-novograd", "--metric", "dice", "--machine", CPU)[1]

    assert out.startswith(f"{CPU}: dice of 1 case in 12 runs")
    assert "unet-baseline" not in out
    assert "no change of level in 1 case" in out


def test_json_holds_every_point_and_is_json(ask):
    def refuse(constant):
        raise AssertionError(constant)

    shift, baseline, novograd = json.loads(ask("--json", "--machine", CPU)[1], parse_constant=refuse)

    assert (shift["case"], baseline["case"], novograd["case"]) == (None, "unet-baseline", "unet-novograd")
    assert [point["mean"] for point in baseline["points"]] == [10.0] * 6 + [11.0] * 6
    assert [change["index"] for change in baseline["changes"]] == [6]


def test_csv_has_time_commit_and_a_column_per_case(ask):
    rows = list(csv.DictReader(io.StringIO(ask("--csv", "--machine", CPU)[1])))

    assert list(rows[0]) == ["time", "commit", "unet-baseline.total_kj", "unet-novograd.total_kj"]
    assert [float(row["unet-baseline.total_kj"]) for row in rows] == pytest.approx([10.0] * 6 + [11.0] * 6)


def test_csv_of_two_machines_is_refused(ask):
    code, out, err = ask("unet-baseline", "--csv")

    assert (code, out) == (4, "")
    assert f"--csv is of one machine, and these have such cases: {CPU}, {GPU}; say which" in err


def test_since_leaves_out_what_is_older(ask):
    out = ask("unet-baseline", "--since", "2026-01-08")[1]

    assert out.startswith(f"{CPU}: total_kj of 1 case in 5 runs, 2026-01-08 to 2026-01-12")
    assert GPU not in out


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["unett-baseline"], "unknown case 'unett-baseline'; did you mean unet-baseline"),
        (["--metric", "total_kJ"], "unknown metric 'total_kJ'; did you mean total_kj"),
        (["--machine", "h200-700w"], f"unknown machine 'h200-700w'; did you mean {GPU}"),
        (["--task", "trainign"], "unknown task 'trainign'; did you mean training"),
        (["--since", "yesterday"], "'yesterday' is no date; expected one such as 2026-11-03"),
        (["--since", "2027-01-01"], "no run with energy in"),
        (["--json", "--csv"], "not allowed with argument"),
    ],
)
def test_a_mistake_is_one_line_and_4(ask, arguments, expected):
    code, out, err = ask(*arguments)

    assert (code, out, err.count("\n")) == (4, "", 1)
    assert expected in err


def test_without_results_it_says_what_to_do(tmp_path, capsys):
    assert main(["history", "--storage", str(tmp_path)]) == 4
    assert "run a benchmark first" in capsys.readouterr().err


def test_a_terminal_without_blocks_gets_plain_characters(results):
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [
        sys.executable,
        "-m",
        "energy",
        "history",
        "unet-b*",
        "--machine",
        CPU,
        "--storage",
        str(results),
    ]

    done = subprocess.run(command, env=environment, capture_output=True, timeout=60, check=True)

    assert b"____________" not in done.stdout
    assert b"______######" in done.stdout
