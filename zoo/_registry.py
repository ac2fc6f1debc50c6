"""The folder is the registry: one file per entry, found by its name; a leading `_` marks machinery.

A file whose entries differ in parameters only names them in a literal, VARIANTS = {name: {parameter: value}};
its `build` or `apply` takes those parameters. Names are read without importing a file, and so without torch.
"""

import ast
import difflib
import importlib
import importlib.metadata
import importlib.util
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

# What a file of another folder must define, by the folder it lies in.
NEEDED = {"architectures": ("build", "MULTIPLE"), "techniques": ("apply",)}
ENTRY_POINTS = "joulebench.zoo"  # whose values are packages with such folders


@dataclass(frozen=True)
class Entry:
    """Where an entry is, and what sets it apart from others of its file."""

    path: Path
    parameters: Mapping[str, Any]


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
    return load(kind_of_network(name), name)


def kind_of_network(name: str) -> str:
    """Name the folder that a network is in.

    Raises:
        ValueError: if there is no such network, with the nearest names.
    """
    require(name, networks(), "architecture")
    return "architectures" if name in architectures() else "extras"


def load(folder: str, name: str) -> ModuleType | Variant:
    """Import one entry of `zoo/FOLDER`.

    Raises:
        ValueError: if there is no such entry, with the nearest names.
    """
    entry = find(folder, name)
    file = importlib.import_module(f"zoo.{folder}.{entry.path.stem}")
    return Variant(file, entry.parameters) if entry.parameters else file


def find(folder: str, name: str) -> Entry:
    """Return where an entry of `zoo/FOLDER` is, without importing it.

    Raises:
        ValueError: if there is no such entry, with the nearest names.
    """
    require(name, _names(folder), folder.removesuffix("s"))
    return _entries(folder)[name]


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


@contextmanager
def add_folder(folder: Path) -> Iterator[None]:
    """Have the networks of FOLDER/architectures and the techniques of FOLDER/techniques, too, for a block.

    They become modules of `zoo.architectures` and `zoo.techniques`: Python's own list of a package's folders
    is what says where those are.

    Raises:
        ValueError: there is neither folder, a file is not such an entry, or a name is taken.
    """
    added = {kind: folder / kind for kind in NEEDED if (folder / kind).is_dir()}
    if not added:
        raise ValueError(f"{folder}: holds no networks and no techniques; expected {_expected(folder)}")
    for kind, path in added.items():
        _refuse_unfit(kind, path)
    importlib.invalidate_caches()
    for kind, path in added.items():
        _folders(kind).append(str(path))
    try:
        yield
    finally:
        for kind, path in added.items():
            _folders(kind).remove(str(path))
            for file in path.glob("*.py"):
                sys.modules.pop(f"zoo.{kind}.{file.stem}", None)


def find_installed_folders() -> tuple[Path, ...]:
    """Return the folders that installed packages offer by an entry point of the group `joulebench.zoo`.

    Raises:
        ValueError: an entry point names no package.
    """
    found = []
    for point in importlib.metadata.entry_points(group=ENTRY_POINTS):
        try:
            package = importlib.util.find_spec(point.value)
        except ImportError:
            package = None
        if package is None or not package.submodule_search_locations:
            raise ValueError(
                f"the entry point {point.name} = {point.value} of the group {ENTRY_POINTS} names no package; "
                f"expected one with a folder architectures or techniques"
            )
        found += map(Path, package.submodule_search_locations)
    return tuple(found)


def _expected(folder: Path) -> str:
    return " or ".join(f"{folder / kind}/NAME.py" for kind in NEEDED)


def _refuse_unfit(kind: str, folder: Path) -> None:
    """Refuse a folder whose files cannot be entries, or would stand in the place of others."""
    entries = _entries_in(str(folder))
    known = _entries(kind) | (_entries("extras") if kind == "architectures" else {})
    for name, entry in entries.items():
        if name in known:
            raise ValueError(f"{entry.path}: {name} is the name of {known[name].path} already; rename it")
        missing = [word for word in NEEDED[kind] if word not in _defined(entry.path)]
        if missing:
            raise ValueError(f"{entry.path}: defines no {' and no '.join(missing)}; see CONTRIBUTING")
    taken = {path.name: path for known in _folders(kind) for path in Path(known).glob("*.py")}
    for path in folder.glob("*.py"):  # machinery, too: it is found by the name of its file
        if path.name in taken and path.name != "__init__.py":
            raise ValueError(f"{path}: {taken[path.name]} has that name already; rename it")


def _defined(path: Path) -> set[str]:
    """Name what a file defines, assigns or imports at its top level."""
    names = set()
    for node in _parse(path).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {target.id for target in targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
    return names


def _require_positive(**numbers: int) -> None:
    for word, number in numbers.items():
        if number < 1:
            raise ValueError(f"{word} is {number}; expected 1 or more.")


def _folders(kind: str) -> list[str]:
    return importlib.import_module(f"zoo.{kind}").__path__


def _names(kind: str) -> tuple[str, ...]:
    return tuple(sorted(_entries(kind)))


def _entries(kind: str) -> dict[str, Entry]:
    return {name: entry for folder in _folders(kind) for name, entry in _entries_in(folder).items()}


@cache
def _entries_in(folder: str) -> Mapping[str, Entry]:
    found: dict[str, Entry] = {}
    for path in sorted(Path(folder).glob("[!_]*.py")):
        for name, parameters in _variants(path).items():
            if not name.isidentifier():
                raise ValueError(f"{path}: {name!r} is no name; expected letters, digits and underscores")
            if name in found:
                raise ValueError(f"{path}: {name} is the name of {found[name].path} already; rename it")
            found[name] = Entry(path, parameters)
    return MappingProxyType(found)


def _variants(path: Path) -> dict[str, dict[str, Any]]:
    """Return the entries of a file and their parameters: those of its VARIANTS, or one of the file's name."""
    if "\nVARIANTS = " in path.read_text():
        for node in _parse(path).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "VARIANTS":
                try:
                    return ast.literal_eval(node.value)
                except ValueError:
                    raise ValueError(
                        f"{path}: line {node.lineno}: VARIANTS is computed; expected a literal"
                    ) from None
    return {path.stem: {}}


def _parse(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_text())
    except SyntaxError as problem:
        raise ValueError(f"{path}: line {problem.lineno}: {problem.msg}") from None
