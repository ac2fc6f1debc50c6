"""`python -m energy list` and `show`: fast, and one line for a user's mistake."""

import json
import os
import subprocess
import sys

import pytest

from energy import commands
from energy.records.metrics import summarise_metric
from energy.records.storage import journal
from energy.records.storage.store import Store
from tests.command_line import mistake
from tests.simulated.records import block, domain, failed, record, run

CPU, GPU = "epyc-2c-cpu-91bc", "h200-700w-3f2a"


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A results folder of two machines in the current folder."""
    monkeypatch.chdir(tmp_path)
    store = Store(tmp_path / "results")
    store.write(run([record(), failed("unet-bf16")], CPU, day=3), "main")
    store.write(run([record()], GPU, day=2))
    return store


def test_list_shows_each_run_with_its_energy_and_failures(store, joulebench):
    code, out, err = joulebench("list")

    assert (code, err) == (0, "")
    assert out.startswith("run ")
    assert [" ".join(line.split()) for line in out.splitlines()[1:]] == [
        f"{CPU}/0001 2026-01-03 03:14 01234567 2 1 ok, 1 oom more than 12.3 measured main",
        f"{GPU}/0001 2026-01-02 03:14 01234567 1 1 ok 12.3 measured 01234567",
    ]


def test_list_says_more_than_where_one_repeat_is_unknown(store, joulebench):
    lost = record(domains=[domain([12300.0, None], reason="lost")], epochs=[], budget={"seeds": [0, 1]})
    lost["metrics"] = {
        "total_kj": summarise_metric("total_kj", [12.3, None], "lost"),
        "seconds": summarise_metric("seconds", [1.0, 1.0]),
    }
    lost["reference"] = None
    store.write(run([lost]), "lost")

    (line,) = [line for line in joulebench("list")[1].splitlines() if line.endswith("lost")]

    assert "more than 12.3 measured" in line


def test_list_marks_a_checkout_with_changes(store, joulebench):
    data = run([record()])
    data["commit_info"] = data["commit_info"] | {"dirty": True}
    store.write(data, "changed")

    assert "01234567 dirty" in joulebench("list")[1]


def test_list_shows_a_run_that_was_cut_off(store, joulebench):
    path = store.journal(CPU)
    journal.append_event(
        path, {"event": "start", "run": "a", "time": "2026-01-04T05:06:07+00:00", "energy": block()}
    )
    journal.append_event(path, {"event": "case", "run": "a", "record": record()})

    out = joulebench("list")[1]

    assert "2026-01-04 05:06" in out
    assert "unfinished: --energy-resume goes on with it" in out


def test_list_of_an_ended_journal_shows_nothing_more(store, joulebench):
    before = joulebench("list")[1]
    for event in ({"event": "start"}, {"event": "case", "record": record()}, {"event": "end"}):
        journal.append_event(store.journal(CPU), {**event, "run": "a"})

    assert joulebench("list")[1] == before


def test_list_shows_a_plain_pytest_benchmark_file(store, joulebench):
    plain = run([record()])
    del plain["energy"]
    (store.root / CPU / "0002_plain.json").write_text(json.dumps(plain))

    code, out, _ = joulebench("list")

    assert code == 0
    assert "plain pytest-benchmark, no energy" in out


def test_list_without_results_says_so(tmp_path, joulebench):
    assert joulebench("list", "--storage", str(tmp_path / "none")) == (
        0,
        f"no results in {tmp_path / 'none'}\n",
        "",
    )


def test_list_names_a_damaged_file_and_still_shows_the_others(store, joulebench):
    (store.root / CPU / "0002_x.json").write_text('{"benchm')

    code, out, err = joulebench("list")

    assert code == 0
    assert "0002_x.json: damaged, not JSON" in err
    assert f"{GPU}/0001" in out


def test_list_names_the_place_where_a_record_is_not_whole(store, joulebench):
    data = run([record()])
    del data["benchmarks"][0]["extra_info"]["energy"]["status"]
    (store.root / CPU / "0002_x.json").write_text(json.dumps(data))

    assert '0002_x.json: benchmarks, item 1, extra_info, energy: "status" is a' in joulebench("list")[2]


def test_list_names_the_line_where_a_journal_is_damaged(store, joulebench):
    store.journal(CPU).write_text('{"event": "start", "run": "a"}\n{"ev\n{"event": "end", "run": "a"}\n')

    assert "journal.jsonl: line 2: damaged" in joulebench("list")[2]


@pytest.mark.parametrize("command", ["list", "show"])
def test_a_file_of_a_newer_schema_is_named_with_the_remedy(store, joulebench, command):
    newer = run([record()], day=9)
    newer["energy"]["schema"] = 2
    (store.root / CPU / "0002_x.json").write_text(json.dumps(newer))

    code, _, line = joulebench(command)

    assert code == (0 if command == "list" else 4)  # it is the newest run, which is what `show` shows
    assert line.count("\n") == 1
    assert "0002_x.json: energy: written by a newer joulebench: schema 2, this one reads 1: upgrade" in line


def test_show_without_a_name_shows_the_newest_run(store, joulebench):
    code, out, _ = joulebench("show")

    assert code == 0
    assert out.startswith(f"{store.root.name}/{CPU}/0001_main.json")
    assert "unet-bf16 oom: OutOfMemoryError" in out
    assert "idle power: cpu 11.0 W" in out


def test_show_sorts_and_chooses_columns(store, joulebench):
    out = joulebench("show", f"{GPU}/0001", "--columns", "seconds,params", "--sort", "seconds")[1]

    assert out.splitlines()[2].split() == ["case", "seconds", "params"]


def test_show_case_tells_all_about_it(store, joulebench):
    code, out, _ = joulebench("show", "main", "--case", "unet-baseline")

    assert code == 0
    assert "cpu package-0 (machine): 12300 J in [11685, 12915] J, measured by rapl, coverage 100 %" in out
    assert "unet-bf16" not in out


def test_show_json_is_the_records_themselves(store, joulebench):
    out = joulebench("show", "main", "--json")[1]

    assert json.loads(out) == [record(), failed("unet-bf16")]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["show", "mian"], "unknown run 'mian'; did you mean main"),
        (["show", "0001"], "means several runs"),
        (["show", "main", "--case", "unet-base"], "unknown case 'unet-base'; did you mean unet-baseline"),
        (["show", "main", "--sort", "dise"], "unknown column 'dise'; did you mean dice"),
        (["show", "main", "--columns", ""], "unknown column ''"),
        (["show", "--storage", "nowhere"], "no results in nowhere; run a benchmark first"),
        (["lst"], "unknown command 'lst'; did you mean list"),
        (["list", "--colour"], "unrecognized arguments: --colour"),
        (["show", "a", "b"], "unrecognized arguments: b"),
    ],
)
def test_a_mistake_is_one_line_with_a_way_out(store, joulebench, arguments, words):
    assert words in mistake(joulebench(*arguments))


def test_a_plain_file_has_nothing_to_show(store, joulebench):
    plain = run([record()])
    del plain["energy"]
    (store.root / CPU / "0002_plain.json").write_text(json.dumps(plain))

    assert "holds no energy records" in mistake(joulebench("show", "plain"))


def test_without_a_command_every_command_is_listed(joulebench):
    code, out, _ = joulebench()

    assert code == 0
    assert [line.split()[0] for line in out.splitlines()[2:]] == list(commands.names())
    assert {"calibrate", "compare", "doctor", "list", "show"} <= set(commands.names())
    assert all(len(line.split()) > 3 for line in out.splitlines()[2:])


def python(folder, *arguments, **environment):
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, cwd=folder, env=os.environ | environment, capture_output=True, timeout=60, check=False
    )


def test_list_imports_nothing_heavy(store, tmp_path):
    code = """
