"""Whether kilojoules rank running times: the audit's correlation against numpy's and a stored run."""

from pathlib import Path

import numpy as np
import pytest

from tests.audit.time_ranking import correlate, correlate_within, report

RESULTS = Path(__file__).parents[2] / "results"


def test_the_partial_correlation_is_that_of_what_a_regression_on_the_networks_leaves():
    rng = np.random.default_rng(1)
    groups = {
        name: [tuple(pair) for pair in rng.normal(size=(7, 2)) + 9 * at] for at, name in enumerate("abc")
    }

    networks = np.repeat(np.eye(3), 7, axis=0)
    points = np.concatenate([groups[name] for name in "abc"])
    rest = points - networks @ np.linalg.lstsq(networks, points, rcond=None)[0]
    expected = np.corrcoef(rest.T)[0, 1]

    assert correlate(points) > 0.9  # what the networks' sizes alone make of it
    assert correlate_within(groups) == pytest.approx(expected)


def test_a_network_with_one_technique_adds_nothing():
    groups = {"a": [(0.0, 0.0), (1.0, 0.5), (2.0, 2.5)], "b": [(5.0, 9.0)]}

    assert correlate_within(groups) == correlate(groups["a"])
    assert correlate_within({"b": [(5.0, 9.0)]}) is None


def test_kilojoules_that_are_modelled_from_cpu_time_rank_seconds_and_say_so():
    run = next(RESULTS.glob("*/0011_attention_squeeze.json"))

    first, _, network, _ = report(run)

    assert first.endswith("modelled from CPU time")
    assert network == "attention_squeeze_unet, 46 techniques: 0.9999"
