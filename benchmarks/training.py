"""One case: train each seed inside a metered window, test it outside."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator
from contextlib import closing

import zoo
from benchmarks import overlays, progress, work
from benchmarks.scan import score_scans
from benchmarks.source import digest_source
from benchmarks.suite import TARGET_DICE, Suite, Training
from energy.plugin import COLLAPSED, Case, Live, Repeat

NO_BRAIN = "the test part has no brain"
NOTHING_FOUND = "in a test volume nothing was found, or the test part has no brain"


def run(case: Case, recipe: zoo.Recipe, suite: Suite, keys: dict[str, str], live: Live) -> None:
    """Train and test one case, and tell `case` what came out: every training, or that of its repeat."""
    case.begin()
    case.describe(
        task="training",
        arch=recipe.architecture,
        technique=recipe.technique,
        budget=suite.described_budget(),
        recipe=dataclasses.asdict(recipe),
        keys=keys,
        code=digest_source(recipe),
        threads=suite.threads,
        data=suite.data.summary,
    )
    case.explain(peak_gpu_mib="trained on the CPU", dice=NO_BRAIN, dice_slice=NO_BRAIN)
    case.explain(sensitivity=NO_BRAIN, precision=NOTHING_FOUND)
    # What is built once per process (kernels, thread pools) must not be billed to the case that comes first.
    zoo.warm_up(recipe, suite.slices)
    for training in suite.choose_trainings(case):
        train_and_test(case, recipe, suite, training, live)


def train_and_test(
    case: Case,
    recipe: zoo.Recipe,
    suite: Suite,
    training: Training,
    live: Live,
) -> None:
    """Train once inside a window and test it outside; then the network goes, before the next training."""
    slices = suite.open_slices(training)
    teller = work.Teller(case, recipe, slices.image_size, len(slices.train), len(slices.val))
    # Closed here, not when the last reference to it goes: an interrupted training gives back what it holds.
    with (
        case.window(training.seed) as repeat,
        closing(zoo.epochs(recipe, slices, training.seed)) as steps,
    ):
        trained = watch(steps, case, repeat, recipe, live, teller)
    scores = zoo.evaluate(trained.model, slices.test, recipe)
    if suite.overlays is not None:
        overlays.save(suite.overlays, case.name, training, trained.model, slices.test, recipe)
    if suite.folds is not None and training.fold is not None:
        repeat.facts |= {"fold": training.fold} | suite.folds.describe(training.fold)
    repeat.facts |= {
        "applied": trained.applied,
        "best_epoch": trained.best_epoch,
        "collapsed": trained.collapsed,
        "dice_by_volume": scores.dice_by_volume,
    }
    if trained.collapsed:
        repeat.note(COLLAPSED)
    repeat.observe(
        dice=scores.dice,
        dice_slice=scores.dice_slice,
        dice_batch=scores.dice_batch,
        sensitivity=scores.sensitivity,
        precision=scores.precision,
        **score_scans(case, trained.model, slices.test, recipe),
        params=trained.params,
        macs_per_slice=trained.macs_per_slice,
        peak_gpu_mib=trained.peak_gpu_mib,
    )


def watch(
    steps: Generator[zoo.Taught | zoo.Setup | zoo.Epoch, None, zoo.Trained],
    case: Case,
    repeat: Repeat,
    recipe: zoo.Recipe,
    live: Live,
    teller: work.Teller,
) -> zoo.Trained:
    """Drain the training loop; read the meters at the end of its setup and of each epoch."""
    repeat.facts["target_dice"] = TARGET_DICE
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            trained: zoo.Trained = end.value
            return trained
        teller.tell(step)
        if isinstance(step, zoo.Taught):
            repeat.facts["teacher"] = dataclasses.asdict(step)
            repeat.window.mark("teacher")
            continue
        if isinstance(step, zoo.Setup):
            repeat.window.mark("setup")
            continue
        spent = repeat.window.mark(
            "epoch",
            epoch=step.number,
            loss=step.loss,
            val_loss=step.val_loss,
            val_dice=step.val_dice,
            val_found=step.val_found,
            lr=step.lr,
            slices=step.slices,
            batch_seconds=step.batch_seconds,
        )
        text = progress.line(case.name, repeat.seed, step, recipe.epochs, spent, repeat.window.so_far())
        live.progress(text, step.number / recipe.epochs)
