"""Gates: how they are written, which of several applies, ceilings and floors, and the exit codes."""

import contextlib
import math
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from energy.analysis.compare.gate import GateError, parse_gate, parse_marker, resolve_gates, tabulate_gates
from energy.analysis.compare.result import Change, Comparison, Row, Shift
from energy.analysis.gates import bounds
from energy.analysis.gates import exit_codes as codes
from energy.records.metrics import METRICS
from energy.records.summary import CaseSummary, RunSummary


def gate(text, origin="command line"):
    return parse_gate(text, origin)


@pytest.mark.parametrize(
    ("text", "metric", "kind", "limit"),
    [
        ("kj_per_epoch:5%", "kj_per_epoch", "relative", 0.05),
        ("total_kj:2.5%", "total_kj", "relative", 0.025),
        ("total_kj: .5 %", "total_kj", "relative", 0.005),
        ("total_kj:0%", "total_kj", "relative", 0.0),
        ("dice:0.01", "dice", "absolute", 0.01),
        ("dice:1%", "dice", "relative", 0.01),
        ("dice_loss_vs_unet_pct:1", "dice_loss_vs_unet_pct", "absolute", 1.0),
        ("total_kj<=25", "total_kj", "ceiling", 25.0),
        (" dice >= 0.8 ", "dice", "floor", 0.8),
        ("session:4%", "total_kj", "session", 0.04),
        ("slices_per_s:10%", "slices_per_s", "relative", 0.1),
    ],
)
def test_a_gate_says_metric_kind_and_limit(text, metric, kind, limit):
    read = gate(text)

    assert (read.metric, read.kind, read.limit, read.cases) == (metric, kind, pytest.approx(limit), None)
    assert read.text == text


@pytest.mark.parametrize(
    ("text", "pattern", "kind"),
    [
        ("total_kj@attention.*:2.5%", "attention.*", "relative"),
        ("total_kj@^unet-:3%", "^unet-", "relative"),
        ("total_kj@a:b:3%", "a:b", "relative"),
        ("total_kj@(?<=x)unet<=25", "(?<=x)unet", "ceiling"),
        ("total_kj@(?:a|b)$<=25", "(?:a|b)$", "ceiling"),
    ],
)
def test_a_gate_may_name_its_cases_by_a_regular_expression_that_holds_any_sign(text, pattern, kind):
    read = gate(text)

    assert (read.cases.pattern, read.kind) == (pattern, kind)


def test_the_expression_is_searched_in_the_name_of_the_case():
    read = gate("total_kj@squeeze:3%")

    assert read.is_about("attention_squeeze_unet-baseline")
    assert not read.is_about("unet-baseline")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("total_kj:+5%", "has no sign"),
        ("dice:-0.01", "has no sign"),
        ("total_kj<=-3", "has no sign"),
        ("total_kk:5%", "did you mean total_kj"),
        ("sesion:5%", "did you mean session"),
        ("codecarbon_kj:5%", "is a witness"),
        ("outside_kj<=5", "is a witness"),
        ("total_kj@[:5%", r"'\[' is no regular expression"),
        ("total_kj@:5%", "no case after @"),
        ("total_kj", "expected METRIC"),
        ("total_kj:", "is no number"),
        ("total_kj:5kJ", "is no number"),
        ("total_kj:nan", "is no number"),
        ("total_kj:1e9999%", "is no number"),
        ("", "expected METRIC"),
        ("total_kj<5", "expected METRIC"),
        ("total_kj>=25", "lower is better for total_kj: expected <="),
        ("dice<=0.8", "higher is better for dice: expected >="),
        ("total_kj<=25%", "without %"),
        ("dice_loss_vs_unet_pct:1%", "write dice_loss_vs_unet_pct:1, in points of it"),
        ("dice:100%", "cannot fall by 100 %"),
        ("session:0.04", "in per cent, as in session:4%"),
        ("session@unet:4%", "in per cent, as in session:4%"),
        ("session<=4", "in per cent, as in session:4%"),
    ],
)
def test_a_gate_that_cannot_be_meant_says_what_is_wrong_and_where_it_was_written(text, told):
    with pytest.raises(GateError, match=told) as mistake:
        parse_gate(text, "pyproject.toml")

    assert str(mistake.value).startswith(f"gate {text!r} (pyproject.toml): ")
    assert "\n" not in str(mistake.value)


