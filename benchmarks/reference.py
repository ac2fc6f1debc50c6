"""The U-Net reference: from this run, from a stored one under equal keys, or trained once and said so."""

from __future__ import annotations

import math
from collections import ChainMap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks import training
from benchmarks.source import digest_source
from benchmarks.suite import Suite, Training
from energy.plugin import Case, Live, Run
from energy.records.volumes import OWN, REFERENCE, list_seeds

ARCH, TECHNIQUE = "unet", "baseline"
CASE = f"{ARCH}-{TECHNIQUE}"
METRIC = "dice_loss_vs_unet_pct"


@dataclass(frozen=True)
class Reference:
    """U-Net's test Dice by training, and its origin; without figures the origin says why.

    Args:
        dice: by seed and fold; None where its test part has no brain.
        origin: this run, or the stored one.
        volumes: likewise, the Dice of each volume.
    """

    dice: Mapping[Training, float | None]
    origin: str
    volumes: Mapping[Training, Mapping[str, float | None]] = field(default_factory=dict)


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
    if so_far := _find_so_far(run, keys):
        return so_far
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
    """Tell how much Dice each training lost to U-Net's of its seed and fold, in per cent of U-Net's."""
    own = [_name_training(repeat.seed, repeat.facts) for repeat in case.repeats]
    known = [unet.dice.get(one) for one in own]
    case.explain(**{METRIC: _explain_unknown(unet, own)})
    if unet.dice:
        case.describe(reference={"case": CASE, "dice": known, "origin": unet.origin})
    for repeat, one, dice in zip(case.repeats, own, known, strict=True):
        if one.fold is not None:
            repeat.facts[REFERENCE] = unet.volumes.get(one, {})
        repeat.observe(**{METRIC: _lost_pct(dice, repeat.observed["dice"])})


def _explain_unknown(unet: Reference, own: Sequence[Training]) -> str:
    """Say why the Dice lost to U-Net may be unknown."""
    if not unet.dice:
        return unet.origin
    if any(one not in unet.dice for one in own):
        return "U-Net was not trained with this seed"
    if any(unet.dice[one] is None for one in own):
        return training.NO_BRAIN
    return "U-Net's own Dice is 0"


def refer_to_itself(case: Case) -> Reference:
    """Return the reference that the U-Net case is to itself."""
    own = {_name_training(repeat.seed, repeat.facts): repeat for repeat in case.repeats}
    return Reference(
        {one: _known(repeat.observed["dice"]) for one, repeat in own.items()},
        "this run",
        {one: repeat.facts[OWN] for one, repeat in own.items()},
    )


def _lost_pct(unet: float | None, own: float | None) -> float | None:
    return 100 * (unet - own) / unet if unet and own is not None else None


def _name_training(seed: Any, facts: Mapping[str, Any]) -> Training:
    return Training(seed, facts.get("fold"))


def _known(dice: float | None) -> float | None:
    return None if dice is None or math.isnan(dice) else dice


def _find_so_far(run: Run, keys: dict[str, str]) -> Reference | None:
    """Return U-Net's Dice where other trainings of it are still to come: it is the first of every block."""
    parts = [part for part in run.recorder.parts(CASE).items() if part[1]["keys"] == keys]
    if not parts:
        return None
    found = [_read(part, [list_seeds(part)[number - 1]]) for number, part in parts]
    dice, volumes = (dict(ChainMap(*some)) for some in zip(*found, strict=True))
    return Reference(dice, "this run", volumes)


def _read(record: Mapping[str, Any], seeds: Sequence[int]) -> tuple[dict[Training, Any], dict[Training, Any]]:
    """Return the Dice of each training of a record, and that of its volumes; `seeds` are of its repeats."""
    values = record["metrics"]["dice"]["values"]
    setups = record.get("setup") or [{}] * len(values)
    trainings = [_name_training(seed, facts) for seed, facts in zip(seeds, setups, strict=True)]
    volumes = [facts.get(OWN, {}) for facts in setups]
    return dict(zip(trainings, values, strict=True)), dict(zip(trainings, volumes, strict=True))


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
    dice, volumes = _read(record, list_seeds(record))
    return Reference(dice, origin, volumes)
