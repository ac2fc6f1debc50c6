"""The U-Net reference: from this run, from a stored one under equal keys, or trained once and said so."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks import training
from benchmarks.suite import Suite
from energy.case import Case
from energy.live import Live
from energy.session import Session

ARCH, TECHNIQUE = "unet", "baseline"
CASE = f"{ARCH}-{TECHNIQUE}"
METRIC = "dice_loss_vs_unet_pct"


@dataclass(frozen=True)
class Reference:
    """U-Net's test Dice, one figure per seed, and its origin; without figures the origin says why."""

    dice: tuple[float, ...]
    origin: str


def find_or_train(suite: Suite, session: Session, live: Live) -> Reference:
    """Return U-Net's Dice under this suite's data, budget and seeds; train it if nobody has."""
    if found := find(suite, session):
        return found
    live.say(
        f"{CASE}: trained once for reference (-k leaves it out, and no stored run has it under equal keys)"
    )
    return _train(suite, session, live)


def find(suite: Suite, session: Session) -> Reference | None:
    """Return U-Net's Dice under this suite's data, budget and seeds if it is known."""
    recipe = suite.recipe(ARCH, TECHNIQUE)
    keys = suite.keys(session.fingerprint, recipe)
    for record in session.measured:
        if record["case"] == CASE and record["keys"] == keys:
            return _from(record, "this run")
    if earlier := session.reuse(CASE, keys, suite.code):
        return _from(earlier, "this run")
    stored = session.store.latest_case(CASE, keys)
    if stored is not None and stored.record.get("code") == suite.code:
        return _from(stored.record, f"stored: {stored.run.reference}")
    return None


def compare(case: Case, unet: Reference) -> None:
    """Tell how much Dice each seed lost to U-Net under the same seed, in per cent of U-Net's."""
    if not unet.dice:
        for repeat in case.repeats:
            repeat.observe(**{METRIC: None})
        case.explain(**{METRIC: unet.origin})
        return
    case.describe(reference={"case": CASE, "dice": list(unet.dice), "origin": unet.origin})
    for repeat, dice in zip(case.repeats, unet.dice, strict=True):
        own = repeat.observed["dice"]
        repeat.observe(**{METRIC: 100 * (dice - own) / dice if dice > 0 and own is not None else None})
    case.explain(**{METRIC: "U-Net's own Dice is 0"})


def of_itself(case: Case) -> Reference:
    """Return the reference that the U-Net case is to itself."""
    return Reference(tuple(repeat.observed["dice"] for repeat in case.repeats), "this run")


def _train(suite: Suite, session: Session, live: Live) -> Reference:
    recipe = suite.recipe(ARCH, TECHNIQUE)
    keys = suite.keys(session.fingerprint, recipe)
    try:
        with session.extra_case(CASE) as case:
            training.run(case, recipe, suite, keys, live)
            compare(case, of_itself(case))
    # Its record says what happened; the case that asked for it can still be measured.
    except Exception as problem:
        return Reference((), f"the U-Net reference failed: {type(problem).__name__}: {problem}")
    return of_itself(case)


def _from(record: dict[str, object], origin: str) -> Reference:
    if record["status"] != "ok":
        return Reference((), f"the U-Net reference failed in {origin}: status {record['status']}")
    return Reference(tuple(record["metrics"]["dice"]["values"]), origin)
