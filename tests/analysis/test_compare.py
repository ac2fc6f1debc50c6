"""What the words of a comparison mean, case by case."""

import json
import math
import re

import pytest

from energy.analysis.compare.compare import compare
from energy.analysis.compare.gate import Gate
from energy.analysis.compare.result import Noise
from energy.analysis.compare.values import choose_metrics
from tests.simulated.summaries import case, run

CALM = {"total_kj": Noise(0.002, 100, "of a calm machine"), "seconds": Noise(0.002, 100, "likewise")}
GPU = "h200-700w-3f2a"


def gate(kind, limit, metric="total_kj", cases=None):
    return Gate(f"{metric}:{limit}", metric, cases and re.compile(cases), kind, limit, "command line")


def repeated(name, mean, metric="total_kj", spread=0.002):
    """Return a case of three repeats around a mean."""
    return case(name, **{metric: [mean * (1 - spread), mean, mean * (1 + spread)]})


def suite(*means, name="0001_base"):
    return run(*[repeated(f"case-{at}", mean) for at, mean in enumerate(means)], name=name)


def verdicts(found, metric="total_kj"):
    return [row.changes[metric].verdict for row in found.rows]


def test_a_case_that_takes_more_regressed_one_that_takes_less_improved_the_rest_is_unchanged():
    base, head = suite(10, 20, 30, 40, 50), suite(10, 20 * 1.1, 30, 40 / 1.1, 50, name="0002_head")

    found = compare(base, head)

    assert verdicts(found) == ["unchanged", "regressed", "unchanged", "improved", "unchanged"]
    assert [row.verdict for row in found.rows] == verdicts(found)


def test_more_is_better_for_a_speed():
    base = run(*[repeated(f"case-{at}", 100.0, "slices_per_s") for at in range(5)])
    head = run(
        *[repeated(f"case-{at}", 100.0, "slices_per_s") for at in range(3)],
        repeated("case-3", 120.0, "slices_per_s"),
        repeated("case-4", 80.0, "slices_per_s"),
    )

    found = compare(base, head, metrics=["slices_per_s"])

    assert verdicts(found, "slices_per_s") == ["unchanged"] * 3 + ["improved", "regressed"]


def test_what_all_cases_have_in_common_is_the_sessions_and_no_cases():
    base = suite(10, 20, 30, 40, 50)
    head = suite(*[mean * 1.06 for mean in (10, 20, 30, 40, 50)], name="0002_head")

    found = compare(base, head)

    assert verdicts(found) == ["unchanged"] * 5
    assert found.shifts["total_kj"].change == pytest.approx(0.06)
    assert found.shifts["total_kj"].verdict == "regressed"
    assert any("session:LIMIT" in warning for warning in found.warnings)


@pytest.mark.parametrize(
    ("metric", "factor", "verdict"),
    [
        ("total_kj", 1 / 1.06, "improved"),
        ("slices_per_s", 1.06, "improved"),
        ("slices_per_s", 1 / 1.06, "regressed"),
        ("total_kj", 1.01, "unchanged"),
    ],
)
def test_the_session_has_the_direction_of_its_metric(metric, factor, verdict):
    base = run(*[repeated(f"case-{at}", 100.0, metric) for at in range(5)])
    head = run(*[repeated(f"case-{at}", 100.0 * factor, metric) for at in range(5)], name="0002_head")

    assert compare(base, head, metrics=[metric]).shifts[metric].verdict == verdict


def test_a_session_that_noise_alone_may_have_moved_is_inconclusive():
    base = run(*[repeated(f"case-{at}", 10, spread=0.1) for at in range(4)])
    head = run(*[repeated(f"case-{at}", 10.4, spread=0.1) for at in range(4)], name="0002_head")

    found = compare(base, head).shifts["total_kj"]

    assert (found.change, found.verdict) == (pytest.approx(0.04), "inconclusive")


def test_a_metric_without_noise_takes_nothing_from_one_that_has_it():
    known = {"total_kj": Noise(0.01, 100, "calibrate")}
    base = run(case("a", seconds=[10.0], total_kj=[10.0]), case("b", seconds=[10.0], total_kj=[10.0]))
    head = run(
        case("a", seconds=[12.0], total_kj=[12.0]), case("b", seconds=[10.0], total_kj=[10.0]), name="h"
    )

    found = compare(base, head, metrics=["seconds", "total_kj"], calibrated=known)

    assert verdicts(found, "seconds") == ["inconclusive", "unchanged"]
    assert verdicts(found, "total_kj") == ["regressed", "unchanged"]


