"""Confirming an alarm: which cases are measured again, and what becomes of the first verdict."""

from dataclasses import replace
from pathlib import Path

import pytest

from energy.analysis.compare.gate import parse_gate
from energy.analysis.gates import confirm
from energy.analysis.gates import exit_codes as codes
from energy.analysis.gates.judge import Known, Question, answer_question
from energy.analysis.gates.reference import Base, Side
from energy.records.summary import CaseSummary, RunSummary

NAMES = tuple("abcdefgh")
NOISE = (0.99, 1.0, 1.01)  # three repeats with 1 % of noise; every side has the same


def case(name, factor=1.0, spread=NOISE, **changes):
    values = {
        "total_kj": tuple(10 * factor * noise for noise in spread),
        "seconds": tuple(100.0 * (NAMES.index(name) + 1) * noise for noise in NOISE),
        "dice": (0.80, 0.81, 0.82),
    }
    return CaseSummary(name, "training", "ok", seeds=(0, 1, 2), values=values, kind="measured", **changes)


def run(name, factors=None, only=NAMES, drift=1.0, spread=NOISE):
    cases = tuple(case(each, drift * (factors or {}).get(each, 1.0), spread) for each in only)
    return RunSummary(Path(name), name, "h200-700w-3f2a", "2026-01-01", "abc", False, True, cases)


BASE = run("base")


def ask(*gates, base=BASE):
    nodes = {one.identity: f"test_a.py::test_a[{one.case}]" for one in base.cases}
    ranked = tuple(parse_gate(text, "command line") for text in gates)
    return Question(ranked, Known(Base(Side(base, (base.path,)), "base", nodes)))


def judged(gate, head, again=None):
    return answer_question(ask(gate), head, again, strict=True)


def wanted(gate, head):
    return confirm.choose_cases(judged(gate, head).comparison)


def test_without_an_alarm_nothing_is_measured_again():
    assert wanted("total_kj:5%", run("head")) == []


def test_an_alarmed_case_is_measured_again_with_the_cheapest_others_as_anchors():
    assert wanted("total_kj:5%", run("head", {"h": 1.1})) == ["a", "b", "c", "d", "h"]
    assert wanted("total_kj:5%", run("head", {"a": 1.1, "h": 1.1})) == [
        "a",
        "b",
        "c",
        "d",
        "e",
        "f",
        "g",
        "h",
    ]


def test_where_the_alarms_are_many_everything_is_measured_again():
    assert wanted("total_kj:5%", run("head", {"a": 1.1, "b": 1.1, "c": 1.1})) == list(NAMES)


def test_an_alarm_about_dice_or_a_ceiling_needs_no_anchor():
    head = run("head")
    worse = replace(head.cases[2], values={**head.cases[2].values, "dice": (0.70, 0.71, 0.72)})
    head = replace(head, cases=(*head.cases[:2], worse, *head.cases[3:]))

    assert wanted("dice:0.01", head) == ["c"]
    assert wanted("total_kj<=10.5", run("head", {"e": 1.1})) == ["e"]


def test_an_alarm_of_the_whole_session_is_measured_again_on_some_cases():
    assert wanted("session:4%", run("head", drift=1.1)) == list("abcde")


@pytest.mark.parametrize(
    ("second", "verdict", "code"),
    [
        (1.10, "regressed", 10),
        (1.09, "regressed", 10),
        (1.0, "unchanged", 0),
        (0.9, "unchanged", 0),
    ],
)
def test_a_regression_needs_both_measurements(second, verdict, code):
    head = run("head", {"c": 1.1})
    found = judged("total_kj:5%", head, run("again", {"c": second}, only="abcde"))

    (row,) = [row for row in found.comparison.rows if row.case == "c"]
    assert (row.changes["total_kj"].verdict, row.verdict, found.exit_code) == (verdict, verdict, code)
    assert row.changes["total_kj"].head == head.cases[2].values["total_kj"]  # the first figure stays
    assert "measured again" in row.why
    assert [alarm["verdict"] for alarm in found.alarms] == [verdict]


def test_a_session_that_got_warmer_neither_confirms_nor_clears_by_itself():
    head = run("head", {"c": 1.1})

    confirmed = judged("total_kj:5%", head, run("again", {"c": 1.1}, only="abcde", drift=0.9))
    cleared = judged("total_kj:5%", head, run("again", only="abcde", drift=1.1))

    assert (confirmed.exit_code, cleared.exit_code) == (10, 0)


@pytest.mark.parametrize(
    "again",
    [
        run("again", only="abde"),
        replace(run("again"), cases=(case("c", invalid=("throttled",)),)),
        replace(run("again"), cases=(replace(case("c"), status="oom", values={}),)),
        replace(
            run("again"),
            cases=(
                *run("again", only="abde").cases,
                replace(case("c"), values={"total_kj": (9.0, 10.6, 12.2)}),
            ),
        ),
    ],
    ids=["not measured", "invalid", "failed", "too noisy"],
)
def test_an_alarm_that_cannot_be_confirmed_is_inconclusive(again):
    found = judged("total_kj:5%", run("head", {"c": 1.1}), again)

    assert found.exit_code == codes.INCONCLUSIVE
    assert [alarm["verdict"] for alarm in found.alarms] == ["inconclusive"]
    assert "neither confirmed nor cleared" in found.findings[0].why


@pytest.mark.parametrize(
    ("again", "verdict", "code"),
    [
        (case("c", 1.1), "broken", 10),
        (case("c"), "kept", 0),
        (case("a"), "invalid", 14),
        (case("c", invalid=("throttled",)), "invalid", 14),
        (replace(case("c"), status="oom", values={}), "invalid", 14),
    ],
    ids=["agrees", "does not", "not measured", "invalid", "failed"],
)
def test_a_broken_ceiling_needs_both_measurements_too(again, verdict, code):
    found = judged("total_kj<=10.5", run("head", {"c": 1.1}), replace(run("again"), cases=(again,)))

    (bound,) = [bound for bound in found.comparison.bounds if bound.case == "c"]
    assert (bound.verdict, found.exit_code) == (verdict, code)


@pytest.mark.parametrize(("drift", "code"), [(1.1, 10), (1.0, 0)])
def test_a_shift_of_the_session_needs_both_measurements_too(drift, code):
    found = judged("session:4%", run("head", drift=1.1), run("again", only="abcde", drift=drift))

    assert found.exit_code == code


def test_what_gave_no_alarm_is_not_judged_again():
    head = run("head", {"c": 1.1})

    found = judged("total_kj:5%", head, run("again", {"a": 1.2, "c": 1.1}, only="abcde"))

    assert [finding.about for finding in found.findings] == ["c total_kj"]


def test_the_anchors_are_not_tested_again_so_that_they_take_no_power():
    # 5 % of noise: +11 % is significant among one test (p = 0.02), and not among five
    noisy = (0.95, 1.0, 1.05)
    question = ask("total_kj:5%", base=run("base", spread=noisy))

    head, again = run("head", {"c": 1.25}, spread=noisy), run("again", {"c": 1.11}, "abcde", spread=noisy)

    assert answer_question(question, head, again, strict=True).exit_code == 10


def test_cases_that_nobody_asked_for_are_left_out_of_the_answer():
    question = replace(ask("total_kj:5%"), leaves_out=lambda one: one.case == "a")

    found = answer_question(question, run("head", only="bcdefg"), strict=True)

    assert (found.left_out, found.exit_code) == (("a",), codes.MISSING)
    assert [finding.about for finding in found.findings] == ["h"]
    assert "a" not in {row.case for row in found.comparison.rows}
