"""What of the source code makes a result, as a digest: where it is equal, the result would come out again.

It is over the syntax trees of the modules that a recipe's training and evaluation can reach, without their
docstrings and comments, and without the names of modules: renaming a file, or adding a network or a
technique, changes nothing for the others.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
from collections.abc import Iterable, Mapping
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import zoo

# Where a result begins; from there imports are followed within these packages. Their own fronts are left out:
# they hand on names, and compute nothing. The key of the data says which slices there are, and not who is
# tested on which of them.
BEGINNINGS = (
    "benchmarks.training",
    "zoo.training.warming",
    "zoo.training.loop",
    "zoo.evaluation",
    "fixtures.transform",
    "fixtures.cache.arrays",
    "fixtures.split",
)
FOLLOWED = ("zoo", "fixtures")


def digest_source(*recipes: zoo.Recipe, beside: tuple[str, ...] = ()) -> str:
    """Return the digest of what trains and evaluates recipes, and of modules beside."""
    entries = [entry for recipe in recipes for entry in _list_entries(recipe)]
    own = (entry.module for entry in entries)
    modules = sorted(_digest(name) for name in reach((*BEGINNINGS, *own, *beside)))
    return _hash([modules, [sorted(entry.parameters.items()) for entry in entries]])


def _list_entries(recipe: zoo.Recipe) -> list[zoo.Entry]:
    """List what a recipe has of the registry: its techniques, its network and its teacher's."""
    networks = [name for name in (recipe.architecture, recipe.teacher) if name is not None]
    return [
        *(zoo.find_entry("techniques", name) for name in recipe.technique.split("+")),
        *(zoo.find_network(name) for name in networks),
    ]


def reach(modules: Iterable[str]) -> set[str]:
    """Name the modules that these import, and so on, themselves included."""
    reached: set[str] = set()
    waiting = list(modules)
    while waiting:
        if (name := waiting.pop()) not in reached:
            reached.add(name)
            waiting += [module for _, (module, _) in _list_imports(name)]
    return reached


@functools.cache
def _digest(module: str) -> str:
    """Digest a module; what it has of other modules is named by their content, and not by their names."""
    origins = _find_origins(module).items()
    meanings = {word: f"{_digest_alone(other)} {name}" for word, (other, name) in origins}
    return _hash(_flatten(_parse(module), meanings))


@functools.cache
def _digest_alone(module: str) -> str:
    """Digest a module, whatever those that it imports hold."""
    origins = _find_origins(module).items()
    return _hash(_flatten(_parse(module), {word: name for word, (_, name) in origins}))


@functools.cache
def _find_origins(module: str) -> Mapping[str, tuple[str, str]]:
    """Tell of each word for something of another module of ours which one that is, and its name in there."""
    return dict(_list_imports(module))


@functools.cache
def _list_imports(module: str) -> tuple[tuple[str, tuple[str, str]], ...]:
    """List what a module has of others of ours; two functions may import different things as one word."""
    found: list[tuple[str, tuple[str, str]]] = []
    for node in ast.walk(_parse(module)):
        if isinstance(node, ast.ImportFrom):
            origin = _absolute(node, module)
            found += [(alias.asname or alias.name, _resolve(origin, alias.name)) for alias in node.names]
        elif isinstance(node, ast.Import):
            found += [(alias.asname or alias.name, (alias.name, "")) for alias in node.names]
    return tuple((word, origin) for word, origin in found if _is_followed(origin[0]))


def _resolve(origin: str, name: str) -> tuple[str, str]:
    """Tell a module of a package from a name in a module."""
    if _is_ours(origin) and _is_package(origin) and importlib.util.find_spec(f"{origin}.{name}"):
        return f"{origin}.{name}", ""
    return origin, name


def _absolute(node: ast.ImportFrom, importer: str) -> str:
    package = importer if _is_package(importer) else importer.rpartition(".")[0]
    return importlib.util.resolve_name("." * node.level + (node.module or ""), package)


def _is_followed(module: str) -> bool:
    return _is_ours(module) and module not in FOLLOWED


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] in FOLLOWED


def _is_package(module: str) -> bool:
    return _locate(module).submodule_search_locations is not None


def _locate(module: str) -> ModuleSpec:
    spec = importlib.util.find_spec(module)
    if spec is None:
        raise ModuleNotFoundError(f"no module named {module!r}", name=module)
    return spec


@functools.cache
def _parse(module: str) -> ast.Module:
    return ast.parse(Path(str(_locate(module).origin)).read_text(encoding="utf-8"))


def _flatten(node: Any, meanings: Mapping[str, str]) -> Any:
    """Write a syntax tree as lists and strings, without positions, docstrings and imports of our modules."""
    if isinstance(node, list):
        return [_flatten(each, meanings) for each in node]
    if not isinstance(node, ast.AST):
        return repr(node)
    if isinstance(node, ast.Name):
        return ["Name", meanings.get(node.id, node.id)]
    fields = dict(ast.iter_fields(node))
    if isinstance(fields.get("body"), list):
        fields["body"] = _computing(node)
    # A field that a later Python adds is empty, and must not change the digest.
    filled = {name: value for name, value in fields.items() if value is not None and value != []}
    return [type(node).__name__, *((name, _flatten(value, meanings)) for name, value in filled.items())]


def _computing(node: Any) -> list[ast.stmt]:
    """Return the statements of a body without those that compute nothing, or only for another entry."""
    can_have_words = isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef)
    has_words = can_have_words and ast.get_docstring(node) is not None
    return [statement for statement in node.body[has_words:] if not _is_left_out(statement)]


def _is_left_out(node: ast.stmt) -> bool:
    if isinstance(node, ast.Import):
        return all(_is_ours(alias.name) for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        return node.level > 0 or _is_ours(node.module or "")
    return isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "VARIANTS"


def _hash(value: Any) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()[:12]