def test_a_limit_for_the_session_is_its_own():
    base = suite(10, 20, 30, 40, 50)
    head = suite(*[mean * 1.06 for mean in (10, 20, 30, 40, 50)], name="0002_head")
    wide, narrow = gate("session", 0.08), gate("session", 0.04)

    within = compare(base, head, gates=[wide]).shifts["total_kj"]
    beyond = compare(base, head, gates=[narrow]).shifts["total_kj"]

    assert (within.verdict, within.gate) == ("unchanged", wide)
    assert (beyond.verdict, beyond.gate) == ("regressed", narrow)


def test_a_proven_change_within_the_limit_is_no_regression():
    """Worse by 2 % beyond all doubt; the margin is 3 %."""
    base, head = suite(10, 10, 10, 10), suite(10, 10, 10, 10.2, name="0002_head")

    found = compare(base, head).rows[3].changes["total_kj"]

    assert found.p_value < 1e-6
    assert (found.verdict, found.why) == ("unchanged", "not worse by more than 3 %")


@pytest.mark.parametrize(("limit", "verdict"), [(0.15, "unchanged"), (0.05, "regressed")])
def test_the_limit_of_a_gate_takes_the_place_of_the_margin(limit, verdict):
    base, head = suite(10, 10, 10, 10), suite(10, 10, 10, 11, name="0002_head")

    found = compare(base, head, gates=[gate("relative", limit)])

    assert verdicts(found)[3] == verdict


def test_the_last_gate_about_a_case_counts():
    base, head = suite(10, 10, 10, 10), suite(10, 10, 10, 11, name="0002_head")
    gates = [gate("relative", 0.05), gate("relative", 0.15, cases="case-3"), gate("relative", 0.2, "seconds")]

    found = compare(base, head, gates=gates)

    assert found.rows[3].changes["total_kj"].gate == gates[1]
    assert found.rows[2].changes["total_kj"].gate == gates[0]
    assert found.metrics == ("total_kj", "seconds")


def test_an_interval_that_reaches_beyond_the_limit_is_inconclusive_and_says_how_many_repeats_tell():
    base = run(*[repeated(f"case-{at}", 10, spread=0.06) for at in range(4)])
    head = run(*[repeated(f"case-{at}", 10.02 + at / 100, spread=0.06) for at in range(4)], name="0002_head")

    found = compare(base, head)

    assert verdicts(found) == ["inconclusive"] * 4
    assert re.search(
        r"may be worse by more than the limit of 3 %; need about n = \d+",
        found.rows[0].changes["total_kj"].why,
    )


def test_worse_by_more_than_the_limit_and_not_significant_is_inconclusive():
    base = run(*[repeated(f"case-{at}", 10, spread=0.06) for at in range(4)])
    head = run(*[repeated(f"case-{at}", 10 + at**2 / 10, spread=0.06) for at in range(4)], name="0002_head")

    last = compare(base, head).rows[3].changes["total_kj"]

    assert last.verdict == "inconclusive"
    assert "noise may do that among 4 tests; need about n = " in last.why


def test_gated_metrics_are_a_family_of_their_own():
    """p = 0.02 falls alone, and not as the least of five."""
    known = {"total_kj": Noise(0.03, 1e6, ""), "seconds": Noise(0.03, 1e6, "")}
    shift = math.exp(2.0538 * 0.03 * math.sqrt(2))  # the one-sided 2 % point of the normal distribution
    base = run(case("a", total_kj=[10.0], seconds=[10.0]), case("b", total_kj=[10.0], seconds=[10.0]))
    head = run(
        case("a", total_kj=[10.0 * shift], seconds=[10.0]),
        case("b", total_kj=[10.0], seconds=[10.0]),
        name="h",
    )

    together = compare(base, head, metrics=["total_kj", "seconds"], calibrated=known)
    gated = compare(
        base,
        head,
        metrics=["total_kj", "seconds"],
        calibrated=known,
        gates=[gate("relative", 0.03, cases="a")],
    )

    assert together.rows[0].changes["total_kj"].p_value == pytest.approx(0.02, rel=1e-3)
    assert verdicts(together)[0] == "inconclusive"
    assert verdicts(gated)[0] == "regressed"
    assert gated.rows[0].changes["seconds"].gate is None


