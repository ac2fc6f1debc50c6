"""What a run keeps: in the journal first, then in collected order; and what a resumed run takes over."""

import pytest

from energy.measuring.case import Case
from energy.measuring.recorder import Recorder
from energy.records.storage import journal
from tests.simulated.records import block, failed, record

TIME = "2026-01-02T03:04:05+00:00"
KEYS = record()["keys"]
THREE_SEEDS = record()["budget"] | {"seeds": [0, 1, 2]}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.jsonl"


@pytest.fixture
def begun(path):
    """A recorder whose run has its first line in the journal."""
    recorder = Recorder(path)
    recorder.begin(TIME, block())
    return recorder


def resumed(path):
    """A recorder that goes on with the run of a journal."""
    recorder = Recorder(path)
    recorder.resume()
    return recorder


def one_repeat():
    """The record of one of three repeats."""
    return record(budget=THREE_SEEDS, repeats=1, setup=[{}], faults=[[]], machine={"states": [{}]})


def test_a_record_is_in_the_journal_once_it_is_kept(begun, path):
    begun.keep(record())

    assert [event["event"] for event in journal.read_journal(path).events] == ["start", "case"]


def test_a_record_that_the_journal_refuses_is_not_kept(begun, monkeypatch):
    def full(*_):
        raise OSError("the disk is full")

    monkeypatch.setattr(journal, "append_event", full)

    with pytest.raises(OSError, match="full"):
        begun.keep(record())
    assert begun.whole_run() == []


def test_a_run_that_is_not_saved_keeps_its_records_all_the_same():
    recorder = Recorder()

    recorder.keep(record())

    assert recorder.whole_run() == [record()]


@pytest.mark.parametrize(
    ("keys", "code", "seeds", "is_reused"),
    [
        (KEYS, "c0de", (0, 1, 2), True),
        (KEYS, "c0de", (0,), False),  # a seed that was trained among others is not all that is asked for
        (KEYS, "c0de", (0, 1, 2, 3), False),
        (KEYS, "c0de", (2, 1, 0), False),
        (KEYS, "c0de", (), False),
        (KEYS, "0ther", (0, 1, 2), False),
        (KEYS | {"data": "other"}, "c0de", (0, 1, 2), False),
    ],
)
def test_a_case_is_taken_over_under_equal_keys_code_and_seeds_only(begun, path, keys, code, seeds, is_reused):
    begun.keep(record(budget=THREE_SEEDS, repeats=1, code="c0de"))

    earlier = resumed(path).reuse("unet-baseline", keys, code, seeds)

    assert (earlier is not None) == is_reused


@pytest.mark.parametrize(("seeds", "is_reused"), [((0, 1, 2), True), ((0, 1, 3), False), ((0,), False)])
def test_a_repeat_is_taken_over_under_equal_seeds_only(begun, path, seeds, is_reused):
    begun.keep(one_repeat(), number=1, of=3)

    going_on = resumed(path)
    asked = Case("unet-baseline", [], node=one_repeat()["node"], number=1, of=3)

    assert going_on.reuse_repeat(asked, KEYS, None, seeds) == is_reused
    assert set(going_on.parts("unet-baseline")) == ({1} if is_reused else set())


def test_a_case_that_failed_is_measured_again(begun, path):
    begun.keep(failed("unet-baseline"))
    begun.keep(record("unet-bf16"))
    going_on = resumed(path)

    assert going_on.reuse("unet-baseline", KEYS, None, (0,)) is None
    assert [kept["case"] for kept in going_on.whole_run()] == ["unet-bf16"]


def test_a_run_has_its_records_in_the_order_of_collection(begun):
    begun.plan("random:3", ["a", "b"])
    for case in ("unet", "b", "a"):
        begun.keep(record(case))

    assert [kept["case"] for kept in begun.whole_run()] == ["unet", "a", "b"]
    assert begun.order() == {"rule": "random:3", "measured": [["unet", 1], ["b", 1], ["a", 1]]}


def test_what_is_measured_once_more_stays_beside_the_run(begun, path):
    begun.keep(record("a"))
    again = begun.again()
    again.keep(record("a"))

    assert len(begun.whole_run()) == len(again.whole_run()) == 1
    assert len(again.measured()) == 2
    assert [event["event"] for event in journal.read_journal(path).events] == ["start", "case"]


def test_what_is_measured_once_more_can_refer_to_what_a_resumed_run_had_finished(begun, path):
    begun.keep(record("unet-baseline"))
    going_on = resumed(path)
    going_on.keep(record("a"))

    again = going_on.again()

    assert [kept["case"] for kept in again.measured()] == ["unet-baseline", "a"]


def test_two_tests_of_one_name_are_two_cases(begun, path):
    """Two files of a project may have a test of one name; a resumed run keeps both."""
    first, second = (record(node=f"{folder}/test_x.py::test_x") for folder in "ab")
    begun.keep(first)
    begun.keep(second)

    going_on = resumed(path)
    going_on.keep(second)

    assert [one["node"] for one in going_on.whole_run()] == [first["node"], second["node"]]


def test_repeats_of_two_tests_of_one_name_are_not_mixed(path, begun):
    for number in (1, 2):
        for folder in "ab":
            part = one_repeat() | {"node": f"{folder}/test_x.py::test_x"}
            whole = begun.keep(part, number, 2)
            assert (len(whole["epochs"]), whole["node"]) == (number, part["node"])
