"""A few training steps before the measured ones, so that the first case is not the cold one."""

import time
from itertools import chain, islice, repeat
from typing import Any

import torch
from monai.data import Dataset

from zoo.device.runtime import settings, synchronize
from zoo.feeding import loaders
from zoo.model.build import build
from zoo.recipes.recipe import Recipe
from zoo.training.distilling import make_teachers_recipe
from zoo.training.learner import Learner
from zoo.training.setup import refuse_untrainable


def warm_up(recipe: Recipe, data: Any, batches: int = 2) -> float:
    """Train a throw-away model for some batches; return the seconds of the last, its loading included.

    The slices are read from disk in this process. Torch's random state is left as it was.

    Raises:
        ValueError: as `epochs` does, and for fewer batches than 1.
    """
    if batches < 1:
        raise ValueError(f"batches is {batches}; expected 1 or more.")
    refuse_untrainable(recipe, data, seed=0)
    gpus = [] if recipe.device == "cpu" else [torch.device(recipe.device)]
    with settings(recipe), torch.random.fork_rng(devices=gpus):
        return _time_last(recipe, data, batches)


def _time_last(recipe: Recipe, data: Any, batches: int) -> float:
    teacher = build(make_teachers_recipe(recipe)) if recipe.teacher else None
    learner = Learner(recipe, build(recipe).train(), recipe.learning_rate, batches, teacher)
    same = Dataset(data.train.items[: recipe.batch_size], loaders.transforms(recipe, data)[0])
    loader = loaders.in_process(same, recipe)
    started = time.perf_counter()
    for batch in islice(chain.from_iterable(repeat(loader)), batches):
        learner.step(batch["image"].to(recipe.device), batch["mask"].to(recipe.device))
        synchronize(recipe)
        ended = time.perf_counter()
        seconds, started = ended - started, ended
    return seconds
