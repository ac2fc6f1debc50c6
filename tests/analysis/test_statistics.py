"""The statistics of a comparison, against scipy's tests, printed tables and hand calculation."""

import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from energy.analysis.compare import noise
from energy.analysis.compare.compare import compare
from energy.analysis.compare.gate import Gate
from energy.analysis.compare.result import Noise
from energy.analysis.compare.values import choose_scale
from energy.statistics import Spread, p_noisier, power, reject_by_holm, repeats_needed
from tests.simulated.summaries import case, run

ONE = [10.0, 10.3, 9.8]
OTHER = [11.9, 11.4, 12.1]


def logs(values):
    return np.log(values)


def only(comparison, metric="total_kj"):
    return comparison.rows[0].changes[metric]


def energy(name, *values):
    return case(name, total_kj=values)


def by_share(base, changes, repeats=1):
    """Return base and head of cases that take a share more, each repeat the same."""
    before = [energy(f"case-{at}", *[base] * repeats) for at in range(len(changes))]
    after = [energy(f"case-{at}", *[base * (1 + more)] * repeats) for at, more in enumerate(changes)]
    return run(*before), run(*after, name="0002_head")


def rejected_by_closure(p_values, level):
    """Holm's rule is the closed test of Bonferroni's (Marcus, Peritz and Gabriel 1976): try all subsets."""
    count = len(p_values)
    subsets = [
        set(found) for size in range(1, count + 1) for found in itertools.combinations(range(count), size)
    ]
    return [
        all(min(p_values[at] for at in found) * len(found) <= level for found in subsets if one in found)
        for one in range(count)
    ]


# The first is the worked example of Wikipedia, Holm-Bonferroni method; the others follow from 0.05 / m.
@pytest.mark.parametrize(
    ("p_values", "fell"),
    [
        ([0.01, 0.04, 0.03, 0.005], [True, False, False, True]),
        ([0.0125, 0.0125, 0.0125, 0.0125], [True] * 4),
        ([0.0126, 0.001, 0.9], [True, True, False]),
        ([0.06], [False]),
        ([], []),
    ],
)
def test_holm_rejects_what_the_worked_examples_do(p_values, fell):
    assert reject_by_holm(p_values) == fell


@given(st.lists(st.floats(0, 0.2), max_size=6))
def test_holm_is_the_closed_test_of_bonferronis(p_values):
    assert reject_by_holm(p_values) == rejected_by_closure(p_values, 0.05)


def test_one_case_alone_is_students_t_test_on_logarithms():
    found = only(compare(run(energy("unet", *ONE)), run(energy("unet", *OTHER)), metrics=["total_kj"]))

    expected = stats.ttest_ind(logs(OTHER), logs(ONE), alternative="greater")
    interval = stats.ttest_ind(logs(OTHER), logs(ONE)).confidence_interval(0.95)
    assert found.p_value == pytest.approx(expected.pvalue)
    assert found.interval == pytest.approx(np.expm1([interval.low, interval.high]))
    assert found.change == pytest.approx(np.exp(logs(OTHER).mean() - logs(ONE).mean()) - 1)
    assert found.effect_interval == found.interval


def test_dice_alone_is_the_paired_t_test_whatever_the_order_of_the_seeds():
    before, after = [0.80, 0.75, 0.84], [0.79, 0.73, 0.84]
    base = run(case("unet", dice=before, seeds=(0, 1, 2)))
    head = run(case("unet", dice=after[::-1], seeds=(2, 1, 0)))

    found = only(compare(base, head, metrics=["dice"]), "dice")

    expected = stats.ttest_rel(after, before, alternative="less")
    interval = stats.ttest_rel(after, before).confidence_interval(0.95)
    assert found.p_value == pytest.approx(expected.pvalue)
    assert found.interval == pytest.approx((interval.low, interval.high))
    assert found.change == pytest.approx(np.mean(after) - np.mean(before))


def test_dice_of_other_seeds_is_compared_without_pairing_and_says_so():
    base = run(case("unet", dice=[0.80, 0.75, 0.84], seeds=(0, 1, 2)))
    head = run(case("unet", dice=[0.79, 0.73, 0.84], seeds=(3, 4, 5)))

    found = only(compare(base, head, metrics=["dice"]), "dice")

    expected = stats.ttest_ind([0.79, 0.73, 0.84], [0.80, 0.75, 0.84], alternative="less")
    assert found.p_value == pytest.approx(expected.pvalue)
    assert "not by seed" in found.why


