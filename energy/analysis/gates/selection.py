"""What a run was asked to measure: so that a case that nobody asked for is told from one that is missing.

A case of the baseline is missing if the command line would have collected it, and no option took it away
again. `-k`, `-m`, `--deselect`, `--ignore` and paths are a choice of the user's; a test that was deleted,
renamed or skipped is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any


@dataclass(frozen=True)
class Selection:
    """What was selected.

    Args:
        paths: the folders, files and node ids of the command line, relative to pytest's root folder.
        ignored: paths that were left out, likewise.
        deselected: names of the cases that were collected and then left out.
    """

    paths: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    deselected: frozenset[str] = frozenset()

    def asks_for(self, case: str, node: str | None) -> bool:
        """Tell whether a case would have been measured, if it were there.

        Args:
            case: its name.
            node: pytest's node id of its test; None if no test asked for it, as for a reference.
        """
        if node is None or case in self.deselected:
            return False
        inside = not self.paths or any(_is_in(node, path) for path in self.paths)
        return inside and not any(_is_in(node, path) for path in self.ignored)

    def without(self, cases: Iterable[str]) -> Selection:
        """Return the selection of a run that left these cases out, too."""
        return replace(self, deselected=self.deselected | frozenset(cases))

    def as_json(self) -> dict[str, Any]:
        """Return what a run file keeps of it."""
        return {
            "paths": list(self.paths),
            "ignored": list(self.ignored),
            "deselected": sorted(self.deselected),
        }


def read_selection(block: Mapping[str, Any] | None) -> Selection:
    """Return the selection that a run file tells; without one, everything was asked for."""
    if block is None:
        return Selection()
    return Selection(tuple(block["paths"]), tuple(block["ignored"]), frozenset(block["deselected"]))


def make_relative(arguments: Iterable[str | Path], here: Path, root: Path) -> tuple[str, ...]:
    """Return arguments of pytest, which are relative to the folder it was called in, relative to its root.

    >>> make_relative(["tests", "test_a.py::test_b[x/y]", "."], Path("/p/benchmarks"), Path("/p"))
    ('benchmarks/tests', 'benchmarks/test_a.py::test_b[x/y]', 'benchmarks')
    """
    return tuple(_make_relative(str(argument), here, root) for argument in arguments)


def _make_relative(argument: str, here: Path, root: Path) -> str:
    path, separator, test = argument.partition("::")
    whole = (here / path).resolve()
    inside = whole.relative_to(root.resolve()) if whole.is_relative_to(root.resolve()) else whole
    return PurePosixPath(*inside.parts).as_posix() + separator + test


def _is_in(node: str, path: str) -> bool:
    if path == ".":
        return True
    return node == path or any(node.startswith(path + border) for border in ("/", "::", "["))