@given(
    metric=st.sampled_from([name for name, known in METRICS.items() if known.better]),
    thousandths=st.integers(0, 999),
)
def test_every_metric_with_a_direction_can_be_gated_by_a_difference(metric, thousandths):
    read = gate(f"{metric}:{thousandths / 1000}")

    assert (read.kind, read.limit) == ("absolute", pytest.approx(thousandths / 1000))


@given(st.text(max_size=40))
def test_whatever_is_written_is_a_gate_or_a_mistake_in_words(text):
    read = None
    with contextlib.suppress(GateError):
        read = gate(text)

    assert read is None or (read.text == text and 0 <= read.limit < math.inf)


def test_a_marker_is_about_its_case_alone():
    read = parse_marker("total_kj:5%", "marker of test_a[x+y]", "x+y")

    assert read.is_about("x+y")
    assert not read.is_about("xx+y")
    assert not read.is_about("xxy")
    for text in ("total_kj@unet:5%", "session:5%"):
        with pytest.raises(GateError, match="a marker is about its own"):
            parse_marker(text, "marker", "unet")


# Which gate applies


CASES = ("unet-baseline", "unet-bf16", "enet-baseline")


def applied(ranked, cases=CASES):
    """Return the text of the gate of every case, by metric and question."""
    found = {}
    for one in resolve_gates([gate(text, origin) for text, origin in ranked], cases).gates:
        for case in cases:
            if one.is_about(case):
                found.setdefault(case, []).append(one.text)
    return found


def test_the_command_line_outweighs_the_project_and_a_later_gate_an_earlier_one():
    found = applied(
        [
            ("total_kj:5%", "pyproject.toml"),
            ("total_kj@unet:4%", "command line"),
            ("total_kj@bf16:3%", "command line"),
        ]
    )

    assert found == {
        "enet-baseline": ["total_kj:5%"],
        "unet-baseline": ["total_kj@unet:4%"],
        "unet-bf16": ["total_kj@bf16:3%"],
    }


def test_a_change_a_ceiling_a_floor_and_the_session_stand_side_by_side():
    texts = ["total_kj:5%", "total_kj<=25", "dice:0.01", "dice>=0.8", "session:4%", "total_kj:0.1"]

    found = applied([(text, "command line") for text in texts], ["unet"])

    assert found == {"unet": ["total_kj<=25", "dice:0.01", "dice>=0.8", "session:4%", "total_kj:0.1"]}


def test_the_same_gate_twice_is_one():
    assert applied([("total_kj:5%", "command line")] * 2, ["unet"]) == {"unet": ["total_kj:5%"]}


def test_no_case_has_two_gates_of_one_question_whatever_is_given():
    ranked = [gate(text) for text in ("total_kj@u:5%", "total_kj@net:4%", "total_kj@b:3%", "total_kj:0.2")]
    for length in range(len(ranked) + 1):
        found = resolve_gates(ranked[:length], CASES).gates

        assert all(sum(one.is_about(case) for one in found) <= 1 for case in CASES)


def test_the_table_shows_each_gate_with_its_origin_and_its_cases():
    ranked = [
        gate("total_kj:5%", "pyproject.toml"),
        gate("dice@segnet:0.01", "pyproject.toml"),
        gate("session:4%"),
        gate("total_kj@unet:3%"),
        gate("seconds:9%"),
        gate("seconds:8%"),
    ]

    lines = tabulate_gates(resolve_gates(ranked, CASES), CASES)

    assert [re.split(r"  +", line) for line in lines] == [
        ["gate", "from", "cases"],
        ["total_kj:5%", "pyproject.toml", "enet-baseline"],
        ["session:4%", "command line", "what all cases have in common"],
        ["total_kj@unet:3%", "command line", "unet-baseline, unet-bf16"],
        ["seconds:8%", "command line", "all 3"],
        ["dice@segnet:0.01", "pyproject.toml", "none of this run"],
        ["seconds:9%", "command line", "outweighed by another gate"],
    ]


# Ceilings and floors


