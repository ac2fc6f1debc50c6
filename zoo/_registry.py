"""The folder is the registry: one file per entry, found by its name; a leading `_` marks machinery.

Imports no torch, so that collecting cases is fast.
"""

import difflib
import importlib
import pkgutil
from collections.abc import Collection
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


def architectures() -> tuple[str, ...]:
    """Name the networks: the files of `zoo/architectures`, without importing them."""
    return _files("architectures")


def techniques() -> tuple[str, ...]:
    """Name the techniques: the files of `zoo/techniques`, without importing them."""
    return _files("techniques")


def create(name: str, in_channels: int = 1, classes: int = 1) -> "nn.Module":
    """Build a network with fresh weights; it maps (N, in_channels, H, W) to logits (N, classes, H, W).

    Raises:
        ValueError: if there is no such network, or a number of channels or classes is not positive.
    """
    for word, number in (("in_channels", in_channels), ("classes", classes)):
        if number < 1:
            raise ValueError(f"{word} is {number}; expected 1 or more.")
    return load("architectures", name).build(in_channels, classes)


def load(folder: str, name: str) -> ModuleType:
    """Import one entry of `zoo/FOLDER`.

    Raises:
        ValueError: if there is no such entry, with the nearest names.
    """
    require(name, _files(folder), folder.removesuffix("s"))
    return importlib.import_module(f"zoo.{folder}.{name}")


def require(name: str, names: Collection[str], kind: str) -> None:
    """Refuse a name that is not among the known ones.

    Raises:
        ValueError: with the nearest names, or all of them where none is near.
    """
    if name in names:
        return
    near = difflib.get_close_matches(str(name), names)
    advice = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(sorted(names))}."
    raise ValueError(f"unknown {kind} {name!r}; {advice}")


@cache
def _files(folder: str) -> tuple[str, ...]:
    found = pkgutil.iter_modules([str(Path(__file__).parent / folder)])
    return tuple(sorted(module.name for module in found if not module.name.startswith("_")))
