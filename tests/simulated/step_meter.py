"""The real suite on a meter that counts optimiser steps, for `pytest -p tests.simulated.step_meter`.

Tiny networks train; each step of the optimiser takes a joule, but for 0.5 % of noise by training. The file
that STEP_WORLD names says which session it is, and whose recipe trains in batches of another size:
{"session": 1, "batch_size": {"bce": 9}}.
"""

import json
import math
import os
import random
from dataclasses import replace
from pathlib import Path

from torch.optim.optimizer import register_optimizer_step_post_hook

from tests.simulated.tiny_slices import network
from tests.simulated.work_meter import METER, install
from zoo.model import build
from zoo.training import loop as training

WORLD = json.loads(Path(os.environ["STEP_WORLD"]).read_text())
NOISE = 0.005
real = training.epochs
joules_per_step = [1.0]


def epochs(recipe, data, seed=0):
    drawn = random.Random(f"{WORLD['session']} {recipe.architecture} {recipe.technique} {seed}").gauss(
        0, NOISE
    )
    joules_per_step[0] = math.exp(drawn)
    batch_size = WORLD["batch_size"].get(recipe.technique, recipe.batch_size)
    return real(replace(recipe, batch_size=batch_size), data, seed)


def count(*_):
    METER.joules += joules_per_step[0]


install()
register_optimizer_step_post_hook(count)
build.create_network = network
training.epochs = epochs