import sys
from energy.__main__ import main
main(["list"])
heavy = {"torch", "monai", "scipy", "numpy", "jsonschema_rs", "codecarbon", "pynvml", "pytest"}
print(sorted(heavy & set(sys.modules)))
"""

    done = python(tmp_path, "-c", code)

    assert done.stdout.splitlines()[-1] == b"[]"


def test_a_mistake_leaves_no_traceback_in_a_real_process(store, tmp_path):
    done = python(tmp_path, "-m", "energy", "show", "mian")

    assert done.returncode == 4
    assert done.stderr.startswith(b"joulebench: unknown run 'mian'")
    assert done.stdout == b""


def test_a_terminal_without_unicode_gets_question_marks_and_no_traceback(store, tmp_path):
    done = python(tmp_path, "-m", "energy", "show", "main", PYTHONIOENCODING="ascii")

    assert (done.returncode, done.stderr) == (0, b"")


def test_a_reader_that_stops_early_causes_no_traceback(store, tmp_path):
    read_end, write_end = os.pipe()
    os.close(read_end)

    done = subprocess.run(
        [sys.executable, "-m", "energy", "list"],
        cwd=tmp_path,
        stdout=write_end,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    os.close(write_end)

    assert (done.returncode, done.stderr) == (0, b"")
