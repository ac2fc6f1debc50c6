"""Means, intervals and the digits that people see."""

import math
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy.records.metrics import METRICS, summarise_metric
from energy.statistics import confidence_interval
from energy.text import explain_unknown, format_number, format_plus_minus


def test_every_metric_has_a_unit_a_direction_and_a_meaning():
    bad = [
        m.name
        for m in METRICS.values()
        if not m.unit or not m.meaning or m.better not in ("higher", "lower", None)
    ]

    assert bad == []
    assert METRICS["dice"].better == "higher"
    assert METRICS["total_kj"].unit == "kJ"


def test_three_repeats_get_the_interval_that_the_t_table_gives():
    low, high = confidence_interval([1.0, 2.0, 3.0])

    half = 4.302652730 * 1.0 / math.sqrt(3)  # t for 97.5 % and 2 degrees of freedom, from the printed table
    assert low == pytest.approx(2 - half, rel=1e-8)
    assert high == pytest.approx(2 + half, rel=1e-8)


def test_two_repeats_get_the_wide_interval_they_deserve():
    low, high = confidence_interval([0.0, 1.0])

    half = 12.70620474 * math.sqrt(0.5) / math.sqrt(2)
    assert (low, high) == pytest.approx((0.5 - half, 0.5 + half), rel=1e-8)


def test_one_repeat_has_a_mean_and_no_interval():
    summary = summarise_metric("total_kj", [4.2])

    assert summary == {"unit": "kJ", "better": "lower", "values": [4.2], "mean": 4.2, "ci95": None}


def test_one_unknown_value_makes_the_mean_unknown_and_never_zero():
    summary = summarise_metric("total_kj", [4.2, None], "GPU lost in repeat 2")

    assert summary["mean"] is None
    assert summary["ci95"] is None
    assert summary["values"] == [4.2, None]
    assert summary["reason"] == "GPU lost in repeat 2"


def test_an_unknown_value_without_a_reason_is_refused():
    with pytest.raises(ValueError, match="no reason"):
        summarise_metric("total_kj", [None])


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_is_refused(value):
    with pytest.raises(ValueError, match="finite"):
        summarise_metric("dice", [value])


def test_no_values_at_all_are_refused():
    with pytest.raises(ValueError, match="no values"):
        summarise_metric("dice", [])


def test_a_misspelt_metric_gets_the_nearest_names():
    with pytest.raises(ValueError, match="total_kj"):
        summarise_metric("total_kJ", [1.0])


def test_a_name_like_no_other_gets_all_there_are():
    assert explain_unknown("meter", "xyz", ["rapl", "nvml"]) == "unknown meter 'xyz'; there are rapl, nvml"


@pytest.mark.parametrize(
    ("value", "uncertainty", "text"),
    [
        (12.3456, None, "12.3"),
        (12.3456, 0.6, "12.3"),
        (12.3456, 10.8, "12"),  # two digits remain: what two cases share cancels between them
        (1234.5, None, "1230"),
        (9.996, None, "10.0"),
        (0.069123, 0.0004, "0.0691"),
        (0.0, 5.0, "0"),
        (-1.256, None, "-1.26"),
        (0.5, 80.0, "0.50"),
    ],
)
def test_a_number_shows_the_digits_that_its_uncertainty_supports(value, uncertainty, text):
    assert format_number(value, uncertainty) == text


@pytest.mark.parametrize(
    ("mean", "half", "text"),
    [
        (0.84213, 0.0112, "0.84 ± 0.02"),
        (0.84213, 0.0012, "0.842 ± 0.002"),
        (0.84213, 0.00004, "0.842 ± 0.001"),
        (0.5, 0.3, "0.50 ± 0.30"),
        (0.0, 0.03, "0.000 ± 0.030"),
        (0.7, 0.0, "0.700 ± 0"),
    ],
)
def test_a_spread_is_rounded_up_and_never_reads_as_zero(mean, half, text):
    assert format_plus_minus(mean, half) == text


@given(st.floats(1e-6, 1e9), st.floats(1e-9, 1e9))
def test_rounding_never_moves_a_number_by_more_than_five_percent(value, uncertainty):
    """Two digits are kept at least: the worst case is 1.05 shown as 1.1 or 1.0."""
    shown = float(format_number(value, uncertainty))

    assert shown == pytest.approx(value, rel=0.0501)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=8))
def test_the_interval_contains_the_mean(values):
    low, high = confidence_interval(values)

    assert low - 1e-6 <= fmean(values) <= high + 1e-6
