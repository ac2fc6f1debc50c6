"""What of the source code makes a result, as a digest: equal ones mean that the result would come out again.

It is over the syntax trees of the modules that a recipe's training and evaluation can reach, without their
docstrings and comments, and without the names of modules: renaming a file, or adding a network or a technique,
changes nothing for the others.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import zoo
from zoo._registry import find, kind_of_network

# Where it begins. Fronts of packages are left out: they hand on names, and compute nothing.
BEGINNINGS = ("benchmarks.training", "zoo.training.loop", "zoo.evaluation", "fixtures.transform")
FOLLOWED = ("zoo.", "fixtures.")


def digest_source(recipe: zoo.Recipe) -> str:
    """Return the digest of what trains and evaluates a recipe."""
    entries = [("techniques", name) for name in recipe.technique.split("+")]
    entries += [(kind_of_network(name), name) for name in (recipe.architecture, recipe.teacher) if name]
    found = [find(*entry) for entry in entries]
    own = [f"zoo.{kind}.{entry.path.stem}" for (kind, _), entry in zip(entries, found, strict=True)]
    modules = sorted(_digest_module(name) for name in _reach((*BEGINNINGS, *own)))
    return _hash([modules, [sorted(entry.parameters.items()) for entry in found]])


def _reach(names: Sequence[str]) -> dict[str, None]:
    """Return the modules that these import, and so on, themselves included."""
    reached: dict[str, None] = {}
    waiting = list(names)
    while waiting:
        if (name := waiting.pop()) not in reached:
            reached[name] = None
            waiting += [module for module, _ in _imported(name).values()]
    return reached


@functools.cache
def _imported(name: str) -> Mapping[str, tuple[str, str]]:
    """Return what a module calls what it has of our modules: by its word, module and name in there."""
    found = {}
    for node in ast.walk(_tree(name)):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                found[alias.asname or alias.name] = _resolve(_absolute(node, name), alias.name)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                found[alias.asname or alias.name] = (alias.name, "")
    return {word: origin for word, origin in found.items() if _is_followed(origin[0])}


def _is_followed(name: str) -> bool:
    return name.startswith(FOLLOWED) and not _spec(name).submodule_search_locations


def _absolute(node: ast.ImportFrom, importer: str) -> str:
    package = importer.rpartition(".")[0]
    return importlib.util.resolve_name("." * node.level + (node.module or ""), package)


def _resolve(module: str, name: str) -> tuple[str, str]:
    """Tell `from package import module` from `from module import name`."""
    if f"{module}.".startswith(FOLLOWED) and _spec(module).submodule_search_locations:
        if importlib.util.find_spec(f"{module}.{name}"):
            return f"{module}.{name}", ""
    return module, name


def _spec(name: str) -> Any:
    return importlib.util.find_spec(name)


def _tree(name: str) -> ast.Module:
    return _parse(Path(_spec(name).origin))


@functools.cache
def _parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@functools.cache
def _digest_module(name: str) -> str:
    """Digest a module; what it has of others is named by their content, and not by their names."""
    meanings = {word: f"{_digest_alone(module)} {there}" for word, (module, there) in _imported(name).items()}
    return _hash(_flatten(_tree(name), meanings))


@functools.cache
def _digest_alone(name: str) -> str:
    return _hash(_flatten(_tree(name), {word: there for word, (_, there) in _imported(name).items()}))


def _flatten(node: Any, meanings: Mapping[str, str]) -> Any:
    """Write a syntax tree as lists and strings, without positions, docstrings and imports of our modules."""
    if isinstance(node, list):
        return [_flatten(each, meanings) for each in node]
    if not isinstance(node, ast.AST):
        return repr(node)
    if isinstance(node, ast.Name):
        return ["Name", meanings.get(node.id, node.id)]
    fields = [
        [name, _flatten(_without_words(node, value) if name == "body" else value, meanings)]
        for name, value in ast.iter_fields(node)
        if value is not None and value != []  # fields that a later Python adds are empty
    ]
    return [type(node).__name__, *fields]


def _without_words(node: ast.AST, body: Any) -> Any:
    """Return the statements of a body that compute something, and are not those of another entry."""
    if not isinstance(body, list):
        return body  # of a lambda
    holds_docstring = isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node)
    return list(_statements(body[1:] if holds_docstring else body))


def _statements(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        imports = isinstance(node, ast.Import | ast.ImportFrom)
        variants = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "VARIANTS"
        if not variants and not (imports and _is_ours(node)):
            yield node


def _is_ours(node: ast.Import | ast.ImportFrom) -> bool:
    names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
    return isinstance(node, ast.ImportFrom) and node.level > 0 or any(f"{n}.".startswith(FOLLOWED) for n in names)


def _hash(value: Any) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()[:12]