def test_of_other_seeds_those_are_compared_that_both_runs_have():
    """The joules and the Dice of seed 0 alone: a third more repeats of other seeds must not move them."""
    base = run(case("unet", dice=[0.80], total_kj=[10.0], seeds=(0,)))
    head = run(case("unet", dice=[0.70, 0.80, 0.74], total_kj=[12.0, 10.0, 11.0], seeds=(2, 0, 1)))

    found = compare(base, head, metrics=["total_kj", "dice"])

    changes = found.rows[0].changes
    assert [(change.base, change.head) for change in changes.values()] == [
        ((10.0,), (10.0,)),
        ((0.8,), (0.8,)),
    ]
    assert all("seeds 0 of 0, 1, 2" in change.why for change in changes.values())
    assert found.warnings == ("seeds 0 of 0, 1, 2 in 1 of 1 cases: other repeats are left out",)


def test_of_seeds_that_overlap_dice_is_the_paired_t_test_of_those_in_common():
    base = run(case("unet", dice=[0.80, 0.75, 0.84, 0.10], seeds=(0, 1, 2, 3)))
    head = run(case("unet", dice=[0.20, 0.83, 0.73, 0.79], seeds=(4, 2, 1, 0)))

    found = only(compare(base, head, metrics=["dice"]), "dice")

    expected = stats.ttest_rel([0.79, 0.73, 0.83], [0.80, 0.75, 0.84], alternative="less")
    assert found.p_value == pytest.approx(expected.pvalue)
    assert "seeds 0, 1, 2 of 0, 1, 2, 3, 4" in found.why


def test_without_a_seed_in_common_joules_are_compared_as_independent_repeats():
    before, after = (10.0, 10.2, 9.9), (10.4, 10.5, 10.3)
    base = run(case("unet", total_kj=before, seeds=(0, 1, 2)))
    head = run(case("unet", total_kj=after, seeds=(3, 4, 5)))

    found = compare(base, head, metrics=["total_kj"])

    expected = stats.ttest_ind(logs(after), logs(before), alternative="greater")
    assert only(found).p_value == pytest.approx(expected.pvalue)
    assert found.warnings == ("no seed in common in 1 of 1 cases: the repeats count as independent",)


def test_repeats_of_one_seed_do_not_tell_what_another_seed_does():
    """Each repeats to the last digit; that seed 1 is worse than seed 0 proves nothing of the change."""
    base = run(case("unet", dice=[0.80, 0.80, 0.80], seeds=(0, 0, 0)))
    head = run(case("unet", dice=[0.74, 0.74, 0.74], seeds=(1, 1, 1)))

    found = only(compare(base, head, metrics=["dice"]), "dice")

    assert (found.verdict, found.interval) == ("inconclusive", None)
    assert "n = 1, no seed in common" in found.why


@pytest.mark.parametrize("seeds", [(), (0,), (0, 1, 2)])
def test_repeats_without_a_seed_each_are_not_paired(seeds):
    base, head = run(case("a", dice=[0.8, 0.7], seeds=seeds)), run(case("a", dice=[0.7, 0.8], seeds=seeds))

    found = only(compare(base, head, metrics=["dice"]), "dice")

    expected = stats.ttest_ind([0.7, 0.8], [0.8, 0.7], alternative="less")
    assert found.p_value == pytest.approx(expected.pvalue)


def test_one_case_with_other_seeds_makes_all_cases_unpaired():
    """The spread over seeds must not be pooled with that of differences seed by seed."""
    same = case("a", dice=[0.80, 0.75], seeds=(0, 1))
    base = run(same, case("b", dice=[0.81, 0.76], seeds=(0, 1)))
    head = run(same, case("b", dice=[0.81, 0.76], seeds=(2, 3)))

    found = compare(base, head, metrics=["dice"])

    spread_of_seeds = 4 * 0.05**2 / 2
    assert found.noise["dice"].share == pytest.approx(math.sqrt(spread_of_seeds / 4))
    assert found.noise["dice"].freedom == 4


def test_the_noise_of_two_cases_is_pooled_as_by_hand():
    """Logs 0, .02 | .1, .12 and 1, 1.04 | 1.1, 1.14: squares .0002 * 2 + .0008 * 2, one degree each."""
    base = run(energy("a", 1.0, math.exp(0.02)), energy("b", math.exp(1.0), math.exp(1.04)))
    head = run(energy("a", math.exp(0.1), math.exp(0.12)), energy("b", math.exp(1.1), math.exp(1.14)))

    found = compare(base, head, metrics=["total_kj"])

    share = math.sqrt(0.002 / 4)
    assert found.noise["total_kj"].share == pytest.approx(share)
    assert found.noise["total_kj"].freedom == 4
    half = stats.t.ppf(0.975, 4) * share * math.sqrt(1 / 2 + 1 / 2)
    assert only(found).interval == pytest.approx(np.expm1([0.1 - half, 0.1 + half]))


