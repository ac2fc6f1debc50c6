"""What is a valid record, and what the message says where it is not."""

import copy
import json
import math

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from energy.records import schema
from energy.records.metrics import METRICS, summarise_metric
from energy.records.schema import RecordError, check_event, check_record, check_run
from tests.simulated.records import domain, failed, record, run

FINITE = st.floats(allow_nan=False, allow_infinity=False, width=32)
WORD = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=12)


@st.composite
def records(draw):
    """Draw a valid record: any number of seeds, any metrics known or not, any words."""
    repeats = draw(st.integers(1, 4))
    per_repeat = st.lists(FINITE, min_size=repeats, max_size=repeats)
    names = draw(st.sets(st.sampled_from(sorted(METRICS)), max_size=5))
    metrics = {name: summarise_metric(name, draw(per_repeat)) for name in names}
    metrics["dice"] = summarise_metric("dice", [None] * repeats, draw(WORD))
    metrics["seconds"] = summarise_metric("seconds", draw(per_repeat))
    joules = draw(st.lists(st.floats(0, 1e9), min_size=repeats, max_size=repeats))
    return record(
        draw(WORD),
        metrics=metrics,
        domains=[domain(joules), domain([None] * repeats, source="nvml_counter", reason=draw(WORD))],
        budget={"seeds": draw(st.lists(st.integers(0, 99), min_size=repeats, max_size=repeats, unique=True))},
        epochs=[[{"epoch": 1, "joules": None, "seconds": 1.0, "loss": draw(FINITE)}]] * repeats,
        reference={"case": "unet-baseline", "dice": draw(per_repeat), "origin": "stored: " + draw(WORD)},
        recipe=draw(
            st.dictionaries(WORD, st.none() | st.booleans() | st.integers() | FINITE | WORD, max_size=4)
        ),
    )


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=50, deadline=None)
@given(records())
def test_a_record_survives_json_unchanged_and_stays_valid(drawn):
    check_record(drawn, "drawn")

    again = json.loads(schema.to_json(drawn, "drawn"))
    check_record(again, "again")
    assert again == drawn


def test_the_schema_is_json_schema_of_2020_12():
    described = json.loads(schema._FILE.read_text(encoding="utf-8"))

    assert described["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema_rs.meta.validate(described)


def test_a_failed_case_is_a_valid_record():
    check_record(failed("unet-baseline"), "here")


def test_a_figure_whose_error_nobody_can_say_is_valid_and_has_no_band():
    check_record(_changed(["domains", 0, "band"], None), "here")


def test_a_run_of_good_and_failed_cases_is_a_valid_file():
    check_run(run([record(), failed("unet-bf16")]), "0001_x.json")


def _changed(path, value):
    """Return a valid record with one place changed; the last step of a path may be new."""
    changed = copy.deepcopy(record())
    place = changed
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return changed


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["status"], "fine", r'status: "fine" is not one of'),
        (["metrics", "total_kj", "mean"], "much", r'metrics, total_kj, mean: "much"'),
        (["metrics", "total_kj", "mean"], math.nan, r"metrics, total_kj, mean: not a finite number"),
        (["epochs", 0, 1, "loss"], math.inf, r"epochs, item 1, item 2, loss: not a finite number"),
        (["metrics", "total_kj", "mean"], None, r'metrics, total_kj, mean: null is not of type "number"'),
        (["metrics", "total_kj", "values"], [None], r'metrics, total_kj: "reason" is a required'),
        (["metrics", "total_kj", "values"], [1.0, 2.0], r"metrics, total_kj, values: 2 values for 1 repeats"),
        (["metrics", "total_kj", "unit"], "J", r"metrics, total_kj: unit J, better lower, expected unit kJ"),
        (["metrics", "total_kj", "ci95"], [2.0, 1.0], r"total_kj, ci95: the lower end 2.0 is above"),
        (["domains", 0, "joules"], [-1.0], r"domains, item 1, joules, item 1: -1.0 is less than"),
        (["domains", 0, "joules"], [None], r"domains, item 1, (band|reason)"),
        (["domains", 0, "band"], [3.0, 2.0], r"domains, item 1 .*, band: the lower end 3.0 is above"),
        (["domains", 0, "disagreement"], [0.1, 0.2], r"disagreement: 2 values for 1 repeats"),
        (["metrics", "total_kj", "band"], [3.0, 2.0], r"total_kj, band: the lower end 3.0 is above"),
        (["faults"], [[{"kind": "gap"}]], r'faults, item 1, item 1: "source" is a required property'),
        (["domains", 0, "coverage"], 1.2, r"domains, item 1, coverage: 1.2 is greater"),
        (["keys"], {"hardware": "h"}, r'keys: "software" is a required property'),
        (["reference", "origin"], "somewhere", r"reference, origin"),
        (["reference", "dice"], [0.8, 0.9], r"reference, dice: 2 values for 1 repeats"),
        (["error"], {"type": "X", "message": "", "seconds": 1.0}, r"error"),
    ],
)
def test_a_wrong_place_in_a_record_is_named_in_words(path, value, message):
    with pytest.raises(RecordError, match=message) as caught:
        check_record(_changed(path, value), "results/x/0001_y.json")

    assert str(caught.value).startswith("results/x/0001_y.json: ")


