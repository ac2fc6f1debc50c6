"""The statistics of an A/A run, against simulation, scipy and printed tables."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from energy.analysis import calibration
from energy.analysis.calibration import Measured
from energy.statistics import power


def equidistant(count):
    return [10.0 * number for number in range(count)]


def window(label, starts_seconds, value, reason=None, kind="measured"):
    cells = dict.fromkeys(calibration.METRIC_NAMES, (value, reason))
    sources = {name: {"rapl": kind} for name in calibration.METRIC_NAMES}
    return Measured(label, starts_seconds, cells, sources, ())


def windows(values, labels="ABBA", **changes):
    return [
        window(label, seconds, value, **changes)
        for label, seconds, value in zip(labels, equidistant(len(values)), values, strict=True)
    ]


@given(st.integers(2, 40).map(lambda half: 2 * half), st.randoms())
def test_an_order_has_as_many_a_as_b_and_no_trend_can_favour_one_in_a_block(count, random):
    labels = calibration.draw_order(count, lambda: random.random() < 0.5)

    assert labels.count("A") == labels.count("B") == count // 2
    assert {labels[at : at + 4] for at in range(0, count - 3, 4)} <= {"ABBA", "BAAB"}


@pytest.mark.parametrize("count", [-4, 0, 2, 3, 5, 21])
def test_too_few_or_an_odd_number_of_windows_is_refused(count):
    with pytest.raises(ValueError, match=f"{count} windows: expected an even number, 4 or more"):
        calibration.draw_order(count, lambda: True)


# Cohen, Statistical Power Analysis (1988), table 2.4.1: two-sided 5 %, power 80 %, per group.
@pytest.mark.parametrize(("shift", "runs"), [(0.5, 64), (0.8, 26), (1.0, 17), (1.2, 12)])
def test_as_many_runs_as_cohens_table_says_detect_a_shift(shift, runs):
    assert calibration.detectable_shift(1.0, runs) <= shift < calibration.detectable_shift(1.0, runs - 1)


@pytest.mark.parametrize("runs", [2, 3, 5, 20])
def test_the_power_at_the_detectable_shift_is_80_percent_by_scipys_noncentral_t(runs):
    noncentrality = calibration.detectable_shift(1.0, runs) * math.sqrt(runs / 2)
    critical = stats.t.ppf(0.975, 2 * runs - 2)

    power = stats.nct.sf(critical, 2 * runs - 2, noncentrality)

    assert power == pytest.approx(0.8, abs=1e-6)


@pytest.mark.parametrize("runs", calibration.RUNS)
def test_four_of_five_simulated_t_tests_find_the_detectable_shift(runs):
    noise, random = 0.013, np.random.default_rng(runs)
    shift = calibration.detectable_shift(noise, runs)
    before, after = random.normal(0, noise, (20_000, runs)), random.normal(shift, noise, (20_000, runs))

    found = np.mean(stats.ttest_ind(before, after, axis=1).pvalue < 0.05)

    assert found == pytest.approx(0.8, abs=0.01)


def test_the_intervals_hold_the_truth_in_19_of_20_simulated_runs():
    random = np.random.default_rng(3)
    labels, drift, noise = "ABBABAABBA", 0.05, 0.02
    trend = np.linspace(0, math.log1p(drift), len(labels))
    held = []
    for _ in range(2_000):
        values = np.exp(trend + random.normal(0, noise, len(labels)))
        steady = np.exp(random.normal(0, noise, len(labels)))
        fit = calibration.find_statistics(list(values), labels, equidistant(len(labels)))
        spread = calibration.find_statistics(list(steady), labels, equidistant(len(labels)))
        intervals = (fit["a_to_b_ci95"], fit["drift_ci95"], spread["noise_ci95"])
        held.append(
            [low <= truth <= high for (low, high), truth in zip(intervals, (1, drift, noise), strict=True)]
        )

    assert np.mean(held, axis=0) == pytest.approx([0.95] * 3, abs=0.015)


def test_a_drift_does_not_pass_for_a_difference_nor_a_difference_for_a_drift():
    labels = "ABBABA"
    seconds = [0.0, 10.0, 21.0, 30.0, 39.0, 50.0]
    values = [
        5 * 1.03 ** (at / 50) * (1.02 if label == "A" else 1.0)
        for label, at in zip(labels, seconds, strict=True)
    ]

    found = calibration.find_statistics(values, labels, seconds)

    assert found["a_to_b"] == pytest.approx(1.02)
    assert found["drift"] == pytest.approx(0.03)


def test_without_labels_to_explain_anything_the_drift_is_that_of_scipys_regression():
    random, seconds = np.random.default_rng(5), equidistant(8)
    logs = random.normal(0, 0.02, 8)
    balanced = logs - [
        0.5 * np.mean(logs[[0, 3, 5, 6]] - logs[[1, 2, 4, 7]]) * sign for sign in (1, -1, -1, 1, -1, 1, 1, -1)
    ]
    line = stats.linregress(seconds, balanced)

    found = calibration.find_statistics(list(np.exp(balanced)), "ABBABAAB", seconds)

    half = stats.t.ppf(0.975, 5) * line.stderr * math.sqrt(6 / 5) * seconds[-1]  # 8 - 3 and not 8 - 2
    assert found["drift"] == pytest.approx(math.expm1(line.slope * seconds[-1]))
    assert found["drift_ci95"][0] == pytest.approx(math.expm1(line.slope * seconds[-1] - half))


def test_noise_is_relative_the_same_in_joules_and_in_kilojoules():
    joules = [1010.0, 990.0, 1005.0, 1001.0]

    in_joules = calibration.measure_noise("total_kj", windows(joules))
    in_kilojoules = calibration.measure_noise("total_kj", windows([value / 1000 for value in joules]))

    assert in_joules.noise == pytest.approx(in_kilojoules.noise)
    assert in_joules.noise == pytest.approx(np.std(np.log(joules), ddof=1))
    assert (in_joules.unit, in_joules.kind, in_joules.sources) == ("kJ", "measured", ("rapl",))


def test_a_metric_that_nobody_measured_is_unknown_with_its_reason():
    found = calibration.measure_noise(
        "gpu_kj", windows([None] * 4, reason="no meter read the gpu in this run")
    )

    assert found.reason == "no meter read the gpu in this run"
    assert (found.mean, found.noise, found.a_to_b, found.detectable) == (None, None, None, None)


def test_one_unknown_window_makes_the_noise_unknown():
    some = [*windows([1.0, 1.1, 0.9], "ABB"), window("A", 30.0, None, "the counter has stood still")]

    found = calibration.measure_noise("cpu_kj", some)

    assert found.reason == "unknown in 1 of 4 windows: the counter has stood still"
    assert found.noise is None


def test_a_window_without_a_joule_has_no_relative_noise():
    found = calibration.measure_noise("cpu_kj", windows([1.0, 0.0, 1.1, 0.9]))

    assert found.noise is None
    assert "longer windows" in found.reason


def test_measured_and_modelled_sources_make_a_mixed_figure():
    some = [window("A", 0.0, 1.0), window("B", 1.0, 1.1, kind="modelled")]

    assert calibration.measure_noise("total_kj", [*some, *windows([1.0, 1.2], "BA")]).kind == "mixed"


@pytest.mark.parametrize("repeats", [3, 5, 10])
@pytest.mark.parametrize("cases", [1, 8, 24])
def test_a_suites_detectable_shift_has_the_power_that_a_comparison_asks_for(cases, repeats):
    shift = calibration.detectable_in_suite(0.03, 20, cases, repeats)

    assert power(0.03, shift, 0.05 / cases, cases, repeats) == pytest.approx(0.8, abs=1e-6)


@pytest.mark.parametrize("cases", [1, 24])
def test_with_one_repeat_the_windows_of_the_calibration_are_the_degrees_of_freedom(cases):
    """One run against one: scipy's own distributions, with 19 degrees of freedom of 20 windows."""
    noncentrality = calibration.detectable_in_suite(0.03, 20, cases, 1) / 0.03 / math.sqrt(2)
    critical = stats.t.isf(0.05 / cases, 19)

    assert stats.nct.sf(critical, 19, noncentrality) == pytest.approx(0.8, abs=1e-6)