def test_one_repeat_is_judged_by_the_noise_of_the_cases_that_were_repeated():
    base = run(energy("a", 10.0, 10.2, 9.9), energy("b", 5.0))
    head = run(energy("a", 10.1, 10.0, 10.2), energy("b", 6.0))

    found = compare(base, head, metrics=["total_kj"]).rows[1].changes["total_kj"]

    squares = sum(len(values) * np.var(logs(values)) for values in ([10.0, 10.2, 9.9], [10.1, 10.0, 10.2]))
    half = stats.t.ppf(0.975, 4) * math.sqrt(squares / 4) * math.sqrt(2)
    assert found.interval == pytest.approx(np.expm1([math.log(1.2) - half, math.log(1.2) + half]))
    assert found.verdict == "regressed"


def test_a_case_that_is_proven_noisier_is_judged_by_itself_and_kept_out_of_the_pool():
    calm = [energy(f"case-{at}", 10.0, 10.1, 9.9) for at in range(6)]
    wild = (5.0, 8.0, 3.0)
    found = compare(
        run(*calm, energy("wild", *wild)), run(*calm, energy("wild", 4.0, 9.0, 2.9)), metrics=["total_kj"]
    )

    own = found.rows[-1].changes["total_kj"]

    assert found.noise["total_kj"].share == pytest.approx(np.std(logs([10.0, 10.1, 9.9]), ddof=1))
    assert found.noise["total_kj"].freedom == 24
    alone = stats.ttest_ind(logs([4.0, 9.0, 2.9]), logs(wild)).confidence_interval(0.95)
    assert own.interval == pytest.approx(np.expm1([alone.low, alone.high]))


def test_the_f_test_is_scipys_and_proves_nothing_without_freedom():
    expected = stats.f.sf((0.9 / 3) / (1.0 / 10), 3, 10)

    assert p_noisier(Spread(0.9, 3), Spread(1.0, 10)) == pytest.approx(expected)
    assert p_noisier(Spread(0.0, 0), Spread(1.0, 10)) == 1.0
    assert p_noisier(Spread(1.0, 3), Spread(0.0, 0)) == 1.0
    assert p_noisier(Spread(0.0, 3), Spread(0.0, 3)) == 1.0
    assert p_noisier(Spread(0.1, 3), Spread(0.0, 3)) == 0.0


# Cohen, Statistical Power Analysis (1988), table 2.4.1: two-sided 5 %, power 80 %, per group.
@pytest.mark.parametrize(("shift", "repeats"), [(0.5, 64), (0.8, 26), (1.0, 17), (1.2, 12)])
def test_as_many_repeats_are_advised_as_cohens_table_says(shift, repeats):
    assert repeats_needed(1.0, shift, 0.025, 1) == repeats


@pytest.mark.parametrize(("cases", "repeats"), [(1, 2), (1, 3), (5, 3)])
def test_the_power_is_that_of_scipys_noncentral_t(cases, repeats):
    freedom, noncentrality = cases * (2 * repeats - 2), 2.0 / math.sqrt(2 / repeats)

    found = power(0.5, 1.0, 0.05, cases, repeats)

    assert found == pytest.approx(stats.nct.sf(stats.t.ppf(0.95, freedom), freedom, noncentrality))


def test_the_advice_is_about_the_distance_from_the_limit():
    """One case, worse by 1.5 %: as many repeats as find ln(1.03) - ln(1.015) at 2.5 % with power 80 %."""
    base = run(energy("unet", 10.0, 10.3, 9.7))
    head = run(energy("unet", *[1.015 * value for value in (10.0, 10.3, 9.7)]), name="0002_head")

    why = only(compare(base, head, metrics=["total_kj"])).why

    noise_of_one = np.std(logs([10.0, 10.3, 9.7]), ddof=1)
    enough = (
        repeats
        for repeats in range(2, 1000)
        if stats.nct.sf(
            stats.t.ppf(0.975, 2 * repeats - 2),
            2 * repeats - 2,
            math.log(1.03 / 1.015) / (noise_of_one * math.sqrt(2 / repeats)),
        )
        >= 0.8
    )
    assert why.endswith(f"need about n = {next(enough)}")


def test_a_hopeless_question_has_no_number_of_repeats():
    assert repeats_needed(1.0, 0.001, 0.025, 24) is None
    assert repeats_needed(0.0, 0.001, 0.025, 24) == 2
    assert repeats_needed(1e-9, 1.0, 0.025, 24) == 2


