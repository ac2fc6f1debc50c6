"""Where the entries of the registry are: in the zoo's folders, and in those that are added to them.

A file whose entries differ in parameters only names them in a literal, VARIANTS = {name: {parameter: value}};
its `build` or `apply` takes those parameters. Nothing is imported to know the names.
"""

import ast
import importlib
import importlib.metadata
import importlib.util
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

# What a file of another folder must define, by the folder it lies in.
NEEDED = {"architectures": ("build", "MULTIPLE"), "techniques": ("apply",)}
ENTRY_POINTS = "joulebench.zoo"  # whose values are packages with such folders


@dataclass(frozen=True)
class Entry:
    """Where an entry is, as a file and as a module, and the parameters that it has beside others there."""

    path: Path
    module: str
    parameters: Mapping[str, Any]


def list_entries(kind: str) -> Mapping[str, Entry]:
    """Return the entries of `zoo/KIND` and of what is added to it, sorted by name."""
    return _sort_entries(kind, tuple(_folders(kind)))


@cache  # a suite asks for them ten times a case
def _sort_entries(kind: str, folders: tuple[str, ...]) -> Mapping[str, Entry]:
    found = {
        name: Entry(path, f"zoo.{kind}.{path.stem}", parameters)
        for folder in folders
        for name, (path, parameters) in _entries_in(folder).items()
    }
    return MappingProxyType(dict(sorted(found.items())))


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
    known = {**list_entries(kind), **(list_entries("extras") if kind == "architectures" else {})}
    for name, (path, _) in entries.items():
        if name in known:
            raise ValueError(f"{path}: {name} is the name of {known[name].path} already; rename it")
        missing = [word for word in NEEDED[kind] if word not in _defined(path)]
        if missing:
            raise ValueError(f"{path}: defines no {' and no '.join(missing)}; see CONTRIBUTING")
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


def _folders(kind: str) -> list[str]:
    return importlib.import_module(f"zoo.{kind}").__path__


@cache
def _entries_in(folder: str) -> Mapping[str, tuple[Path, dict[str, Any]]]:
    found: dict[str, tuple[Path, dict[str, Any]]] = {}
    for path in sorted(Path(folder).glob("[!_]*.py")):
        for name, parameters in _variants(path).items():
            if not name.isidentifier():
                raise ValueError(f"{path}: {name!r} is no name; expected letters, digits and underscores")
            if name in found:
                raise ValueError(f"{path}: {name} is the name of {found[name][0]} already; rename it")
            found[name] = path, parameters
    return MappingProxyType(found)


def _variants(path: Path) -> dict[str, dict[str, Any]]:
    """Return the entries of a file and their parameters: those of its VARIANTS, or one of the file's name."""
    if "VARIANTS = " not in path.read_text():
        return {path.stem: {}}
    for node in _parse(path).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "VARIANTS":
            try:
                return {
                    str(name): dict(parameters) for name, parameters in ast.literal_eval(node.value).items()
                }
            except (ValueError, TypeError, AttributeError):
                raise ValueError(
                    f"{path}: line {node.lineno}: VARIANTS is no literal {{name: {{parameter: value}}}}"
                ) from None
    return {path.stem: {}}


def _parse(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_text())
    except SyntaxError as problem:
        raise ValueError(f"{path}: line {problem.lineno}: {problem.msg}") from None
