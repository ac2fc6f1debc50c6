"""The simulated suites: the rules are what they say, and ours keeps its promise at a small size."""

import numpy as np
import pytest
from scipy import stats

from tests.audit import false_alarms
from tests.audit.false_alarms import Setting

# The promise is about these: 3 % noise, three repeats, 3 % drift, one case of 24 at +10 %.
PROMISED = Setting(3, 0.03, 0.03)
SUITES = 300  # the full table, 2,000 suites and more settings, stands in the script


@pytest.fixture(scope="module")
def found():
    """The rates of every rule in the promised setting."""
    return next(iter(false_alarms.table([PROMISED], SUITES)))[1]


@pytest.mark.slow
def test_ours_raises_a_false_alarm_in_at_most_one_of_twenty_suites(found):
    assert found["ours"].false_alarms <= 0.05


def test_ours_finds_ten_per_cent_in_at_least_three_of_four_suites(found):
    assert found["ours"].power >= 0.75


@pytest.mark.parametrize("rule", ["naive", "welch", "pooled"])
def test_every_other_rule_is_fooled_by_the_drift(found, rule):
    assert found[rule].false_alarms > 0.15


def test_the_naive_rule_cries_wolf_in_most_suites_of_one_repeat():
    """By hand: 3 % * sqrt(2) of noise beyond ln 1.05: 0.125 for one case, 1 - 0.875**23 = 0.954 for 23."""
    base, head = false_alarms.drawn(Setting(1, 0.03), 2000, np.random.default_rng(1))

    alarms = false_alarms.rates(false_alarms.naive(base, head)).false_alarms

    one = stats.norm.sf(np.log(1.05) / (0.03 * np.sqrt(2)))
    assert alarms == pytest.approx(1 - (1 - one) ** 23, abs=0.02)


@pytest.mark.slow
def test_where_nothing_changed_three_metrics_raise_no_more_alarms_than_one():
    nothing = false_alarms.null(Setting(3, 0.03, 0.03, effect=0.0), 60)

    assert nothing.regressed <= 0.05


def test_a_calm_suite_is_unchanged_but_for_the_case_that_changed():
    setting = Setting(3, 0.005, 0.03)
    base, head = false_alarms.drawn(setting, 1, np.random.default_rng(1))

    rows = false_alarms.compared(base[0], head[0]).rows

    assert [row.verdict for row in rows] == ["regressed"] + ["unchanged"] * 23


def test_the_drift_is_common_to_all_cases_and_the_effect_is_the_first_cases():
    base, head = false_alarms.drawn(Setting(2, 0.0, 0.05), 3, np.random.default_rng(1))

    moved = head - base
    assert np.ptp(moved[:, 1:], axis=(1, 2)) == pytest.approx(0, abs=1e-12)
    assert moved[:, 0] - moved[:, 1] == pytest.approx(np.log(1.1))
    assert len(set(np.round(moved[:, 1, 0], 6))) == 3


def test_heavy_tails_have_the_same_variance_and_more_outliers():
    random = np.random.default_rng(1)
    normal = false_alarms._noise(Setting(3, 0.03), (100_000,), random)
    heavy = false_alarms._noise(Setting(3, 0.03, heavy=True), (100_000,), random)

    assert heavy.std() == pytest.approx(normal.std(), rel=0.03)
    assert (abs(heavy) > 4).mean() > 10 * (abs(normal) > 4).mean()


def test_the_pooled_rule_is_what_ours_is_without_sessions():
    """Of two cases no session can be told, so both rules must call the same cases worse."""
    setting = Setting(3, 0.03, cases=2)
    base, head = false_alarms.drawn(setting, 200, np.random.default_rng(2))

    theirs = false_alarms.pooled(base, head)
    own = false_alarms.ours(base, head, [None] * 200)

    # A case that is proven noisier than the other is judged by its own repeats by ours alone.
    assert (theirs == own).mean() > 0.97
    assert theirs.any()


def test_the_table_is_printed_with_both_rates(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["false_alarms", "--suites", "3"])

    false_alarms.main()

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "3 suites, false alarms / power"
    assert len(lines) == 3 + len(false_alarms.SETTINGS)