# Three seeds, standard deviation of the differences 0.002: one case alone has a 95 % interval of +-0.00497,
# 4.303 * 0.002 / sqrt(3).
@pytest.mark.parametrize(
    ("shift", "verdict"),
    [(-0.002, "unchanged"), (-0.0049, "unchanged"), (-0.0053, "inconclusive"), (-0.02, "regressed"),
     (0.004, "improved"), (0.002, "unchanged")],
)  # fmt: skip
def test_dice_is_a_non_inferiority_test_by_seed_with_a_margin_of_a_hundredth(shift, verdict):
    before = [0.80, 0.70, 0.85]
    base = run(case("unet", dice=before))
    head = run(
        case(
            "unet",
            dice=[value + shift + step for value, step in zip(before, (-0.002, 0, 0.002), strict=True)],
        )
    )

    found = compare(base, head, metrics=["dice"]).rows[0].changes["dice"]

    assert found.change == pytest.approx(shift)
    assert found.interval == pytest.approx((shift - 0.004968, shift + 0.004968), abs=1e-5)
    assert found.verdict == verdict


def test_the_noise_of_dice_is_pooled_over_the_cases():
    """One case alone cannot tell (sd 0.01 of two seeds); with nine calm others it can."""
    calm = [case(f"calm-{at}", dice=[0.80, 0.801]) for at in range(9)]
    after = [case(f"calm-{at}", dice=[0.80, 0.802]) for at in range(9)]
    one, other = case("one", dice=[0.80, 0.81]), case("one", dice=[0.80, 0.812])

    alone = compare(run(one), run(other, name="h"), metrics=["dice"])
    among = compare(run(one, *calm), run(other, *after, name="h"), metrics=["dice"])

    assert alone.rows[0].changes["dice"].verdict == "inconclusive"
    assert among.rows[0].changes["dice"].verdict == "unchanged"
    assert "dice" not in among.shifts


def test_one_repeat_with_a_difference_is_inconclusive_and_has_no_interval():
    found = compare(run(case(total_kj=[10.0])), run(case(total_kj=[10.001]), name="h"), metrics=["total_kj"])

    change = found.rows[0].changes["total_kj"]
    assert (change.verdict, change.interval, change.p_value) == ("inconclusive", None, None)
    assert "n = 1 and no noise is known" in change.why


def test_one_repeat_with_the_same_figure_is_unchanged_and_says_that_there_is_no_interval():
    found = compare(run(case(total_kj=[10.0])), run(case(total_kj=[10.0]), name="h"), metrics=["total_kj"])

    change = found.rows[0].changes["total_kj"]
    assert (change.verdict, change.interval) == ("unchanged", None)
    assert change.why == "the same figure; n = 1: no interval"


def test_a_case_that_stood_still_while_the_others_took_more_got_better():
    base, head = suite(10, 20, 30, 40, 50), suite(10, *[mean * 1.1 for mean in (20, 30, 40, 50)], name="h")

    assert verdicts(compare(base, head))[0] == "improved"


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (run(repeated("case-0", 12), fingerprint=GPU), f"epyc-2c-cpu-91bc in the base, {GPU} in the head"),
        (
            run(case("case-0", total_kj=[12.0] * 3, kind="modelled")),
            "measured in the base, modelled in the head",
        ),
    ],
)
def test_runs_of_other_hardware_or_meters_are_shown_and_not_judged(head, words):
    found = compare(suite(10, 20), head, gates=[gate("relative", 0.05)])

    first = found.rows[0]
    assert words in found.refused
    assert (first.problem, first.verdict, first.why) == ("no-baseline", "no-baseline", found.refused)
    assert first.changes["total_kj"].change == pytest.approx(0.2, rel=0.01)
    assert (first.changes["total_kj"].verdict, first.changes["total_kj"].interval) == ("no-baseline", None)
    assert found.rows[1].problem == "missing"
    assert (found.shifts, found.noise) == ({}, {"total_kj": None})


