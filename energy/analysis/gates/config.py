"""What a project says once and for all its runs: the table [tool.joulebench] of its pyproject.toml."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from energy.analysis.compare.gate import Gate, parse_gate
from energy.text import explain_unknown

FILE = "pyproject.toml"
TABLE = "tool.joulebench"
KEYS = ("baseline", "fail", "strict")


class ProjectError(ValueError):
    """The table says what cannot be meant; names file, key, expectation."""


@dataclass(frozen=True)
class Project:
    """The table; as here where there is none.

    Args:
        fail: the gates of every run.
        strict: whether what could not be told fails a run, too.
        baseline: name of the baseline that runs are compared with.
    """

    fail: tuple[Gate, ...] = ()
    strict: bool = False
    baseline: str = "main"


def read_project(folder: Path) -> Project:
    """Read `folder`/pyproject.toml.

    Raises:
        ProjectError: not TOML, an unknown key, or a value of another type.
        GateError: a gate that cannot be meant.
    """
    path = folder / FILE
    if not path.is_file():
        return Project()
    try:
        tools = tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise ProjectError(f"{path}: not TOML: {problem}") from None
    table = _checked(tools, dict, path, "a table of tools").get("joulebench", {})
    _checked(table, dict, path, 'a table, such as fail = ["kj_per_epoch:5%"] below [tool.joulebench]')
    for key in table:
        if key not in KEYS:
            raise ProjectError(f"{path}: [{TABLE}]: {explain_unknown('key', key, KEYS)}")
    fail = _checked(table.get("fail", []), list, path, 'fail = ["kj_per_epoch:5%"]')
    return Project(
        fail=tuple(parse_gate(_checked(text, str, path, "fail as texts"), FILE) for text in fail),
        strict=_checked(table.get("strict", Project.strict), bool, path, "strict = true or false"),
        baseline=_checked(table.get("baseline", Project.baseline), str, path, 'baseline = "main"'),
    )


def _checked(value: Any, kind: type, path: Path, example: str) -> Any:
    """Return a value of the right type."""
    if not isinstance(value, kind):
        raise ProjectError(f"{path}: [{TABLE}]: {value!r}: expected {example}")
    return value
