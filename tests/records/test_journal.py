"""The journal survives crashes, torn lines and a second process."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from energy.records.schema import RecordError
from energy.records.storage import journal
from energy.records.storage.journal import append_event, find_unfinished, read_journal
from tests.simulated.records import block, failed, record


def start(run="a"):
    return {"event": "start", "run": run, "time": "2026-01-02T03:04:05+00:00", "energy": block()}


def case(run="a", **changes):
    return {"event": "case", "run": run, "record": record(**changes)}


def end(run="a"):
    return {"event": "end", "run": run, "file": "0001_x.json"}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.jsonl"


def test_events_come_back_in_the_order_they_were_appended(path):
    events = [start(), case(), case(case="unet-bf16"), end()]

    for event in events:
        append_event(path, event)

    assert list(read_journal(path).events) == events
    assert read_journal(path).torn == ()


def test_a_journal_that_does_not_exist_has_no_events(path):
    assert read_journal(path).events == ()
    assert find_unfinished(path) is None


def test_an_event_is_one_line(path):
    append_event(path, case(recipe={"note": "two\nlines"}))

    assert path.read_bytes().count(b"\n") == 1


def test_an_event_is_on_the_disk_when_append_returns(path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_ino))

    append_event(path, start())

    assert synced == [path.parent.stat().st_ino, path.stat().st_ino]


def test_an_invalid_record_is_refused_and_nothing_is_written(path):
    with pytest.raises(RecordError, match=r"journal\.jsonl: new line: record"):
        append_event(path, case(status="fine"))

    assert not path.exists()


def test_a_torn_last_line_is_reported_and_the_rest_is_read(path):
    append_event(path, start())
    append_event(path, case())
    whole = path.read_bytes()
    path.write_bytes(whole[:-40])

    found = read_journal(path)

    assert list(found.events) == [start()]
    assert found.torn == (2,)


@pytest.mark.parametrize("cut", [1, 2, 17, 400])
def test_after_a_torn_line_the_journal_goes_on(path, cut):
    append_event(path, start())
    append_event(path, case())
    path.write_bytes(path.read_bytes()[:-cut])

    append_event(path, case(case="unet-bf16"))
    append_event(path, end())

    found = read_journal(path)
    survived = [case()] if cut == 1 else []  # without its newline only, the line is still whole
    assert list(found.events) == [start(), *survived, case(case="unet-bf16"), end()]
    assert found.torn == (() if cut == 1 else (2,))


def test_a_tail_of_zeros_from_a_power_cut_is_no_damage(path):
    append_event(path, start())
    path.write_bytes(path.read_bytes() + b"\0" * 512)

    append_event(path, case())

    assert list(read_journal(path).events) == [start(), case()]


def test_damage_in_the_middle_names_file_and_line(path):
    append_event(path, start())
    append_event(path, case())
    append_event(path, end())
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([lines[0], lines[1][:100], *lines[2:]]))

    with pytest.raises(RecordError, match=r"journal\.jsonl: line 2: damaged"):
        read_journal(path)


def test_a_line_of_a_newer_schema_says_so(path):
    newer = case()
    newer["record"]["schema"] = 2
    path.write_text(json.dumps(newer) + "\n")

    with pytest.raises(RecordError, match=r"line 1: written by a newer joulebench: schema 2"):
        read_journal(path)


def test_the_last_run_without_an_end_is_unfinished(path):
    for event in (start("a"), case("a"), end("a"), start("b"), case("b"), case("b", case="unet-bf16")):
        append_event(path, event)

    left = find_unfinished(path)

    assert left.id == "b"
    assert left.start == start("b")
    assert [done["case"] for done in left.records] == ["unet-baseline", "unet-bf16"]


def test_a_run_that_ended_is_not_unfinished(path):
    for event in (start(), case(), end()):
        append_event(path, event)

    assert find_unfinished(path) is None


def test_of_a_case_recorded_twice_the_newer_record_counts(path):
    append_event(path, start())
    append_event(path, {"event": "case", "run": "a", "record": failed("unet-baseline")})
    append_event(path, case())

    (kept,) = find_unfinished(path).records

    assert kept["status"] == "ok"


def test_training_and_inference_of_one_case_are_two_records(path):
    for event in (start(), case(), case(task="inference")):
        append_event(path, event)

    assert [done["task"] for done in find_unfinished(path).records] == ["training", "inference"]


def test_a_run_without_a_start_is_damage(path):
    append_event(path, case())

    with pytest.raises(RecordError, match="run a has no start"):
        find_unfinished(path)


def test_an_unfinished_run_with_an_invalid_record_is_not_resumed(path):
    append_event(path, start())
    broken = case()
    del broken["record"]["metrics"]
    with path.open("a") as file:
        file.write(json.dumps(broken) + "\n")

    with pytest.raises(RecordError, match=r'run a, case unet-baseline: "metrics" is a required property'):
        find_unfinished(path)


def test_a_full_disk_is_an_error_and_loses_no_earlier_line(path, monkeypatch):
    append_event(path, start())
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:100]))

    with pytest.raises(OSError, match="is the disk full"):
        append_event(path, case())

    assert list(read_journal(path).events) == [start()]


def test_a_mark_made_in_vain_is_no_torn_line(path):
    """A second process saw the first one's line half written, and closed it before its own."""
    append_event(path, start())
    path.write_bytes(path.read_bytes()[:-1])
    append_event(path, case())
    first, mark, last = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + b"\n" + mark + last)

    assert list(read_journal(path).events) == [start(), case()]
    assert read_journal(path).torn == ()


WRITER = """
import sys
from pathlib import Path
from energy.records.storage.journal import append_event
from tests.simulated.records import block, record
path, run, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
append_event(path, {"event": "start", "run": run, "energy": block()})
for number in range(count):
    append_event(path, {"event": "case", "run": run, "record": record(f"unet-{run}{number}")})
"""


def writer(path, run, count):
    command = [sys.executable, "-c", WRITER, str(path), run, str(count)]
    return subprocess.Popen(
        command, env=os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    )


def test_two_processes_that_append_at_once_lose_and_mix_nothing(path):
    writers = [writer(path, run, 60) for run in ("a", "b")]

    codes = [process.wait(timeout=50) for process in writers]

    assert codes == [0, 0]
    assert read_journal(path).torn == ()
    for run in journal.list_runs(path):
        assert [done["case"] for done in run.records] == [f"unet-{run.id}{number}" for number in range(60)]


def test_a_killed_writer_leaves_a_journal_that_can_be_resumed(path):
    process = writer(path, "a", 100_000)
    deadline = time.monotonic() + 20
    while not (path.exists() and path.stat().st_size > 50_000) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=10)

    append_event(path, case(case="unet-last"))

    names = [done["case"] for done in find_unfinished(path).records]
    assert names == [*(f"unet-a{number}" for number in range(len(names) - 1)), "unet-last"]
    assert len(names) > 10