@pytest.mark.parametrize(
    ("before", "after", "problem", "verdict", "words"),
    [
        ({}, {"status": "oom", "values": {}}, "failed", "invalid", "ended as: oom"),
        ({}, {"invalid": ("throttled",)}, "invalid", "invalid", "invalid in the head: throttled"),
        ({"invalid": ("gap",)}, {}, "no-baseline", "no-baseline", "invalid in the base: gap"),
        ({"status": "diverged", "values": {}}, {}, "no-baseline", "no-baseline", "it ended as diverged"),
        ({}, {"keys": {"case": "9999"}}, "no-baseline", "no-baseline", "keys differ: case"),
        ({"keys": {"data": "1"}}, {"keys": {"data": "2", "case": "3"}}, "no-baseline", "no-baseline",
         "keys differ: data, case"),
        ({}, {"keys": {"software": "other"}}, None, "unchanged", ""),
    ],
)  # fmt: skip
def test_a_pair_that_cannot_be_judged_says_why(before, after, problem, verdict, words):
    usual = {"total_kj": [10.0, 10.1]}
    found = compare(run(case("unet", **usual, **before)), run(case("unet", **usual, **after), name="h"))

    row = found.rows[0]
    assert (row.problem, row.verdict) == (problem, verdict)
    assert words in row.why


def test_other_software_is_a_warning():
    head = run(case("unet", total_kj=[10.0], keys={"software": "other"}), name="h")

    found = compare(run(case("unet", total_kj=[10.0])), head)

    assert found.warnings[0].startswith("other software (libraries or Python) in 1 of 1 cases")


def test_a_case_of_the_base_that_is_not_in_the_head_is_missing_one_that_never_worked_is_not():
    base = run(case("a", total_kj=[1.0]), case("b", total_kj=[1.0]), case("c", status="oom"))

    found = compare(base, run(case("b", total_kj=[1.0]), case("d", total_kj=[1.0]), name="h"))

    assert {row.case: row.problem for row in found.rows} == {
        "b": None,
        "d": "no-baseline",
        "a": "missing",
        "c": "no-baseline",
    }


def test_the_same_name_of_another_task_is_another_case():
    found = compare(
        run(case("unet", task="inference", total_kj=[1.0])), run(case("unet", total_kj=[1.0]), name="h")
    )

    assert [(row.task, row.problem) for row in found.rows] == [
        ("training", "no-baseline"),
        ("inference", "missing"),
    ]


@pytest.mark.parametrize("twice", ["base", "head"])
def test_a_name_that_a_run_has_twice_is_never_held_against_a_case_of_that_name(twice):
    one, other = case("test_sort", total_kj=[1.0]), case("test_sort", total_kj=[5.0])
    sides = {"base": [one], "head": [one]} | {twice: [one, other]}

    found = compare(run(*sides["base"]), run(*sides["head"], name="h"))

    assert {(row.problem, row.verdict, len(row.changes)) for row in found.rows} == {
        ("no-baseline",) * 2 + (0,)
    }
    assert "several cases have this name" in found.rows[0].why


def test_a_failure_is_told_also_where_the_name_is_ambiguous():
    bad, good = case("test_sort", status="error", values={}), case("test_sort", total_kj=[5.0])

    found = compare(run(good), run(bad, good, name="h"))

    assert [row.problem for row in found.rows] == ["failed", "no-baseline"]


def test_without_a_base_no_case_has_a_baseline():
    found = compare(None, suite(10, 20))

    assert [row.verdict for row in found.rows] == ["no-baseline"] * 2
    assert found.metrics == ("total_kj",)


def test_an_interrupted_run_is_a_warning():
    found = compare(suite(10), run(repeated("case-0", 10), name="0002_head", finished=False))

    assert "the head (epyc-2c-cpu-91bc/0002_head) was interrupted" in found.warnings[0]


@pytest.mark.parametrize(
    ("before", "after", "verdict", "words"),
    [
        ([1.0, 1.0], [1.0, None], "invalid", "kj_to_dice is unknown in the head in 1 of 2 repeats"),
        ([None, None], [1.0, 1.0], "no-baseline", "kj_to_dice is unknown in the base"),
        ([1.0], [], "invalid", "kj_to_dice is unknown in the head"),
    ],
)
def test_a_metric_that_is_unknown_on_one_side_has_no_figure_made_up_for_it(before, after, verdict, words):
    base, head = run(case(kj_to_dice=before)), run(case(kj_to_dice=after), name="h")

    change = compare(base, head, metrics=["kj_to_dice"]).rows[0].changes["kj_to_dice"]

    assert (change.verdict, change.change, change.why) == (verdict, None, words)