def test_the_median_of_all_cases_is_the_session_and_what_is_left_is_the_case():
    base, head = by_share(10.0, [0.031, 0.030, 0.032, 0.029, 0.15], repeats=2)

    found = compare(base, head, metrics=["total_kj"], gates=[])

    # The last case is proven to have moved by itself, so the session is the median of the four others.
    session = math.log(1.03) / 2 + math.log(1.031) / 2
    assert found.shifts["total_kj"].change == pytest.approx(math.expm1(session))
    assert found.shifts["total_kj"].cases == 4
    last = found.rows[-1].changes["total_kj"]
    assert last.change == pytest.approx(0.15)
    assert last.effect == pytest.approx(math.expm1(math.log(1.15) - session))
    assert last.verdict == "regressed"


def test_the_interval_of_the_session_and_of_an_effect_follow_from_the_noise():
    """Five equal cases without change; var(d) = s2 * 2/3, var(median) = pi/2 * var(d) / 5."""
    values = (10.0, 10.3, 9.8)
    base = run(*[energy(f"case-{at}", *values) for at in range(5)])
    head = run(
        *[energy(f"case-{at}", *[1.01 * value for value in values]) for at in range(5)], name="0002_head"
    )

    found = compare(base, head, metrics=["total_kj"])

    change = np.var(logs(values), ddof=1) * 2 / 3
    quantile = stats.t.ppf(0.975, 20)
    middle = quantile * math.sqrt(change * math.pi / 2 / 5)
    own = quantile * math.sqrt(change * (1 + math.pi / 2 / 5))
    session = found.shifts["total_kj"].interval
    assert session == pytest.approx(np.expm1([math.log(1.01) - middle, math.log(1.01) + middle]))
    assert only(found).effect_interval == pytest.approx(np.expm1([-own, own]))


def test_without_noise_the_session_of_six_cases_lies_between_the_least_and_the_most():
    """1 - 2 / 2**6 = 96.9 %: the sign test's interval (Conover, Practical Nonparametric Statistics, 3.2)."""
    base, head = by_share(10.0, [0.01, 0.02, 0.03, 0.05, 0.08, 0.04])

    shift = compare(base, head, metrics=["total_kj"]).shifts["total_kj"]

    assert shift.change == pytest.approx(math.sqrt(1.03 * 1.04) - 1)
    assert shift.interval == pytest.approx((0.01, 0.08))


def test_without_noise_the_session_of_five_cases_has_no_interval():
    base, head = by_share(10.0, [0.01, 0.02, 0.03, 0.05, 0.08])

    shift = compare(base, head, metrics=["total_kj"]).shifts["total_kj"]

    assert (shift.interval, shift.verdict) == (None, "inconclusive")


@pytest.mark.parametrize("count", [1, 2])
def test_one_or_two_cases_cannot_tell_the_session_from_the_case(count):
    base, head = by_share(10.0, [0.2] * count, repeats=2)

    found = compare(base, head, metrics=["total_kj"])

    assert (found.shifts["total_kj"].interval, found.shifts["total_kj"].verdict) == (None, "inconclusive")
    assert only(found).effect == pytest.approx(0.2)
    assert only(found).verdict == "regressed"
    assert "the session's drift included" in only(found).why


def test_one_case_of_three_that_got_better_does_not_make_the_others_seem_worse():
    base = run(*[energy(name, 10.0, 10.1, 9.9) for name in "abc"])
    head = run(
        energy("a", 8.0, 8.1, 7.9), energy("b", 10.0, 10.1, 9.9), energy("c", 9.95, 10.05, 9.85), name="head"
    )

    found = compare(base, head, metrics=["total_kj"], margin=0.001)

    assert [row.verdict for row in found.rows] == ["improved", "inconclusive", "inconclusive"]
    assert found.shifts["total_kj"].cases == 2


def test_history_adds_its_repeats_to_the_noise_only_where_it_is_the_same_hardware():
    base, head = run(energy("a", *ONE)), run(energy("a", *OTHER), name="0002_head")
    same = run(energy("b", 5.0, 5.2), energy("c", 7.0), name="0003_old")
    other = run(energy("b", 5.0, 50.0), name="0004_old", fingerprint="h200-700w-3f2a")
    invalid = run(case("b", total_kj=[5.0, 50.0], invalid=("throttled",)), name="0005_old")

    found = compare(base, head, metrics=["total_kj"], history=[same, other, invalid, base, head])

    squares = sum(len(values) * np.var(logs(values)) for values in (ONE, OTHER, [5.0, 5.2]))
    assert found.noise["total_kj"].freedom == 5
    assert found.noise["total_kj"].share == pytest.approx(math.sqrt(squares / 5))