def case(name, status="ok", invalid=(), **values):
    return CaseSummary(name, "training", status, values=values, invalid=tuple(invalid), kind="measured")


def run(*cases, name="head"):
    return RunSummary(Path(name), name, "h200-700w-3f2a", "2026-01-01", "abc", False, True, cases)


def judged(text, *cases):
    return [(one.case, one.verdict) for one in bounds.judge_bounds(run(*cases), [gate(text)])]


@pytest.mark.parametrize(
    ("text", "values", "verdict"),
    [
        ("total_kj<=25", (24.0, 26.0), "kept"),
        ("total_kj<=25", (24.0, 26.1), "broken"),
        ("total_kj<=25", (25.0,), "kept"),
        ("dice>=0.8", (0.8, 0.8), "kept"),
        ("dice>=0.8", (0.79, 0.8), "broken"),
        ("dice>=0.8", (0.9, None), "invalid"),
    ],
)
def test_the_mean_over_the_repeats_is_held_against_the_figure(text, values, verdict):
    metric = text[: text.index(">" if ">" in text else "<")]

    assert judged(text, case("unet", **{metric: values})) == [("unet", verdict)]


def test_a_bound_tells_mean_interval_and_number_of_repeats():
    values = (24.0, 25.5, 27.6)

    (found,) = bounds.judge_bounds(run(case("unet", total_kj=values)), [gate("total_kj<=25")])

    low, high = stats.t.interval(0.95, 2, loc=25.7, scale=stats.sem(values))
    assert (found.mean, found.n) == (pytest.approx(25.7), 3)
    assert found.interval == pytest.approx((low, high))
    assert found.why == "25.7 [21.2, 30.2] kJ, n = 3"


def test_a_figure_that_rounds_to_its_limit_is_written_out():
    (found,) = bounds.judge_bounds(run(case("unet", total_kj=(25.004,))), [gate("total_kj<=25")])

    assert (found.verdict, found.why) == ("broken", "25.004 kJ, n = 1")


def test_what_failed_or_is_flagged_or_unknown_keeps_no_limit():
    cases = [
        case("a", "oom"),
        case("b", invalid=["throttled"], total_kj=(1.0,)),
        case("c", total_kj=(None,)),
        case("d", seconds=(1.0,)),
    ]

    assert judged("total_kj<=25", *cases) == [("a", "failed"), ("b", "invalid"), ("c", "invalid")]


def test_a_bound_on_a_metric_that_no_case_has_is_invalid():
    assert judged("gpu_kj<=25", case("a", total_kj=(1.0,))) == [("", "invalid")]
    assert judged("total_kj@b<=25", case("a", total_kj=(1.0,))) == [("", "invalid")]


# Exit codes


def change(verdict, text="total_kj:5%", metric="total_kj"):
    limit = None if text is None else gate(text)
    return Change(
        metric, True, (1.0,), (1.1,), 1.0, 1.1, 0.1, None, 0.1, 0.01, verdict, f"is {verdict}", limit
    )


def row(name="a", problem=None, why="", **verdicts):
    changes = {metric: change(word, metric=metric) for metric, word in verdicts.items()}
    return Row(name, "training", case(name), case(name), changes, "unchanged", problem, why)


def comparison(*rows, given=("total_kj:5%",), shifts=None, **changes):
    values = {
        "base": run(name="base"),
        "head": run(),
        "metrics": ("total_kj",),
        "rows": rows,
        "shifts": shifts or {},
        "noise": {},
        "gates": tuple(gate(text) for text in given),
    }
    return Comparison(**(values | changes))


GOOD = row("good", total_kj="unchanged")