def test_a_metric_that_neither_side_knows_is_left_out():
    base, head = run(case(total_kj=[1.0], gpu_kj=[None])), run(case(total_kj=[1.0], gpu_kj=[None]), name="h")

    assert set(compare(base, head, metrics=["total_kj", "gpu_kj"]).rows[0].changes) == {"total_kj"}
    assert compare(base, head, metrics=["gpu_kj"]).rows[0].verdict == "inconclusive"


@pytest.mark.parametrize(("after", "verdict"), [([0.0], "unchanged"), ([0.1], "inconclusive")])
def test_nothing_has_no_ratio(after, verdict):
    base, head = run(case(setup_kj=[0.0])), run(case(setup_kj=after), name="h")

    change = compare(base, head, metrics=["setup_kj"]).rows[0].changes["setup_kj"]

    assert (change.verdict, change.change) == (verdict, None)


def test_counts_that_differ_without_any_noise_are_proven():
    base = run(*[case(f"c{at}", params=[1000.0] * 2) for at in range(4)])
    head = run(*[case(f"c{at}", params=[1000.0 + 100 * (at == 3)] * 2) for at in range(4)], name="h")

    assert verdicts(compare(base, head, metrics=["params"]), "params") == ["unchanged"] * 3 + ["regressed"]


def test_plain_pytest_benchmark_files_are_compared_by_their_seconds():
    base = run(
        case("test_a.py::test_sort", task="function", seconds=[1.0] * 3, keys=None, kind=None),
        fingerprint=None,
    )
    head = run(
        case("test_a.py::test_sort", task="function", seconds=[1.2] * 3, kind=None),
        fingerprint=None,
        name="h",
    )

    found = compare(base, head)

    assert found.metrics == ("seconds",)
    assert verdicts(found, "seconds") == ["regressed"]
    assert "base and head plain pytest-benchmark: hardware and keys are not known" in found.warnings[0]


@pytest.mark.parametrize(
    ("plain", "own"),
    [
        (
            "test_training.py::test_training[unet-baseline]",
            case("unet-baseline", seconds=[1.0], total_kj=[3.0]),
        ),
        ("test_a.py::test_sort", case("test_sort", task="function", seconds=[1.0], total_kj=[3.0])),
    ],
)
def test_a_plain_file_and_one_of_ours_are_compared_by_the_seconds_of_the_same_test(plain, own):
    base = run(case(plain, task="function", seconds=[2.0], kind=None), fingerprint=None)

    found = compare(base, run(own, name="h"), calibrated=CALM)

    assert found.metrics == ("seconds",)
    assert [(row.case, row.verdict) for row in found.rows] == [(own.case, "improved")]
    assert found.refused is None


@pytest.mark.parametrize(
    ("name", "words"), [("codecarbon_kj", "is a witness"), ("dise", "did you mean dice")]
)
def test_a_metric_that_cannot_be_compared_is_refused(name, words):
    with pytest.raises(ValueError, match=words):
        compare(suite(10), suite(10), metrics=[name])


@pytest.mark.parametrize(
    ("cases", "metrics"),
    [
        ([case(total_kj=[1.0], kj_per_epoch=[1.0], dice=[0.8], seconds=[9.0])], ("total_kj", "dice")),
        ([case(total_kj=[None], dice=[0.8], seconds=[9.0])], ("seconds", "dice")),
        ([case(seconds=[9.0])], ("seconds",)),
        ([], ("seconds",)),
    ],
)
def test_by_default_cost_and_dice_are_compared_as_far_as_they_are_known(cases, metrics):
    assert choose_metrics(run(*cases), run(*cases)) == metrics


def test_keys_that_differ_are_explained_from_the_files_of_both_runs(tmp_path):
    sides = []
    for name, epochs in (("base", 12), ("head", 30)):
        record = {"case": "unet", "task": "training", "budget": {"epochs": epochs, "batch_size": 8},
                  "recipe": {"loss": "dice", "lr": epochs} if name == "base" else {"lr": epochs}}  # fmt: skip
        entry = {"extra_info": {"energy": record}}
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps({"benchmarks": [entry], "energy": {"schema": 1}}))
        sides.append(run(case("unet", total_kj=[1.0], keys={"case": name}), path=path))

    found = compare(*sides)

    assert found.rows[0].why == "keys differ: case: epochs 12 → 30, lr 12 → 30, loss dice → (not there)"
    assert found.rows[0].changes["total_kj"].verdict == "no-baseline"
