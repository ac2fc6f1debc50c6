"""The folder is the registry: one file per entry, found by its name; a leading `_` marks machinery.

Imports no torch, so that collecting cases is fast.
"""

import difflib
import importlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from zoo._entries import Entry, list_entries

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Variant:
    """One of the entries of a file; `build` or `apply` take its parameters beside their own arguments."""

    file: ModuleType
    parameters: Mapping[str, Any]

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.file, name)
        return partial(value, **self.parameters) if name in ("apply", "build") else value


def architectures() -> tuple[str, ...]:
    """Name the study's networks, and those of added folders: the files of `zoo/architectures`."""
    return _names("architectures")


def extras() -> tuple[str, ...]:
    """Name the networks beyond the study: the files of `zoo/extras`."""
    return _names("extras")


def networks() -> tuple[str, ...]:
    """Name every network that segments: the study's, then the extras."""
    return architectures() + extras()


def classifiers() -> tuple[str, ...]:
    """Name the networks that classify whole slices: the files of `zoo/classifiers`."""
    return _names("classifiers")


def techniques() -> tuple[str, ...]:
    """Name the techniques: the files of `zoo/techniques`."""
    return _names("techniques")


def create(name: str, in_channels: int = 1, classes: int = 1, pretrained: bool = False) -> "nn.Module":
    """Build a network, fresh or pretrained; it maps (N, in_channels, H, W) to logits (N, classes, H, W).

    Only some extras have pretrained weights, of their encoders; nothing is downloaded unless asked for.

    Raises:
        ValueError: if there is no such network, it has no pretrained weights, or a number of channels or
            classes is not positive.
        OSError: if pretrained weights cannot be had.
    """
    _require_positive(in_channels=in_channels, classes=classes)
    network = load_network(name)
    if not pretrained:
        return network.build(in_channels, classes)
    if not hasattr(network, "PRETRAINED"):
        raise ValueError(f"{name} has no pretrained weights; leave out `pretrained`.")
    return network.build(in_channels, classes, pretrained=True)


def create_classifier(name: str, image_size: int, in_channels: int = 1, classes: int = 1) -> "nn.Module":
    """Build a classifier with fresh weights; it maps (N, in_channels, S, S), S = image_size, to (N, classes).

    Raises:
        ValueError: if there is no such classifier, it cannot take slices of that size, or a number is not
            positive.
    """
    _require_positive(image_size=image_size, in_channels=in_channels, classes=classes)
    return load("classifiers", name).build(image_size, in_channels, classes)


def side_to_pad_to(name: str, side: int) -> int:
    """Return the smallest side, in pixels, that a network takes and that is not below `side`.

    That is a multiple of its `MULTIPLE`, and at least its `SMALLEST` where it has one.
    """
    network = load_network(name)
    side = max(side, getattr(network, "SMALLEST", 1))
    return -(-side // network.MULTIPLE) * network.MULTIPLE


def load_network(name: str) -> ModuleType | Variant:
    """Import the file of a network, the study's or an extra.

    Raises:
        ValueError: if there is no such network, with the nearest names.
    """
    return load(_folder_of_network(name), name)


def find_network(name: str) -> Entry:
    """Return where a network is, the study's or an extra, without importing it.

    Raises:
        ValueError: if there is no such network, with the nearest names.
    """
    return find_entry(_folder_of_network(name), name)


def _folder_of_network(name: str) -> str:
    require(name, networks(), "architecture")
    return "architectures" if name in architectures() else "extras"


def load(folder: str, name: str) -> ModuleType | Variant:
    """Import one entry of `zoo/FOLDER`.

    Raises:
        ValueError: if there is no such entry, with the nearest names, or that of an added folder is broken.
    """
    entry = find_entry(folder, name)
    try:
        file = importlib.import_module(entry.module)
    except Exception as problem:
        if entry.path.is_relative_to(Path(__file__).parent):
            raise
        raise ValueError(f"{entry.path}: {type(problem).__name__}: {problem}") from problem
    return Variant(file, entry.parameters) if entry.parameters else file


def find_entry(folder: str, name: str) -> Entry:
    """Return where an entry of `zoo/FOLDER` is, without importing it.

    Raises:
        ValueError: if there is no such entry, with the nearest names.
    """
    require(name, _names(folder), folder.removesuffix("s"))
    return list_entries(folder)[name]


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


def _require_positive(**numbers: int) -> None:
    for word, number in numbers.items():
        if number < 1:
            raise ValueError(f"{word} is {number}; expected 1 or more.")


def _names(kind: str) -> tuple[str, ...]:
    return tuple(list_entries(kind))