@pytest.mark.parametrize(
    ("rows", "code", "strict_code"),
    [
        ([GOOD], 0, 0),
        ([GOOD, row(total_kj="improved")], 0, 0),
        ([GOOD, row(total_kj="regressed")], 10, 10),
        ([GOOD, row(total_kj="inconclusive")], 0, 11),
        ([GOOD, row(total_kj="no-baseline")], 0, 12),
        ([GOOD, row(problem="no-baseline")], 0, 12),
        ([GOOD, row(problem="missing")], 13, 13),
        ([GOOD, row(problem="failed")], 13, 13),
        ([GOOD, row(problem="invalid")], 14, 14),
        ([GOOD, row(total_kj="invalid")], 14, 14),
        # the gravest of several
        ([row(problem="missing"), row(total_kj="regressed")], 10, 10),
        ([row(problem="invalid"), row(problem="missing")], 13, 13),
        ([row(total_kj="inconclusive"), row(problem="invalid")], 14, 14),
        ([row(total_kj="inconclusive"), row(problem="no-baseline")], 0, 12),
    ],
)
def test_the_exit_code_is_that_of_the_gravest_finding(rows, code, strict_code):
    assert codes.choose_code(comparison(*rows)) == code
    assert codes.choose_code(comparison(*rows), strict=True) == strict_code


def test_a_verdict_without_a_gate_blocks_nothing():
    ungated = Row("a", "training", None, None, {"seconds": change("regressed", None)}, "regressed")
    rows = [GOOD, ungated, row("b", problem="missing"), row("c", problem="invalid")]

    assert codes.choose_code(comparison(*rows, given=())) == 0
    assert codes.choose_code(comparison(*rows, given=("total_kj@good:5%",))) == 0
    assert codes.choose_code(comparison(*rows, given=("total_kj@b:5%",))) == 13


def test_a_strict_run_without_gates_wants_every_case_there_good_and_with_a_base():
    for problem, code in [("missing", 13), ("failed", 13), ("invalid", 14), ("no-baseline", 12)]:
        assert codes.choose_code(comparison(GOOD, row(problem=problem), given=()), strict=True) == code


def test_a_strict_run_with_gates_is_about_what_they_are_about():
    rows = [GOOD, row("b", problem="missing"), row("c", problem="no-baseline")]

    assert codes.choose_code(comparison(*rows, given=("total_kj@good:5%",)), strict=True) == 0
    assert codes.choose_code(comparison(GOOD, rows[2], given=("total_kj<=5",)), strict=True) == 0


def test_without_a_base_or_across_hardware_a_gate_that_compares_has_nothing_to_say():
    rows = [row("a", problem="no-baseline"), row("b", problem="no-baseline")]
    for changes in ({"base": None}, {"refused": "other hardware"}):
        found = codes.list_findings(comparison(*rows, **changes))

        assert [(one.code, one.about) for one in found] == [(12, "this run")]
        assert codes.choose_code(comparison(*rows, **changes)) == 0
        assert codes.choose_code(comparison(*rows, **changes), strict=True) == 12
        assert codes.choose_code(comparison(*rows, given=("total_kj<=5",), **changes), strict=True) == 0


def test_a_flagged_case_is_invalid_also_where_hardware_differs():
    assert codes.choose_code(comparison(row(problem="invalid"), refused="other hardware")) == 14


@pytest.mark.parametrize(
    ("verdict", "code"), [("regressed", 10), ("inconclusive", 11), ("unchanged", 0), ("improved", 0)]
)
def test_a_gate_on_the_session_is_about_what_all_cases_have_in_common(verdict, code):
    shift = Shift("total_kj", 0.05, (0.04, 0.06), 6, verdict, "why", gate("session:4%"))

    found = comparison(GOOD, given=("session:4%",), shifts={"total_kj": shift})

    assert codes.choose_code(found, strict=True) == code


def test_a_session_that_cannot_be_told_is_inconclusive():
    assert codes.choose_code(comparison(GOOD, given=("session:4%",)), strict=True) == 11


def test_a_gate_that_looks_at_nothing_does_not_pass():
    assert codes.choose_code(comparison(GOOD, given=("gpu_kj:5%",))) == 14
    assert codes.choose_code(comparison(GOOD, given=("total_kj@nobody:5%",)), strict=True) == 12


@pytest.mark.parametrize(("value", "code"), [(24.0, 0), (26.0, 10), (None, 14)])
def test_a_ceiling_needs_no_base(value, code):
    head = run(case("a", total_kj=(value,)))
    found = bounds.judge_bounds(head, [gate("total_kj<=25")])

    empty = comparison(row(problem="no-baseline"), given=("total_kj<=25",), base=None, bounds=found)

    assert codes.choose_code(empty, strict=True) == code
