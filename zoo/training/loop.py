"""The training loop, on one page.

Shapes: image_NCHW float32 and mask_NCHW 0 or 1, N slices of C channels; logits_NCHW before any sigmoid.

The seed fixes the first weights, the order of the slices and the augmentation: on a CPU, two runs of one
recipe on one machine give the same losses, digit for digit. On a GPU some of torch's kernels add in varying
order.
"""

import math
import time
from collections.abc import Generator
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn

from zoo.device.power_limit import limited
from zoo.device.runtime import forget_gpu_peak, gpu_peak_mib, settings
from zoo.evaluation import count_pixels, pool_dice
from zoo.feeding.feed import Feed, opened
from zoo.model.build import build
from zoo.model.forward import side_seen
from zoo.recipes.recipe import Recipe
from zoo.results import Diverged, Epoch, Setup, Taught, Trained
from zoo.size import parameters
from zoo.training.distilling import make_teachers_recipe
from zoo.training.learner import Learner
from zoo.training.setup import account_end, account_setup, find_learning_rate, refuse_untrainable


def train(recipe: Recipe, data: Any, seed: int = 0) -> Trained:
    """Train to the end; arguments and errors are those of `epochs`."""
    steps = epochs(recipe, data, seed)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def epochs(recipe: Recipe, data: Any, seed: int = 0) -> Generator[Taught | Setup | Epoch, None, Trained]:
    """Train; yield a Setup when all is ready, then each Epoch when it is over; return the Trained.

    Where the recipe has a teacher, that is trained first, and a Taught comes before the Setup.

    `data` is a `fixtures.Slices`, or has its `train`, `val`, `image_size` and `transform`. Closing the
    generator ends the loaders' workers. What the caller does between two epochs is in nobody's seconds.
    Slices of a size that the network cannot take are padded, and its logits cropped.

    Raises:
        ValueError: for a recipe that cannot run here, a seed below 0, or too few slices.
        Diverged: if a loss is not finite.
    """
    refuse_untrainable(recipe, data, seed)
    with ExitStack() as stack:
        stack.enter_context(settings(recipe))
        power_limit = stack.enter_context(limited(recipe))
        taught, teacher = yield from _taught(recipe, data, seed)
        started = time.perf_counter()
        forget_gpu_peak(recipe)
        torch.manual_seed(seed)
        model = build(recipe)
        feed = stack.enter_context(opened(recipe, data, seed))
        rate, search = find_learning_rate(recipe, model, feed)
        learner = Learner(recipe, model, rate, feed.steps, teacher)
        prepared = learner.prepare(data.image_size, feed.slices, len(data.val))
        torch.manual_seed(seed)  # so that a search before changes nothing but the learning rate
        account = account_setup(recipe, data, feed, learner, search) | prepared | {"power_limit": power_limit}
        setup = Setup(time.perf_counter() - started, account)
        yield setup

        history: list[Epoch] = []
        best, progress = None, (0, math.inf)
        for number in range(1, recipe.epochs + 1):
            started = time.perf_counter()
            if learner.begin_epoch(number):  # another network: what was kept no longer counts
                best, progress = None, (number, math.inf)
            rate = learner.learning_rate
            loss, slices, batch_seconds = _train(learner, feed, number)
            val_loss, val_dice, val_found = _validate(learner, feed, number)
            learner.end_epoch(val_loss)
            better = best is None or val_loss < best.val_loss
            if better:
                weights = {
                    name: value.to("cpu", copy=True) for name, value in learner.judged.state_dict().items()
                }
            seconds = time.perf_counter() - started
            epoch = Epoch(number, loss, val_loss, val_dice, val_found, rate, seconds, slices, batch_seconds)
            history.append(epoch)
            best = history[-1] if better else best
            yield history[-1]

            if val_loss < progress[1] - recipe.early_stop_min_delta:
                progress = (number, val_loss)
            stale = number - max(progress[0], learner.settled_from)
            if recipe.early_stop_patience and stale >= recipe.early_stop_patience:
                break
        params = parameters(learner.judged)
        learner.finish(weights)
    return Trained(
        model=learner.judged.eval(),
        epochs=tuple(history),
        setup=setup,
        applied=account | learner.applied() | account_end(recipe, history, account["without_effect"]),
        seconds=taught + setup.seconds + sum(epoch.seconds for epoch in history),
        best_epoch=best.number,
        collapsed=best.val_dice == 0 or (best.val_found == 1 and not math.isnan(best.val_dice)),
        params=params,
        macs_per_slice=learner.macs_per_slice(side_seen(recipe, data.image_size)),
        peak_gpu_mib=gpu_peak_mib(recipe),
        stopped_early=len(history) < recipe.epochs,
    )


def _taught(recipe: Recipe, data: Any, seed: int) -> Generator[Taught, None, tuple[float, nn.Module | None]]:
    """Train the recipe's teacher, if it has one; return the seconds and the network."""
    if recipe.teacher is None:
        return 0.0, None
    trained = train(make_teachers_recipe(recipe), data, seed)
    best = trained.epochs[trained.best_epoch - 1]
    yield Taught(recipe.teacher, trained.seconds, len(trained.epochs), best.val_dice)
    return trained.seconds, trained.model


def _train(learner: Learner, feed: Feed, epoch: int) -> tuple[float, int, float]:
    """Return the mean loss, the number of slices, and the seconds that a batch took."""
    started, losses, sizes = time.perf_counter(), [], []
    with feed.train() as batches:
        for image_NCHW, mask_NCHW in batches:
            losses.append(learner.step(image_NCHW, mask_NCHW))
            sizes.append(len(image_NCHW))
    loss = _mean(losses, sizes, f"training loss of epoch {epoch}")
    return loss, sum(sizes), (time.perf_counter() - started) / len(sizes)


def _validate(learner: Learner, feed: Feed, epoch: int) -> tuple[float, float, float]:
    """Return loss, Dice, and which share of all pixels was found to be brain."""
    learner.begin_validation(feed)
    losses, pixels, seen = [], [], 0
    with feed.val() as batches:
        for image_NCHW, mask_NCHW in batches:
            loss, logits_NCHW = learner.judge(image_NCHW, mask_NCHW)
            losses.append(loss)
            pixels.append(count_pixels(logits_NCHW, mask_NCHW))
            seen += mask_NCHW.numel()
    sizes = [len(batch) for batch in pixels]
    counts = torch.cat(pixels)
    loss = _mean(losses, sizes, f"validation loss of epoch {epoch}")
    return loss, pool_dice(counts), int(counts[:, 1].sum()) / seen


def _mean(losses: list[Tensor], sizes: list[int], what: str) -> float:
    # Read once per pass: asking for each loss as it comes would make a GPU wait in every step.
    values = torch.stack(losses).tolist()
    for step, value in enumerate(values, 1):
        if not math.isfinite(value):
            raise Diverged(f"{what} is {value} at step {step} of {len(values)}; try a lower learning rate.")
    return sum(value * size for value, size in zip(values, sizes, strict=True)) / sum(sizes)
