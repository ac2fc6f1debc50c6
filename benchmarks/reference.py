"""The U-Net reference: from this run, from a stored one under equal keys, or trained once and said so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks import training
from benchmarks.source import digest_source
from benchmarks.suite import Suite
from energy.plugin import Case, Live, Run

ARCH, TECHNIQUE = "unet", "baseline"
CASE = f"{ARCH}-{TECHNIQUE}"
METRIC = "dice_loss_vs_unet_pct"


@dataclass(frozen=True)
class Reference:
    """U-Net's test Dice by seed, and its origin; without figures the origin says why."""

    dice: Mapping[int, float]
    origin: str


def find_or_train(suite: Suite, run: Run, live: Live) -> Reference:
    """Return U-Net's Dice under this suite's data, budget and seeds; train it if nobody has."""
    if found := find(suite, run):
        return found
    live.say(
        f"{CASE}: trained once for reference (-k leaves it out, and no stored run has it under equal keys"
        f"{_explain_former(suite, run)})"
    )
    return _train(suite, run, live)


def find(suite: Suite, run: Run) -> Reference | None:
    """Return U-Net's Dice under this suite's data, budget and seeds if it is known."""
    recipe = suite.recipe(ARCH, TECHNIQUE)
    keys, code = suite.keys(run.fingerprint, recipe), digest_source(recipe)
    for record in run.recorder.measured():
        if record["case"] == CASE and record["keys"] == keys:
            return _from(record, "this run")
    if so_far := _of_this_run_so_far(run, keys):
        return Reference(so_far, "this run")
    if earlier := run.recorder.reuse(CASE, keys, code, suite.budget.seeds):
        return _from(earlier, "this run")
    stored = run.store.latest_case(CASE, keys, code=code, seeds=suite.budget.seeds)
    if stored is not None:
        return _from(stored.record, f"stored: {stored.run.reference}")
    return None


def _explain_former(suite: Suite, run: Run) -> str:
    """Name the stored run that has U-Net under this hardware's former key, and say why it does not count."""
    if (former := run.former_fingerprint) is None:
        return ""
    keys = suite.keys(former, suite.recipe(ARCH, TECHNIQUE))
    stored = run.store.latest_case(CASE, keys, seeds=suite.budget.seeds)
    if stored is None:
        return ""
    return f"; {stored.run.reference} is of before the hardware's key told the processor's instructions"


def compare(case: Case, unet: Reference) -> None:
    """Tell how much Dice each seed lost to U-Net under the same seed, in per cent of U-Net's."""
    known = [unet.dice.get(repeat.seed) for repeat in case.repeats]
    if None in known:
        case.explain(**{METRIC: unet.origin if not unet.dice else "U-Net was not trained with this seed"})
    else:
        case.explain(**{METRIC: "U-Net's own Dice is 0"})
    if unet.dice:
        case.describe(reference={"case": CASE, "dice": known, "origin": unet.origin})
    for repeat, dice in zip(case.repeats, known, strict=True):
        repeat.observe(**{METRIC: _lost_pct(dice, repeat.observed["dice"])})


def refer_to_itself(case: Case) -> Reference:
    """Return the reference that the U-Net case is to itself."""
    return Reference({repeat.seed: repeat.observed["dice"] for repeat in case.repeats}, "this run")


def _lost_pct(unet: float | None, own: float | None) -> float | None:
    return 100 * (unet - own) / unet if unet and own is not None else None


def _of_this_run_so_far(run: Run, keys: dict[str, str]) -> dict[int, float]:
    """Return U-Net's Dice by seed where its other seeds are still to come: it is the first of every block."""
    parts = run.recorder.parts(CASE)
    return {
        part["budget"]["seeds"][number - 1]: part["metrics"]["dice"]["values"][0]
        for number, part in parts.items()
        if part["keys"] == keys
    }


def _train(suite: Suite, run: Run, live: Live) -> Reference:
    recipe = suite.recipe(ARCH, TECHNIQUE)
    keys = suite.keys(run.fingerprint, recipe)
    try:
        with run.extra_case(CASE) as case:
            training.run(case, recipe, suite, keys, live)
            compare(case, refer_to_itself(case))
    # Its record says what happened; the case that asked for it can still be measured.
    except Exception as problem:
        return Reference({}, f"the U-Net reference failed: {type(problem).__name__}: {problem}")
    return refer_to_itself(case)


def _from(record: dict[str, Any], origin: str) -> Reference:
    if record["status"] != "ok":
        return Reference({}, f"the U-Net reference failed in {origin}: status {record['status']}")
    values = record["metrics"]["dice"]["values"]
    return Reference(dict(zip(record["budget"]["seeds"], values, strict=True)), origin)
