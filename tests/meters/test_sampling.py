"""What a part-time sensor may have missed, against closed forms, numpy and brute force."""

import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy.reading.aliasing import is_apart, unevenness, wanders
from energy.reading.sampling import MOST_KEPT, Paces, Rhythm, judge, without_jumps
from energy.statistics import error_of_mean, error_of_systematic_mean

A100 = {"most_watts": 400.0, "share": 0.25, "step_seconds": 0.1}


def noise(number, correlation=0.0, sigma=1.0, seed=0):
    """Return a series of a first-order autoregression."""
    draw, last, found = np.random.default_rng(seed), 0.0, []
    for _ in range(number):
        last = correlation * last + draw.normal(0.0, sigma * math.sqrt(1 - correlation**2))
        found.append(last)
    return found


def paces(values, **changes):
    kept = Paces(**(A100 | changes))
    for value in values:
        kept.add(value)
    return kept


def seen(period, duty=0.5, seconds=60.0, step=0.1, width=0.025, high=650.0, low=150.0, phase=0.03):
    """Return what a sensor shows of a square, value by value."""
    times = phase + step * np.arange(round(seconds / step))
    inside = np.linspace(0.0, width, 50)
    return np.where(((times[:, None] + inside) / period) % 1.0 < duty, high, low).mean(1).tolist()


# The mean of a correlated series


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.8])
def test_the_error_of_the_mean_of_an_autoregression_is_its_closed_form(correlation):
    """The variance of its mean is variance / n x (1 + c) / (1 - c)."""
    series = noise(40_000, correlation)

    expected = 2 * math.sqrt((1 + correlation) / (1 - correlation) / 40_000)

    assert error_of_mean(series) == pytest.approx(expected, rel=0.12)


def test_it_is_the_term_of_the_literature():
    series = np.array(seen(0.103, seconds=120.0)) + noise(1200, 0.3, 20.0)

    deviations = series - series.mean()
    correlations = [(deviations[k:] * deviations[:-k]).sum() / (deviations**2).sum() for k in range(1, 61)]
    cut = next(k for k, value in enumerate(correlations) if value < 0.05)
    tau = 1 + 2 * sum(correlations[:cut])

    assert error_of_mean(series.tolist()) == pytest.approx(
        2 * math.sqrt((deviations**2).mean() / 1200 * tau), rel=0.02
    )


def test_few_independent_values_are_judged_by_student():
    """Four values of 1 and 3: a standard error of 0.577 with three degrees of freedom, t = 3.31."""
    assert error_of_mean([1.0, 3.0, 1.0, 3.0]) == pytest.approx(3.307 * math.sqrt(1.0 / 4), rel=1e-3)


def test_the_error_of_a_systematic_mean_is_that_of_noise_and_not_that_of_a_slope():
    series = np.array(noise(5_000))

    assert error_of_systematic_mean(series.tolist()) == pytest.approx(2 / math.sqrt(5_000), rel=0.05)
    assert error_of_systematic_mean((series + np.arange(5_000)).tolist()) == pytest.approx(
        error_of_systematic_mean(series.tolist())
    )
    assert error_of_systematic_mean(series.tolist(), share=1.0) == 0.0


# Keeping step


@settings(max_examples=40, deadline=None)
@given(st.floats(0.02, 1.5), st.sampled_from([0.2, 0.25, 0.5, 0.9]), st.integers(20, 300))
def test_the_unevenness_is_the_worst_error_of_any_burst(period, share, looks):
    """By brute force: each burst of 1/100 of the period or more, seen by each look."""
    step, places = 0.1, 100
    fine = 20  # of each place
    grid = (np.arange(places * fine) + 0.5) / (places * fine)
    times = (np.arange(looks) * step / period) % 1.0
    width = share * step / period
    rising = np.concatenate([grid, grid + 1])
    density = np.zeros(places * fine)
    for start in times:
        whole, part = divmod(width, 1.0)
        density += whole
        density += ((rising >= start) & (rising < start + part)).reshape(2, -1).sum(0)
    excess = np.concatenate([[0.0], np.cumsum(density / (looks * width) - 1) / (places * fine)])
    expected = excess.max() - excess.min()

    found, _ = unevenness(period, step, share, looks)

    assert found == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize(
    ("period", "hidden"),
    [(0.1, 0.75), (0.05, 0.5), (0.1 / 3, 0.25), (0.025, 0.0), (0.2, 0.375), (0.3, 0.25), (0.25, 0.1)],
)
def test_an_exact_lock_hides_what_lies_between_two_looks(period, hidden):
    assert unevenness(period, 0.1, 0.25, 600)[0] == pytest.approx(hidden, abs=1e-6)


def test_a_sensor_that_sees_all_hides_nothing():
    assert unevenness(0.1, 0.1, 1.0, 600) == (0.0, False)


def test_work_that_loses_step_is_told_from_work_that_keeps_it():
    draw = random.Random(1)
    times = np.cumsum([0.25 * (1 + draw.gauss(0, 0.06)) for _ in range(260)])
    looks = 0.03 + 0.1 * np.arange(600)
    ends = np.searchsorted(times, looks)
    begun = np.concatenate([[0.0], times])[ends]
    loose = np.where(looks - begun < 0.125, 650.0, 150.0).tolist()

    assert wanders(loose, 2.5, 1.0)
    assert not wanders(seen(0.25), 2.5, 1.0)
    assert not wanders([650.0] * 600, 1.0, 1.0)  # shows nothing