def test_a_calm_history_says_nothing_of_a_noisy_day():
    base, head = run(energy("a", 10.0, 12.0, 8.0)), run(energy("a", 11.0, 8.5, 10.0), name="0002_head")
    calm = run(*[energy(f"old-{at}", 10.0, 10.01, 9.99) for at in range(20)], name="0003_old")

    found = compare(base, head, metrics=["total_kj"], history=[calm])

    assert found.noise["total_kj"].freedom == 4
    assert "left out" in found.noise["total_kj"].origin


def test_one_repeat_each_is_judged_by_the_history():
    base, head = by_share(10.0, [0.2])
    old = run(energy("old", 10.0, 10.1, 9.9), name="0003_old")

    found = only(compare(base, head, metrics=["total_kj"], history=[old]))

    share = np.std(logs([10.0, 10.1, 9.9]), ddof=1)
    assert found.p_value == pytest.approx(stats.t.sf(math.log(1.2) / (share * math.sqrt(2)), 2))


def test_the_noise_of_dice_by_seed_is_not_that_of_the_history():
    """Earlier runs tell how Dice varies from seed to seed, which cancels here."""
    base, head = run(case("a", dice=[0.8, 0.7])), run(case("a", dice=[0.81, 0.71]), name="0002_head")
    old = run(case("a", dice=[0.8, 0.7]), name="0003_old")

    found = compare(base, head, metrics=["dice"], history=[old])

    assert found.noise["dice"].freedom == 1
    assert found.noise["dice"].share == pytest.approx(0.0, abs=1e-12)


def test_calibrated_noise_counts_only_where_nothing_was_repeated():
    known = {"total_kj": Noise(0.01, 19, "calibrate")}
    once = compare(*by_share(10.0, [0.05]), metrics=["total_kj"], calibrated=known)
    twice = compare(*by_share(10.0, [0.05], repeats=2), metrics=["total_kj"], calibrated=known)

    half = stats.t.ppf(0.975, 19) * 0.01 * math.sqrt(2)
    assert only(once).interval == pytest.approx(np.expm1([math.log(1.05) - half, math.log(1.05) + half]))
    assert twice.noise["total_kj"].origin != "calibrate"


@pytest.mark.parametrize(
    ("metric", "gate", "base_mean", "limit"),
    [
        ("total_kj", None, 10.0, math.log(1.03)),
        ("total_kj", ("relative", 0.05), 10.0, math.log(1.05)),
        ("total_kj", ("absolute", 0.5), 10.0, math.log(1.05)),
        ("slices_per_s", ("relative", 0.05), 10.0, -math.log(0.95)),
        ("slices_per_s", ("absolute", 2.0), 10.0, -math.log(0.8)),
        ("slices_per_s", ("relative", 1.0), 10.0, math.inf),
        ("dice", None, 0.8, 0.01),
        ("dice", ("absolute", 0.02), 0.8, 0.02),
        ("dice", ("relative", 0.05), 0.8, 0.04),
        ("dice_loss_vs_unet_pct", None, -3.0, 1.0),
    ],
)
def test_a_limit_is_where_the_user_put_it_on_the_scale_of_the_metric(metric, gate, base_mean, limit):
    given_gate = None if gate is None else Gate("", metric, None, gate[0], gate[1], "")

    assert choose_scale(metric).limit(given_gate, base_mean) == pytest.approx(limit)


def test_the_noise_of_an_a_a_run_is_read_from_its_file(tmp_path):
    body = {"schema": 1, "work": {"seconds": 10.0}, "metrics": {"total_kj": {"noise": 0.012, "n": 20},
            "gpu_kj": {"noise": None, "n": 20}}}  # fmt: skip
    (tmp_path / "noise.json").write_text(json.dumps(body))

    found = noise.read_calibrated(tmp_path)

    expected = Noise(0.012, 19, "calibrate: 20 windows of 10 s of fixed work")
    assert found == {"total_kj": expected, "kj_per_epoch": expected}
    assert noise.read_calibrated(tmp_path / "none") == {}


@pytest.mark.parametrize("text", ["{", '{"schema": 2, "metrics": {}, "work": {}}', "[]", '{"schema": 1}'])
def test_a_damaged_noise_file_is_named_with_the_remedy(tmp_path, text):
    (tmp_path / "noise.json").write_text(text)

    with pytest.raises(ValueError, match=r"noise.json: not usable .*run `python -m energy calibrate` again"):
        noise.read_calibrated(tmp_path)