@pytest.mark.parametrize("field", sorted(record()))
def test_a_record_without_one_of_its_fields_is_refused(field):
    incomplete = {name: value for name, value in record().items() if name not in (field, "node")}

    if field == "node":  # the one field that a record made outside pytest lacks
        check_record(incomplete, "here")
    else:
        with pytest.raises(RecordError, match=field):
            check_record(incomplete, "here")


def test_a_good_case_needs_its_seconds():
    with pytest.raises(RecordError, match="seconds"):
        check_record(record(metrics={}), "here")


def test_a_failed_case_needs_to_say_why():
    with pytest.raises(RecordError, match="error"):
        check_record(record(status="diverged"), "here")


def test_a_failed_case_may_have_fewer_repeats_than_seeds():
    partial = failed("unet-baseline") | {
        "budget": {"seeds": [0, 1, 2]},
        "metrics": {"seconds": summarise_metric("seconds", [9.0])},
    }

    check_record(partial, "here")


def test_a_function_without_architecture_needs_neither_seeds_nor_keys():
    plain = record("test_sum", arch=None, technique=None, task="function", budget={}, keys={}, epochs=[])

    check_record(plain | {"reference": None}, "here")


def test_a_newer_schema_says_so_and_what_to_do():
    newer = run([record()])
    newer["energy"]["schema"] = 2

    with pytest.raises(RecordError) as caught:
        check_run(newer, "results/x/0009_y.json")

    message = str(caught.value)
    assert "results/x/0009_y.json" in message
    assert "newer joulebench: schema 2, this one reads 1: upgrade" in message


@pytest.mark.parametrize("given_schema", [0, -1, "1", None, 1.5])
def test_a_schema_that_never_was_is_refused(given_schema):
    with pytest.raises(RecordError, match="expected 1"):
        check_record(record(schema=given_schema), "here")


def test_a_plain_pytest_benchmark_file_is_accepted():
    check_run({"benchmarks": [], "machine_info": {}, "commit_info": {}}, "0001_plain.json")


@pytest.mark.parametrize("data", [[], {}, {"benchmarks": 3}, "text", None])
def test_json_that_is_no_results_file_is_refused(data):
    with pytest.raises(RecordError, match=r"0001_x\.json: not a results file"):
        check_run(data, "0001_x.json")


def test_a_damaged_record_in_a_file_is_found_by_its_number():
    data = run([record(), record("unet-bf16")])
    del data["benchmarks"][1]["extra_info"]["energy"]["metrics"]

    with pytest.raises(RecordError, match=r'f\.json: benchmarks, item 2, extra_info, energy: "metrics" is'):
        check_run(data, "f.json")


def test_what_json_schema_cannot_say_of_a_record_in_a_file_is_told_with_its_number():
    data = run([record(), record("unet-bf16")])
    data["benchmarks"][1]["extra_info"]["energy"]["metrics"]["dice"]["unit"] = "%"

    with pytest.raises(RecordError, match=r"f\.json: benchmark 2: metrics, dice: unit %, better higher"):
        check_run(data, "f.json")


@pytest.mark.parametrize(
    "event", [{}, {"event": "begin", "run": "a"}, {"event": "start"}, {"event": "case", "run": "a"}, [], None]
)
def test_what_is_no_journal_event_is_refused(event):
    with pytest.raises(RecordError, match="here"):
        check_event(event, "here")


def test_what_json_cannot_hold_is_refused_with_a_remedy():
    odd = run([record()])
    odd["benchmarks"][0]["extra_info"]["energy"]["metrics"]["total_kj"]["mean"] = {1.0}
    with pytest.raises(RecordError, match=r"f\.json: .*; write JSON types"):
        check_run(odd, "f.json")
    with pytest.raises(RecordError, match="write JSON types"):
        schema.to_json({"path": object()}, "here")
