"""Train every architecture with every technique inside the meters."""

from __future__ import annotations

import pytest

from benchmarks import reference, training
from benchmarks.source import digest_source
from benchmarks.suite import Suite
from energy.plugin import Case, Live, Run


def test_training(
    arch: str, technique: str, suite: Suite, energy: Case, energy_run: Run, energy_live: Live
) -> None:
    recipe = suite.recipe(arch, technique)
    if reason := suite.unavailable(recipe):
        pytest.skip(reason)
    keys = suite.keys(energy_run.fingerprint, recipe)
    known = (keys, digest_source(recipe), suite.budget.seeds)
    earlier = energy_run.recorder
    if earlier.reuse(energy.name, *known) or earlier.reuse_repeat(energy, *known):
        pytest.skip("finished in the run that --energy-resume goes on with")
    unet = None if energy.name == reference.CASE else reference.find_or_train(suite, energy_run, energy_live)
    training.run(energy, recipe, suite, keys, energy_live)
    reference.compare(energy, unet or reference.refer_to_itself(energy))
