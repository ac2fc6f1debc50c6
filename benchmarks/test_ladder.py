"""Climb the study's ladder: techniques one after another, each kept if it raises Dice per kJ.

Runs where this file is named, or with --ladder: it trains as many cases as it has rungs.
"""

from __future__ import annotations

import dataclasses

import pytest

from benchmarks import reference
from benchmarks.ladder import table
from benchmarks.ladder.protocol import START, climb, kept
from benchmarks.ladder.rule import RULE
from benchmarks.ladder.rungs import Rungs
from benchmarks.source import digest_source
from benchmarks.suite import Suite
from energy.analysis.compare.noise import read_calibrated
from energy.plugin import Case, Live, Run
from energy.records.keys import short_hash

OF_THE_RUNGS = (
    "total_kj", "gpu_kj", "cpu_kj", "ram_kj", "codecarbon_kj", "idle_kj", "co2_g", "mean_watts",
    "peak_rss_mib", "temp_rise_c",
)  # fmt: skip
# Whose code decides what is kept.
PROTOCOL = ("benchmarks.ladder.protocol", "benchmarks.ladder.rule", "benchmarks.ladder.rungs")
NO_UNET = f"{reference.CASE} has no stored record of this budget, and the ladder does not need it"


def test_ladder(
    arch: str,
    order: tuple[str, ...],
    suite: Suite,
    energy: Case,
    energy_run: Run,
    energy_live: Live,
) -> None:
    noise = read_calibrated(energy_run.store.root / energy_run.fingerprint).get("total_kj")
    start = suite.recipe(arch, START)
    protocol = {
        "arch": arch,
        "order": list(order),
        "rule": RULE,
        "seeds": list(suite.budget.seeds),
        "noise": None if noise is None else {"share": noise.share, "windows": int(noise.freedom) + 1},
    }
    keys = suite.keys(energy_run.fingerprint, start)
    keys["case"] = short_hash([keys["case"], protocol])
    code = digest_source(start, *(suite.recipe(arch, name) for name in order), beside=PROTOCOL)
    if energy_run.recorder.reuse(energy.name, keys, code):
        # The contract's: what the resumed run has finished is not measured twice.
        pytest.skip("finished in the run that --energy-resume goes on with")
    energy.begin()
    energy.describe(
        task="ladder",
        arch=arch,
        technique="ladder",
        budget=suite.described_budget() | {"seeds": []},  # it is climbed once; each rung has the seeds
        recipe=dataclasses.asdict(start),
        keys=keys,
        code=code,
        threads=suite.threads,
        data=suite.data.summary,
    )
    # A rung is judged by its own Dice per kJ: U-Net would take longer than the ladder, and decide nothing.
    unet = reference.find(suite, energy_run) or reference.Reference({}, NO_UNET)
    measure = Rungs(suite, energy_run, energy_live, unet).measure
    rungs = []
    with energy.window() as repeat:
        for rung in climb(order, lambda names: suite.recipe(arch, names), measure, noise):
            rungs.append(rung)
            energy_live.say(table.sentence(rung))
    held = kept(rungs)
    energy.describe(recipe=dataclasses.asdict(suite.recipe(arch, held)))
    repeat.facts["ladder"] = protocol | {"rungs": [dataclasses.asdict(rung) for rung in rungs], "kept": held}
    # The window holds what each rung's record has already, or of a resumed climb only what was left to do.
    repeat.observe(**dict.fromkeys(OF_THE_RUNGS))
    energy.explain(**dict.fromkeys(OF_THE_RUNGS, "see the records of the rungs"))
