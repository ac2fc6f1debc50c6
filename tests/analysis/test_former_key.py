"""What lies under the name that this hardware had before is found, named, and compared with nothing."""

import json
from types import SimpleNamespace

import pytest

from benchmarks import reference
from energy.analysis.compare.cases import find_refusal
from energy.analysis.compare.gate import parse_gate
from energy.analysis.gates import baseline as baselines
from energy.analysis.gates.config import Project
from energy.analysis.gates.judge import Judge
from energy.records.storage.store import Store
from energy.records.summary import RunSummary
from tests.simulated.records import block, record, run

FORMER, NOW = "epyc-2c-cpu-12c8", "epyc-2c-avx2-cpu-91bc"
BEFORE = "named before its key told the processor's instructions"


@pytest.fixture
def store(tmp_path):
    """A run under the former name, pinned as `main`, and the noise of a calibration."""
    store = Store(tmp_path)
    path = store.write(run([record()]) | {"energy": block(FORMER)})
    baselines.pin_run(store, "main", path)
    (tmp_path / FORMER / "noise.json").write_text(
        json.dumps({"schema": 1, "work": {"seconds": 1.0}, "metrics": {}})
    )
    return store


def judge(store, compared_with=None):
    own = Judge(
        store, Project((), False, "main"), (parse_gate("total_kj:5%", "test"),), compared_with, strict=False
    )
    own.cases = ["unet-baseline"]
    return own


def test_a_baseline_under_the_former_name_is_named_with_what_to_do(store):
    why = judge(store).choose(NOW, FORMER)

    assert why.startswith(f"no baseline 'main' for this hardware ({NOW}); main is pinned for {FORMER}")
    assert f"{FORMER} is this hardware, {BEFORE}" in why
    assert why.endswith("measure again and pin that (baseline set main)")


def test_a_baseline_of_hardware_that_is_really_another_is_not_taken_for_it(store):
    assert BEFORE not in judge(store).choose(NOW, "xeon-2c-cpu-fc60")


def test_a_run_under_the_former_name_is_not_judged_against_and_the_reason_is_told(store):
    why = judge(store, f"{FORMER}/0001").choose(NOW, FORMER)

    assert f"is of other hardware or meters, {FORMER}; this is {NOW}: the same hardware, {BEFORE}" in why


def test_the_noise_of_the_former_name_is_not_used_without_a_word(store):
    own = judge(store)
    own.choose(NOW, FORMER)

    assert any(f"the noise of {FORMER} is not used: {BEFORE}" in text for text in own.known.warnings)


def test_two_runs_of_one_machine_by_name_before_and_since_are_refused_with_the_reason():
    base, head = (RunSummary(store, name, name, "", "", False, True, ()) for store, name in
                  ((None, FORMER), (None, NOW)))  # fmt: skip

    assert find_refusal(base, head, []) == (
        f"other hardware or meters: {FORMER} in the base, {NOW} in the head; the first is of before keys "
        "told the processor's instructions: measure it again"
    )


@pytest.mark.parametrize("other", ["xeon-2c-avx2-cpu-91bc", "epyc-4c-avx2-cpu-91bc", "h200-700w-3f2a"])
def test_two_machines_that_are_others_by_name_are_not_said_to_be_one(other):
    base, head = (RunSummary(None, name, name, "", "", False, True, ()) for name in (FORMER, other))

    assert find_refusal(base, head, []).endswith("in the head")


def world(found):
    """A suite and a run whose store has U-Net under the former key, or does not."""
    stored = SimpleNamespace(run=SimpleNamespace(reference=f"{FORMER}/0001")) if found else None
    asked = {}

    def latest_case(case, keys, seeds):
        asked.update(case=case, keys=keys, seeds=seeds)
        return stored

    suite = SimpleNamespace(
        recipe=lambda arch, technique: (arch, technique),
        keys=lambda hardware, recipe: {"hardware": hardware},
        budget=SimpleNamespace(seeds=(0, 1)),
    )
    return (
        suite,
        SimpleNamespace(former_fingerprint=FORMER, store=SimpleNamespace(latest_case=latest_case)),
        asked,
    )


def test_a_stored_reference_under_the_former_name_is_named_when_u_net_is_trained_again():
    suite, now, asked = world(found=True)

    told = reference._explain_former(suite, now)

    assert told == f"; {FORMER}/0001 is of before the hardware's key told the processor's instructions"
    assert asked == {"case": "unet-baseline", "keys": {"hardware": FORMER}, "seeds": (0, 1)}


def test_without_one_nothing_is_said():
    suite, now, _ = world(found=False)

    assert reference._explain_former(suite, now) == ""