@pytest.mark.parametrize(
    ("period", "apart"),
    [(0.1, False), (0.103, False), (0.052, False), (0.13, True), (0.07, True), (1.3, True)],
)
def test_next_to_a_lock_slow_changes_may_be_beats(period, apart):
    assert is_apart(period, 0.1) == apart


# The judgement


def error(values):
    return abs(np.mean(values) - 400.0) * 60.0


@pytest.mark.parametrize("period", [0.1003, 0.0501, 0.0334])
def test_a_beat_is_covered_whether_it_is_told_or_not(period):
    values = seen(period)

    untold = judge(paces(values), 0, 600, 0.0, 60.0, ())
    told = judge(paces(values), 0, 600, 0.0, 60.0, [Rhythm(0.0, 60.0, period)])

    assert untold.joules >= error(values)
    assert told.joules + min(told.too_much, told.too_little) >= error(values)
    assert told.aliased


@pytest.mark.parametrize("phase", [0.001, 0.02, 0.04, 0.06, 0.08])
def test_an_exact_lock_is_known_from_the_period_alone(phase):
    values = seen(0.1, phase=phase)
    kept = paces(values, most_watts=700.0)

    untold = judge(kept, 0, 600, 0.0, 60.0, ())
    told = judge(kept, 0, 600, 0.0, 60.0, [Rhythm(0.0, 60.0, 0.0998)])

    truth, shown = 400.0 * 60.0, np.mean(values) * 60.0
    assert untold.joules < 1.0
    assert shown - told.too_much - 1 <= truth <= shown + told.too_little + 1
    assert told.aliased


def test_a_period_far_from_any_lock_makes_slow_changes_the_work_s_own():
    """A slow wave of the work beside noise: chance is left with the noise."""
    values = (300 + 100 * np.sin(np.arange(600) / 20) + noise(600, sigma=10.0)).tolist()

    untold = judge(paces(values), 0, 600, 0.0, 60.0, ())
    told = judge(paces(values), 0, 600, 0.0, 60.0, [Rhythm(0.0, 60.0, 0.2317)])

    assert untold.joules > 60 * 20
    assert 60 * 0.6 < told.joules < 60 * 4


def test_a_word_about_a_part_of_the_window_is_no_word_about_all_of_it():
    values = (300 + 100 * np.sin(np.arange(600) / 20)).tolist()

    partly = judge(paces(values), 0, 600, 0.0, 60.0, [Rhythm(0.0, 30.0, 0.2317)])

    assert partly.joules > 60 * 20


def test_a_sensor_that_sees_all_misses_nothing_by_chance_if_it_is_told():
    values = noise(600, sigma=50.0)

    assert judge(paces(values, share=1.0), 0, 600, 0.0, 60.0, [Rhythm(0.0, 60.0, 0.23)]).joules == 0.0


def test_a_minute_before_a_short_window_is_evidence_too():
    """Five seconds at the top of a beat look like rest."""
    values = seen(0.1003, seconds=100.0)
    start = next(i for i in range(600, 950) if max(values[i : i + 50]) - min(values[i : i + 50]) < 1.0)

    alone = judge(paces(values[start : start + 50]), 0, 50, 0.0, 5.0, ())
    after = judge(paces(values), start, start + 50, 60.0, 65.0, ())

    assert alone.joules < 5.0
    assert after.joules > 5.0 * 200.0


def test_two_levels_are_no_scatter():
    values = [100.0] * 300 + [600.0] * 300
    level, jumps = without_jumps(values)

    assert (max(level) - min(level), jumps) == (0.0, {300: 500.0})
    assert judge(paces(values), 0, 600, 0.0, 60.0, ()).joules == pytest.approx(500.0 * 0.1)


def test_a_beat_has_no_levels():
    assert without_jumps(seen(0.1003))[1] == {}


@pytest.mark.parametrize("number", [3 * MOST_KEPT, 3 * MOST_KEPT + 17])
def test_a_series_of_days_is_kept_as_means_of_neighbours(number):
    values = noise(number, 0.5, 30.0)
    kept = paces(values)

    window = kept.between(MOST_KEPT, 2 * MOST_KEPT)

    assert kept.number == number
    assert len(kept.between(0, number)) <= MOST_KEPT
    assert np.mean(window) == pytest.approx(np.mean(values[MOST_KEPT : 2 * MOST_KEPT]), abs=0.05)


def test_windows_of_a_thinned_series_state_the_same_error():
    values = (300 + np.array(noise(2 * MOST_KEPT + 4000, 0.5, 30.0))).tolist()
    first, last = 2 * MOST_KEPT, 2 * MOST_KEPT + 4000
    thinned, whole = paces(values), paces(values[first:])

    one = judge(thinned, first, last, 0.0, 400.0, ()).joules
    other = judge(whole, 0, 4000, 0.0, 400.0, ()).joules

    assert one == pytest.approx(other, rel=0.25)


@given(st.lists(st.floats(1.0, 700.0), max_size=80), st.integers(0, 80))
def test_whatever_was_shown_nothing_is_negative(values, first):
    first = min(first, len(values))

    found = judge(paces(values), first, len(values), 0.0, 8.0, [Rhythm(0.0, 8.0, 0.1)])

    assert min(found.joules, found.too_much, found.too_little) >= 0.0
