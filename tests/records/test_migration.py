"""Records of earlier versions, read by this one."""

import json

import pytest

from energy.analysis.gates import baseline
from energy.records.storage.journal import find_unfinished
from energy.records.storage.runfile import read_run
from energy.records.storage.store import Store
from energy.records.summary import summarise_run
from tests.simulated.records import block, record, run


def before(*flags, ok=None):
    """Return a record of when there was one list of flags, and any of them made it invalid."""
    return record() | {"validity": {"ok": not flags if ok is None else ok, "flags": list(flags)}}


def stored(folder, old):
    """Write a run file that holds an old record, as the version that made it did."""
    data = run([record()])
    data["benchmarks"][0]["extra_info"]["energy"] = old
    path = folder / "epyc-2c-cpu-91bc" / "0001_old.json"
    path.parent.mkdir()
    path.write_text(json.dumps(data))
    return path


@pytest.mark.parametrize(
    ("old", "invalid", "notes"),
    [
        (before(), (), ()),
        (before("undersampled", "window_too_short"), (), ("undersampled", "window_too_short")),
        (before("low_coverage", "throttled"), ("throttled",), ("low_coverage",)),
        (before("a_flag_of_another_day"), ("a_flag_of_another_day",), ()),
        (before(ok=False), ("not valid, no reason recorded",), ()),
    ],
    ids=["none", "notes only", "both", "unknown", "no reason"],
)
def test_one_list_of_flags_becomes_two(tmp_path, old, invalid, notes):
    path = stored(tmp_path, old)

    (case,) = summarise_run(read_run(path), path).cases

    assert (case.invalid, case.notes) == (invalid, notes)


def test_a_journal_of_before_is_resumed(tmp_path):
    path = tmp_path / "journal.jsonl"
    start = {"event": "start", "run": "a", "time": "2026-01-02T03:04:05+00:00", "energy": block()}
    case = {"event": "case", "run": "a", "record": before("window_too_short")}
    path.write_text("".join(json.dumps(event) + "\n" for event in (start, case)))

    (found,) = find_unfinished(path).records

    assert found["validity"] == {"ok": True, "invalid": [], "notes": ["window_too_short"]}


def test_a_baseline_of_before_keeps_its_cases(tmp_path):
    path = stored(tmp_path, before("gap", "undersampled"))
    pin = baseline.pin_run(Store(tmp_path), "main", path, force=True)
    data = json.loads(pin.path.read_text())
    for case in data["run"]["cases"]:
        case["flags"] = [*case.pop("invalid"), *case.pop("notes")]
    data["digest"] = baseline._digest_of(data)
    pin.path.write_text(json.dumps(data))

    (case,) = baseline.read_pin(pin.path).run.cases

    assert (case.invalid, case.notes) == (("gap",), ("undersampled",))
