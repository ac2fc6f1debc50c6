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

from zoo import _loaders as loaders
from zoo._dice import counts, pooled
from zoo._hardware import forget_gpu_peak, gpu_peak_mib, threads
from zoo._optimization import loss_of, optimizer, schedule
from zoo._registry import create
from zoo._setup import applied, check, learning_rate
from zoo._size import macs_per_slice, parameters
from zoo.recipe import Recipe
from zoo.results import Diverged, Epoch, Setup, Trained


def train(recipe: Recipe, data: Any, seed: int = 0) -> Trained:
    """Train to the end; arguments and errors are those of `epochs`."""
    steps = epochs(recipe, data, seed)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def epochs(recipe: Recipe, data: Any, seed: int = 0) -> Generator[Setup | Epoch, None, Trained]:
    """Train; yield a Setup when all is ready, then each Epoch when it is over; return the Trained.

    `data` is a `fixtures.Slices`, or has its `train`, `val`, `image_size` and `transform`. Closing the
    generator ends the loaders' workers. What the caller does between two epochs is in nobody's seconds.
    Slices of a size that the network cannot take are padded, and its logits cropped.

    Raises:
        ValueError: for a recipe that cannot run here, a seed below 0, or too few slices.
        Diverged: if a loss is not finite.
    """
    check(recipe, data, seed)
    with ExitStack() as stack:
        stack.enter_context(threads(recipe.threads))
        started = time.perf_counter()
        forget_gpu_peak(recipe)
        torch.manual_seed(seed)
        model = create(recipe.architecture).to(recipe.device)
        train_set, val_set, loading = loaders.datasets(recipe, data)
        rate, search = learning_rate(recipe, model, train_set, seed)
        optimize = optimizer(recipe, model, rate)
        plateau = schedule(recipe, optimize)
        train_loader = loaders.train_loader(train_set, recipe, seed)
        val_loader = loaders.val_loader(val_set, recipe, seed)
        stack.enter_context(loaders.closing(train_loader, val_loader))
        torch.manual_seed(seed)  # so that a search before changes nothing but the learning rate
        account = applied(recipe, data, train_loader, loading, rate, search)
        setup = Setup(time.perf_counter() - started, account)
        yield setup

        history: list[Epoch] = []
        best, progress = None, (0, math.inf)
        for number in range(1, recipe.epochs + 1):
            started = time.perf_counter()
            rate = optimize.param_groups[0]["lr"]
            loss, slices = _train(recipe, model, optimize, train_loader, number)
            val_loss, val_dice = _validate(recipe, model, val_loader, number)
            if plateau:
                plateau.step(val_loss)
            better = best is None or val_loss < best.val_loss
            if better:
                weights = {name: value.to("cpu", copy=True) for name, value in model.state_dict().items()}
            seconds = time.perf_counter() - started
            history.append(Epoch(number, loss, val_loss, val_dice, rate, seconds, slices))
            best = history[-1] if better else best
            yield history[-1]

            if val_loss < progress[1] - recipe.early_stop_min_delta:
                progress = (number, val_loss)
            if recipe.early_stop_patience and number - progress[0] >= recipe.early_stop_patience:
                break
        model.load_state_dict(weights)
    return Trained(
        model=model.eval(),
        epochs=tuple(history),
        setup=setup,
        seconds=setup.seconds + sum(epoch.seconds for epoch in history),
        best_epoch=best.number,
        params=parameters(model),
        macs_per_slice=macs_per_slice(recipe.architecture, data.image_size),
        peak_gpu_mib=gpu_peak_mib(recipe),
        stopped_early=len(history) < recipe.epochs,
    )


def _train(
    recipe: Recipe, model: nn.Module, optimize: torch.optim.Optimizer, loader: loaders.Loader, epoch: int
) -> tuple[float, int]:
    model.train()
    losses, sizes = [], []
    with loaders.batches(loader, recipe.device) as batches:
        for image_NCHW, mask_NCHW in batches:
            loss, _ = loss_of(recipe, model, image_NCHW, mask_NCHW)
            optimize.zero_grad()
            loss.backward()
            optimize.step()
            losses.append(loss.detach())
            sizes.append(len(image_NCHW))
    return _mean(losses, sizes, f"training loss of epoch {epoch}"), sum(sizes)


@torch.no_grad()
def _validate(recipe: Recipe, model: nn.Module, loader: loaders.Loader, epoch: int) -> tuple[float, float]:
    model.eval()
    losses, pixels = [], []
    with loaders.batches(loader, recipe.device) as batches:
        for image_NCHW, mask_NCHW in batches:
            loss, logits_NCHW = loss_of(recipe, model, image_NCHW, mask_NCHW)
            losses.append(loss)
            pixels.append(counts(logits_NCHW, mask_NCHW))
    sizes = [len(batch) for batch in pixels]
    return _mean(losses, sizes, f"validation loss of epoch {epoch}"), pooled(torch.cat(pixels))


def _mean(losses: list[Tensor], sizes: list[int], what: str) -> float:
    # Read once per pass: asking for each loss as it comes would make a GPU wait in every step.
    values = torch.stack(losses).tolist()
    for step, value in enumerate(values, 1):
        if not math.isfinite(value):
            raise Diverged(f"{what} is {value} at step {step} of {len(values)}; try a lower learning rate.")
    return sum(value * size for value, size in zip(values, sizes, strict=True)) / sum(sizes)
