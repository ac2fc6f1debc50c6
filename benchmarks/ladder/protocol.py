"""The study's protocol: from a baseline, techniques one after another, each kept if it raises Dice per kJ.

Mazurek et al. 2024, arXiv:2405.15778. `climb` decides, and knows nothing of how a rung is measured.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import zoo
from benchmarks.ladder.rule import judge
from energy.analysis.compare.result import Noise

ARCH = "attention_squeeze_unet"  # the network that the study switched to before it tried techniques
START = "baseline"
# The order of the study's text; mixed precision was its first choice, kept from the start.
STUDY_ORDER = (
    "bf16", "cache", "novograd_amsgrad", "novograd_betas", "lr_find", "plateau", "workers_4", "workers_6",
    "workers_8", "prefetch", "persistent_workers", "pin_memory", "augment", "mcc", "bce", "swa", "prune",
)  # fmt: skip


@dataclass(frozen=True)
class Result:
    """What a combination of techniques scored, one figure per seed; or why there is no figure."""

    dice: tuple[float, ...] = ()
    total_kj: tuple[float | None, ...] = ()
    dice_per_kj: tuple[float | None, ...] = ()
    skipped: str | None = None
    failed: str | None = None
    without_effect: tuple[str, ...] = ()  # choices that could not act, each as `technique: reason`


@dataclass(frozen=True)
class Rung:
    """One step of the ladder; figures are means over the seeds, None where there are none."""

    tried: str
    technique: str | None  # the whole combination; None if it makes no sense
    replaces: tuple[str, ...]  # what was held before and excludes what is tried
    verdict: str  # start, kept, dropped, skipped (cannot be tried here), failed
    why: str
    dice: float | None = None
    total_kj: float | None = None
    dice_per_kj: float | None = None
    gain: float | None = None
    needed: float | None = None


def climb(
    order: Sequence[str],
    recipe: Callable[[str], zoo.Recipe],
    measure: Callable[[zoo.Recipe], Result],
    noise: Noise | None = None,
) -> Iterator[Rung]:
    """Try the techniques in this order, each on top of what is held; yield each rung when it is decided.

    A technique that contradicts some that are held is tried in their place.

    Args:
        order: names of techniques.
        recipe: makes the recipe of `a+b`; ValueError if it makes no sense.
        measure: trains and tests a recipe, every seed.
        noise: of one window's energy on this machine.

    Raises:
        RuntimeError: there are no figures to begin with.
    """
    best, held = measure(recipe(START)), ()
    if best.skipped or best.failed:
        raise RuntimeError(f"the ladder has no first rung: {START}: {best.skipped or best.failed}")
    yield Rung(START, START, (), "start", "", *_means(best))
    for tried in order:
        replaces = tuple(name for name in held if not _makes_sense(recipe, f"{name}+{tried}"))
        names = (*(name for name in held if name not in replaces), tried)
        try:
            wanted = recipe("+".join(names))
        except ValueError as reason:
            yield Rung(tried, None, replaces, "skipped", str(reason))
            continue
        found = measure(wanted)
        rung = _decided(tried, wanted.technique, replaces, best, found, noise)
        yield rung
        if rung.verdict == "kept":
            best, held = found, names


def study_order() -> tuple[str, ...]:
    """Return the study's order, as far as its techniques are here."""
    return tuple(name for name in STUDY_ORDER if name in zoo.techniques())


def kept(rungs: Sequence[Rung]) -> str:
    """Name the combination that is held at the end."""
    return [rung.technique for rung in rungs if rung.verdict in ("start", "kept")][-1]


def _makes_sense(recipe: Callable[[str], zoo.Recipe], technique: str) -> bool:
    try:
        recipe(technique)
    except ValueError:
        return False
    return True


def _decided(
    tried: str, technique: str, replaces: tuple[str, ...], best: Result, found: Result, noise: Noise | None
) -> Rung:
    if found.skipped:
        return Rung(tried, technique, replaces, "skipped", found.skipped)
    if found.failed:
        return Rung(tried, technique, replaces, "failed", found.failed)
    idle = [reason for reason in found.without_effect if reason.startswith(f"{tried}:")]
    if idle:  # what differs is noise, and it might pass for a gain
        return Rung(tried, technique, replaces, "dropped", f"no effect here: {idle[0]}", *_means(found))
    verdict = judge(best.dice_per_kj, found.dice_per_kj, noise)
    word = "kept" if verdict.kept else "dropped"
    return Rung(
        tried,
        technique,
        replaces,
        word,
        verdict.why,
        *_means(found),
        gain=verdict.gain,
        needed=verdict.needed,
    )


def _means(result: Result) -> tuple[float | None, ...]:
    figures = (result.dice, result.total_kj, result.dice_per_kj)
    return tuple(None if None in values or not values else statistics.fmean(values) for values in figures)
