"""The record of a case from the records of its repeats is the record of all repeats at once."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy.measuring import machine, record
from energy.measuring.case import Case, Repeat
from energy.measuring.cooling import Cooling
from energy.measuring.window import Mark, Window
from energy.reading import Count, Fault, Reading
from energy.records import schema
from energy.records.repeats import Repeats, combine_repeats, cut_case_short
from energy.records.summary import summarise_record

SEEDS = [7, 3, 5, 2]
SOURCES = (
    ("cpu", "package-0", "rapl", "measured"),
    ("cpu", "package-0", "codecarbon_cpu_load_model", "modelled"),
    ("ram", "dram-0", "rapl", "measured"),
)
IDLE_WATTS, GRID_G_PER_KWH = 12.0, 400.0
STATE = machine.State(1.0, 2.0, 3.0, 0.0, 0.0, 40.0, 0.5)

joules = st.none() | st.just(0.0) | st.floats(1e-3, 1e6)
scores = st.none() | st.floats(0.0, 1.0)


def count(source, total, seconds):
    reason = "told so by the test" if total is None else None
    return Count(*source, total, seconds, 0.9, 1.2, reason=reason)


@st.composite
def repeats(draw):
    """A repeat: what was counted in a window of one set-up and two epochs, what was observed and flagged."""
    window = Window([])
    seen = [source for source in SOURCES if draw(st.booleans())] or [SOURCES[0]]
    spent = {source: draw(joules) for source in seen}
    seconds = draw(st.floats(1.0, 1e4))

    def reading(share):
        at = 100.0 + share * seconds
        totals = {source: None if value is None else share * value for source, value in spent.items()}
        counts = tuple(count(source, total, at) for source, total in totals.items())
        return Reading(at, counts, faults)

    faults = ()
    if draw(st.booleans()):
        faults = (Fault("gap", "rapl", "dram-0", 100.0, 0.5, draw(st.floats(0.0, 9.0)), "told so"),)
    window.first, window.last = reading(0.0), reading(1.0)
    facts = {"slices": 8, "loss": 0.5, "val_dice": draw(st.floats(0.0, 1.0))}
    if draw(st.booleans()):
        window.marks = [Mark("setup", reading(0.1), {})]
        window.marks += [Mark("epoch", reading(0.5 * n), {"epoch": n, **facts}) for n in (1, 2)]
    after = draw(st.sampled_from([STATE, machine.State(9.0, 2.0, 3.0, 1e6, 0.0, 41.0, 0.5)]))
    window.state_before, window.state_after, window.peak_rss_mib = STATE, after, draw(scores)
    repeat = Repeat(window, facts={"target_dice": 0.6})
    repeat.observe(dice=draw(scores), params=1000.0)
    if draw(st.booleans()):
        repeat.observe(peak_gpu_mib=None)
    warm = draw(st.sampled_from([None, 10.0, 90.0]))
    repeat.cooling = None if warm is None else Cooling("cpu", 50.0, 60.0, warm, 3.0)
    return repeat


def case(repeats, number=1, of=1, problem=None, reference=None):
    """Return a case that has measured these repeats."""
    made = Case("unet-baseline", [], number=number, of=of, node="test_it.py::test_it[unet-baseline]")
    made.describe(
        task="training",
        arch="unet",
        technique="baseline",
        budget={"epochs": 2, "seeds": SEEDS[: of if of > 1 else len(repeats)]},
        keys={"hardware": "h", "software": "s", "data": "d", "case": "c"},
        recipe={"lr": 1e-3},
        threads=2,
        code="abc",
        reference=reference,
    )
    made.explain(peak_gpu_mib="trained on the CPU", dice="not tested")
    made.repeats = list(repeats)
    if problem is not None:
        made.failed(problem)
    return made


def built(*arguments, **options):
    made = record.build(case(*arguments, **options), IDLE_WATTS, GRID_G_PER_KWH)
    schema.check_record(made, "a test")
    return json.loads(json.dumps(made))


def alike(one, other):
    """Tell whether two JSON values are equal but for the last digits of numbers."""
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(alike(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(alike, one, other))
    return one == (pytest.approx(other, rel=1e-9, abs=1e-12) if isinstance(other, float) else other)


@settings(max_examples=30, deadline=None)
@given(st.lists(repeats(), min_size=2, max_size=4))
def test_the_record_of_all_repeats_is_that_of_each_of_them_combined(repeats):
    of = len(repeats)
    parts = [built([repeat], number, of) for number, repeat in enumerate(repeats, start=1)]

    whole = combine_repeats(parts)

    assert alike(whole, built(repeats))
    schema.check_record(whole, "combined")


@settings(max_examples=20, deadline=None)
@given(st.lists(repeats(), min_size=2, max_size=4), st.data())
def test_repeats_of_several_windows_count_as_many_times(repeats, data):
    cut = data.draw(st.integers(1, len(repeats) - 1))
    parts = [built(repeats[:cut], 1, 2), built(repeats[cut:], 2, 2)]
    for part in parts:
        part["budget"]["seeds"] = SEEDS[: len(repeats)]

    assert alike(combine_repeats(parts), built(repeats))


@settings(max_examples=20, deadline=None)
@given(st.lists(repeats(), min_size=0, max_size=3))
def test_a_case_whose_last_repeat_failed_keeps_what_had_ended(repeats):
    problem = MemoryError("out of memory")
    of = len(repeats) + 2
    parts = [built([repeat], number, of) for number, repeat in enumerate(repeats, start=1)]
    parts.append(built([], of - 1, of, problem))

    whole = combine_repeats(parts)

    expected = built(repeats, problem=problem)
    expected["budget"]["seeds"] = SEEDS[:of]
    expected["error"]["seconds"] = whole["error"]["seconds"]
    assert alike(whole, expected)
    assert whole["error"] == parts[-1]["error"]
    schema.check_record(whole, "combined")


@settings(max_examples=20, deadline=None)
@given(st.lists(repeats(), min_size=1, max_size=3))
def test_a_case_that_was_cut_short_has_no_metric_and_says_how_far_it_came(repeats):
    parts = [built([repeat], number, 4) for number, repeat in enumerate(repeats, start=1)]

    whole = cut_case_short(parts, 4)

    schema.check_record(whole, "cut short")
    assert (whole["status"], whole["metrics"]) == ("interrupted", {})
    assert whole["error"]["message"] == f"the run ended after {len(repeats)} of 4 repeats"
    assert whole["error"]["seconds"] == pytest.approx(sum(r.window.energy.seconds for r in repeats))
    assert len(whole["epochs"]) == len(whole["machine"]["states"]) == len(repeats)


def simple(seconds=10.0, watts=100.0, dice=0.8):
    window = Window([])
    start, end = count(SOURCES[0], 0.0, 0.0), count(SOURCES[0], watts * seconds, seconds)
    ram = [count(SOURCES[2], 0.0, at) for at in (0.0, seconds)]
    window.first, window.last = Reading(0.0, (start, ram[0])), Reading(seconds, (end, ram[1]))
    window.state_before = window.state_after = STATE
    window.peak_rss_mib = 100.0
    repeat = Repeat(window)
    repeat.observe(dice=dice)
    return repeat


def test_three_repeats_by_hand():
    parts = [built([simple(watts=watts)], n, 3) for n, watts in enumerate((90.0, 100.0, 110.0), start=1)]

    whole = combine_repeats(parts)

    figure = whole["metrics"]["total_kj"]
    assert figure["values"] == pytest.approx([0.9, 1.0, 1.1])
    assert figure["mean"] == pytest.approx(1.0)
    # Student's t with 2 degrees of freedom: 4.3027 * 0.1 / sqrt(3)
    assert figure["ci95"] == pytest.approx([1.0 - 0.24841, 1.0 + 0.24841], abs=1e-4)
    assert figure["band"] == pytest.approx([0.9, 1.2])
    assert "repeats" not in whole
    assert whole["budget"]["seeds"] == [7, 3, 5]


def test_references_are_put_together_and_null_where_there_was_none():
    known = {"case": "unet-baseline", "dice": [0.9], "origin": "this run"}
    parts = [built([simple()], 1, 2, reference=known), built([simple()], 2, 2)]

    assert combine_repeats(parts)["reference"] == known | {"dice": [0.9, None]}


def test_more_repeats_than_seeds_are_counted():
    parts = [built([simple(), simple()], 1, 2), built([simple()], 2, 2)]

    whole = combine_repeats(parts)

    assert whole["repeats"] == 3
    schema.check_record(whole, "combined")


@pytest.mark.parametrize("field", ["case", "task", "budget", "keys", "recipe", "data", "code"])
def test_repeats_of_two_cases_are_not_combined(field):
    parts = [built([simple()], n, 2) for n in (1, 2)]
    parts[0][field] = {"another": 1}

    with pytest.raises(ValueError, match=f"differ in {field}"):
        combine_repeats(parts)


def test_nothing_follows_a_repeat_that_failed():
    parts = [built([], 1, 2, MemoryError()), built([simple()], 2, 2)]

    with pytest.raises(ValueError, match="follows one that failed"):
        combine_repeats(parts)


def test_values_stand_in_the_order_of_the_repeats_whichever_was_measured_first():
    repeats = Repeats()

    assert repeats.add(2, 2, built([simple(watts=200.0)], 2, 2)) is None
    whole = repeats.add(1, 2, built([simple(watts=100.0)], 1, 2))

    assert whole["metrics"]["total_kj"]["values"] == pytest.approx([1.0, 2.0])


def test_the_summary_of_a_combined_case_has_a_value_per_seed():
    parts = [built([simple(dice=dice)], n, 2) for n, dice in ((1, 0.8), (2, 0.9))]

    summary = summarise_record(combine_repeats(parts))

    assert (summary.seeds, summary.values["dice"]) == ((7, 3), (0.8, 0.9))
