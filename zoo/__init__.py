"""What is measured: networks, techniques and the training loop.

Importing this imports no torch, so that collecting cases is fast; what needs torch comes when asked for.
"""

import importlib
from typing import TYPE_CHECKING, Any

# First: importing one of these folders later would put its module in the place of the function of that name.
import zoo.architectures
import zoo.classifiers
import zoo.extras
import zoo.techniques  # noqa: F401 -- imported for its place alone
from zoo._entries import Entry, add_folder, find_installed_folders
from zoo._registry import (
    architectures,
    classifiers,
    create,
    create_classifier,
    extras,
    find_entry,
    find_network,
    networks,
    techniques,
)
from zoo.recipes.recipe import DEFAULTS_VERSION, Recipe, recipe
from zoo.results import Diverged, Epoch, Ineffective, Scores, Setup, Taught, Trained

if TYPE_CHECKING:
    from zoo.availability import unavailable
    from zoo.device.runtime import has_native_bf16
    from zoo.evaluation import evaluate, predict
    from zoo.model.forward import recipe_in_epoch
    from zoo.size import activation_bytes_per_slice, macs_per_slice
    from zoo.training.distilling import make_teachers_recipe
    from zoo.training.loop import epochs, train
    from zoo.training.warming import warm_up

__all__ = [
    "DEFAULTS_VERSION",
    "Diverged",
    "Entry",
    "Epoch",
    "Ineffective",
    "Recipe",
    "Scores",
    "Setup",
    "Taught",
    "Trained",
    "activation_bytes_per_slice",
    "add_folder",
    "architectures",
    "classifiers",
    "create",
    "create_classifier",
    "epochs",
    "evaluate",
    "extras",
    "find_entry",
    "find_installed_folders",
    "find_network",
    "has_native_bf16",
    "macs_per_slice",
    "make_teachers_recipe",
    "networks",
    "predict",
    "recipe",
    "recipe_in_epoch",
    "techniques",
    "train",
    "unavailable",
    "warm_up",
]

_WITH_TORCH = {
    "activation_bytes_per_slice": "zoo.size",
    "epochs": "zoo.training.loop",
    "evaluate": "zoo.evaluation",
    "has_native_bf16": "zoo.device.runtime",
    "macs_per_slice": "zoo.size",
    "predict": "zoo.evaluation",
    "recipe_in_epoch": "zoo.model.forward",
    "make_teachers_recipe": "zoo.training.distilling",
    "train": "zoo.training.loop",
    "unavailable": "zoo.availability",
    "warm_up": "zoo.training.warming",
}


def __getattr__(name: str) -> Any:
    if name not in _WITH_TORCH:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_WITH_TORCH[name]), name)
