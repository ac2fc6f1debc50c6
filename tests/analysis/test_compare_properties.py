"""What must hold of any comparison, whatever the figures."""

import math
import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy.analysis.compare.compare import compare
from energy.analysis.compare.result import comparison_as_json
from energy.report.terminal.comparison import format_comparison
from tests.simulated.summaries import case, run

MIRROR = {"improved": "regressed", "regressed": "improved"}
joules = st.floats(1e-3, 1e6)
dices = st.integers(0, 1000).map(lambda thousandths: thousandths / 1000)


@st.composite
def runs(draw):
    """Return a run of some cases, each with energy and Dice."""
    cases, each = draw(st.integers(1, 8)), draw(st.integers(1, 4))
    level = draw(joules)
    return run(
        *[
            case(
                f"case-{at}",
                total_kj=[level * math.exp(draw(st.floats(-0.3, 0.3))) for _ in range(each)],
                dice=[draw(dices) for _ in range(each)],
            )
            for at in range(cases)
        ]
    )


@st.composite
def pairs(draw):
    """Return base and head with the same cases and numbers of repeats, a part of the cases changed."""
    base = draw(runs())
    cases = []
    for one in base.cases:
        more = draw(st.sampled_from([0.0, 0.0, 0.01, 0.1, -0.1, 0.5]))
        noise = draw(st.sampled_from([0.0, 0.001, 0.03]))
        values = {
            "total_kj": tuple(
                value * math.exp(more + noise * draw(st.floats(-2, 2))) for value in one.values["total_kj"]
            ),
            "dice": tuple(
                min(1.0, max(0.0, value - more / 5 + noise * draw(st.floats(-1, 1))))
                for value in one.values["dice"]
            ),
        }
        cases.append(replace(one, values=values))
    return base, replace(base, cases=tuple(cases), path=base.path.with_name("head.json"))


def every(comparison):
    return [(row.case, change) for row in comparison.rows for change in row.changes.values()]


@given(runs())
def test_a_run_compared_with_itself_is_unchanged_in_every_case(one):
    found = compare(one, one)

    assert {change.verdict for _, change in every(found)} == {"unchanged"}
    assert {row.verdict for row in found.rows} == {"unchanged"}
    assert {change.change for _, change in every(found)} == {0.0}
    assert all(shift.verdict in ("unchanged",) and shift.change == 0.0 for shift in found.shifts.values())


@given(pairs())
def test_swapping_base_and_head_mirrors_every_change_and_verdict(both):
    base, head = both
    there = every(compare(base, head, metrics=["total_kj", "dice"]))
    back = every(compare(head, base, metrics=["total_kj", "dice"]))

    for (_, one), (_, other) in zip(there, back, strict=True):
        if one.relative:
            assert math.log1p(one.change) == pytest.approx(-math.log1p(other.change), abs=1e-9)
            assert math.log1p(one.effect) == pytest.approx(-math.log1p(other.effect), abs=1e-9)
            assert (one.verdict in MIRROR) == (other.verdict in MIRROR)
        else:
            assert one.change == pytest.approx(-other.change, abs=1e-12)
        if one.verdict == "regressed":  # Dice improves by less than it must lose to regress
            assert other.verdict == "improved"
        if one.interval is not None and one.relative:
            swapped = [math.log1p(end) for end in reversed(other.interval)]
            assert [math.log1p(end) for end in one.interval] == pytest.approx(
                [-end for end in swapped], abs=1e-9
            )


@given(pairs(), st.randoms())
def test_the_order_of_the_cases_does_not_matter(both, random):
    base, head = both
    shuffled = list(head.cases)
    random.shuffle(shuffled)
    known = {(name, change.metric): change for name, change in every(compare(base, head))}

    for name, change in every(compare(base, replace(head, cases=tuple(shuffled)))):
        before = known[name, change.metric]
        assert (change.verdict, change.why) == (before.verdict, before.why)
        assert change.change == pytest.approx(before.change, abs=1e-12)


@given(pairs(), st.sampled_from([1e-3, 0.5, 2.0, 1000.0]))
def test_the_unit_of_the_energy_does_not_matter(both, factor):
    def scaled(one):
        values = {"total_kj": tuple(factor * value for value in one.values["total_kj"])}
        return replace(one, values={**one.values, **values})

    before = compare(*both, metrics=["total_kj"])
    after = compare(
        *(replace(side, cases=tuple(map(scaled, side.cases))) for side in both), metrics=["total_kj"]
    )

    for (_, one), (_, other) in zip(every(before), every(after), strict=True):
        assert other.effect == pytest.approx(one.effect, abs=1e-9)
        assert other.interval == pytest.approx(one.interval, abs=1e-9)


@settings(max_examples=60)
@given(runs(), runs())
def test_whatever_is_compared_gives_finite_figures_verdicts_and_a_text(base, head):
    found = compare(base, replace(head, path=base.path.with_name("head.json")))

    for _, change in every(found):
        numbers = [change.change, change.effect, change.p_value, *(change.interval or ())]
        assert all(math.isfinite(number) for number in numbers if number is not None)
        assert change.p_value is None or 0 <= change.p_value <= 1
        if change.interval is not None:
            assert change.interval[0] <= change.change <= change.interval[1]
    assert found.head.reference in format_comparison(found, all_rows=True)
    assert comparison_as_json(found)["metrics"] == list(found.metrics)


@settings(max_examples=60)
@given(pairs())
def test_no_line_of_the_table_is_longer_than_asked(both):
    text = format_comparison(compare(*both), all_rows=True, width=120)

    assert max(map(len, text.splitlines())) <= 120


@given(pairs())
def test_more_repeats_are_advised_than_there_were(both):
    for _, change in every(compare(*both)):
        advised = re.search(r"need about n = (\d+)", change.why)
        assert advised is None or int(advised[1]) > len(change.head)


@given(pairs())
def test_a_regression_is_always_beyond_the_margin_and_its_interval_above_nothing(both):
    for _, change in every(compare(*both)):
        if change.verdict == "regressed":
            sign = 1 if change.metric == "total_kj" else -1
            assert sign * change.effect > (0.03 if change.relative else 0.01)
            ends = [sign * end for end in change.effect_interval]
            assert max(ends) > 0
        if (
            change.verdict == "unchanged"
            and change.effect_interval is not None
            and change.base != change.head
        ):
            worst = change.effect_interval[1] if change.metric == "total_kj" else -change.effect_interval[0]
            assert worst <= (0.03 if change.relative else 0.01) + 1e-12
