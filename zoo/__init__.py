"""What is measured: networks, techniques and the training loop.

Importing this imports no torch, so that collecting cases is fast; what needs torch comes when asked for.
"""

import importlib
from typing import TYPE_CHECKING, Any

# First: importing one of these folders later would put its module in the place of the function of that name.
import zoo.architectures
import zoo.classifiers
import zoo.extras
import zoo.techniques  # noqa: F401
from zoo._registry import (
    architectures,
    classifiers,
    create,
    create_classifier,
    extras,
    networks,
    techniques,
)
from zoo.recipe import Recipe, recipe
from zoo.results import Diverged, Epoch, Ineffective, Scores, Setup, Taught, Trained

if TYPE_CHECKING:
    from zoo._hardware import unavailable
    from zoo._learning.distilling import teachers_recipe
    from zoo._size import macs_per_slice
    from zoo.evaluation import evaluate, predict
    from zoo.training import epochs, train
    from zoo.warming import warm_up

__all__ = [
    "Diverged",
    "Epoch",
    "Ineffective",
    "Recipe",
    "Scores",
    "Setup",
    "Taught",
    "Trained",
    "architectures",
    "classifiers",
    "create",
    "create_classifier",
    "epochs",
    "evaluate",
    "extras",
    "macs_per_slice",
    "networks",
    "predict",
    "recipe",
    "teachers_recipe",
    "techniques",
    "train",
    "unavailable",
    "warm_up",
]

_WITH_TORCH = {
    "epochs": "zoo.training",
    "evaluate": "zoo.evaluation",
    "macs_per_slice": "zoo._size",
    "predict": "zoo.evaluation",
    "teachers_recipe": "zoo._learning.distilling",
    "train": "zoo.training",
    "unavailable": "zoo._hardware",
    "warm_up": "zoo.warming",
}


def __getattr__(name: str) -> Any:
    if name not in _WITH_TORCH:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_WITH_TORCH[name]), name)
