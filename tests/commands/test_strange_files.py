"""Files from anybody, and outputs that are no files: one sentence, whatever is in them, and no harm."""

import json
import os
import threading

import pytest

from energy.__main__ import main
from energy.records.storage.files import write_whole
from energy.text import parse_json
from tests.simulated import records

NESTED = {"lists": "[" * 100_000, "objects": '{"a":' * 100_000, "closed lists": "[" * 980 + "]" * 980}
COMMANDS = ("list", "show m/0001", "history", "compare m/0001 m/0001", "report -o page.html", "check m/0001")


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "results" / "m"
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize("nested", NESTED.values(), ids=NESTED)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_run_file_that_is_nested_too_deep_is_told_in_a_sentence(results, command, nested, capsys):
    (results / "0001_deep.json").write_text(nested)

    assert main(command.split()) in (0, 4)

    told = "".join(capsys.readouterr())
    assert "0001_deep.json" in told or "page.html" in told
    assert "Traceback" not in told


@pytest.mark.parametrize("depth", [120, 400, 900])
@pytest.mark.parametrize("command", [*COMMANDS, "show m/0001 --case unet-baseline", "show m/0001 --json"])
def test_a_record_of_many_levels_is_shown_or_refused_in_a_sentence(results, command, depth, capsys):
    deep = {"a": 1}
    for _ in range(depth):
        deep = {"a": deep}
    run = records.run([records.record()], fingerprint="m")
    run["benchmarks"][0]["extra_info"]["energy"]["recipe"] = deep
    (results / "0001_deep.json").write_text(json.dumps(run))

    code = main(command.split())

    told = capsys.readouterr()
    assert code == 0 or (code == 4 and "0001_deep.json" in told.err)


def test_escape_sequences_of_a_record_reach_no_terminal(results, capsys):
    run = records.run([records.record("evil\x1b[2J\x1b]0;owned\x07-base\u202eline")], fingerprint="m")
    (results / "0001_evil.json").write_text(json.dumps(run))

    for command in ("show m/0001", "list", "history", "check m/0001", "compare m/0001 m/0001"):
        main(command.split())

    told = "".join(capsys.readouterr())
    assert not set(told) & {"\x1b", "\x07", "\u202e"}
    assert "\\u001b[2J" in told


@pytest.mark.parametrize("boundary", [{}, [], 3])
def test_a_boundary_that_is_no_word_is_told_in_a_sentence(results, boundary, capsys):
    run = records.run([records.record()], fingerprint="m")
    run["benchmarks"][0]["extra_info"]["energy"]["domains"][0]["boundary"] = boundary
    (results / "0001_odd.json").write_text(json.dumps(run))

    assert main(["show", "m/0001"]) == 4
    assert "boundary" in capsys.readouterr().err


def test_a_table_for_other_programs_is_printed_as_it_is_written(results, tmp_path, capsys):
    (results / "0001_run.json").write_text(json.dumps(records.run([records.record()], fingerprint="m")))

    assert main(["export", "csv", "m/0001"]) == main(["export", "csv", "m/0001", "-o", "table.csv"]) == 0

    printed = capsys.readouterr().out.removesuffix("table.csv\n")
    assert printed.encode() == (tmp_path / "table.csv").read_bytes()


def test_a_device_and_a_pipe_are_written_into_and_never_replaced(tmp_path):
    pipe, heard = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: heard.append(pipe.read_text()))
    reader.start()

    write_whole(pipe, "told")

    reader.join(10)
    assert heard == ["told"]
    assert pipe.is_fifo()
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


def test_json_nested_too_deep_is_a_value_error():
    with pytest.raises(ValueError, match="nested too deep"):
        parse_json("[" * 1_000_000)
