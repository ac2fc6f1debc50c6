"""Which commit was measured, and whether it holds all that was: git does not call a new file a change."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

CODE = ".py"
MOST_NAMED = 20


def read_commit(sources: Sequence[Path] = (), here: Path | None = None) -> dict[str, Any]:
    """Return pytest-benchmark's commit_info of the checkout, dirty also where it holds code in no commit.

    `uncommitted` names the first of those files: Python files below `sources` that git does not track
    (ignored ones, and folders outside of the checkout, included), and every module of the checkout that this
    process has loaded and that git neither tracks nor ignores.

    Args:
        sources: folders of the code that is measured.
        here: a folder of the checkout; default: the current one.
    """
    # Not needed to read results, so not imported for that.
    from pytest_benchmark.utils import get_commit_info

    info: dict[str, Any] = dict(get_commit_info())  # type: ignore[no-untyped-call]
    found = list_uncommitted(sources, here or Path.cwd(), _loaded_files())
    return info | ({"dirty": True, "uncommitted": found[:MOST_NAMED]} if found else {})


def list_uncommitted(sources: Iterable[Path], here: Path, loaded: Iterable[Path] = ()) -> list[str]:
    """List the code below `sources`, and of what is loaded, that the checkout's commit cannot hold.

    Names are relative to the checkout, those of a folder outside of it to that folder's parent. Without a
    checkout there is no commit that could be wrong: nothing is listed.
    """
    root = _git(here, "rev-parse", "--show-toplevel")
    if root is None:
        return []
    top = Path(root.strip()).resolve()
    found = {name for folder in sources if folder.is_dir() for name in _below(folder.resolve(), top)}
    new = set(_untracked(top, "--exclude-standard", "--", f"*{CODE}"))
    inside = (path.resolve() for path in loaded)
    names = (path.relative_to(top).as_posix() for path in inside if path.is_relative_to(top))
    return sorted(found | (new & set(names)))


def _below(folder: Path, top: Path) -> Iterator[str]:
    if not folder.is_relative_to(top):
        yield from (path.relative_to(folder.parent).as_posix() for path in folder.rglob(f"*{CODE}"))
        return
    for name in _untracked(top, "--", str(folder)):
        if name.endswith("/"):  # a repository of its own, of which this one's commit holds nothing
            yield from (path.relative_to(top).as_posix() for path in (top / name).rglob(f"*{CODE}"))
        elif name.endswith(CODE):
            yield name


def _untracked(top: Path, *which: str) -> list[str]:
    listed = _git(top, "ls-files", "--others", "-z", *which)
    return [name for name in (listed or "").split("\0") if name]


def _git(folder: Path, *arguments: str) -> str | None:
    """Return what git says; None where it is not installed, or the folder is in no checkout."""
    try:
        done = subprocess.run(  # noqa: S603 -- our own arguments
            ["git", "-C", str(folder), *arguments],  # noqa: S607 -- the user's git
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            check=False,
        )
    except FileNotFoundError:
        return None
    return done.stdout if done.returncode == 0 else None


def _loaded_files() -> Iterator[Path]:
    """Yield the files of the modules that this process has loaded, but for installed packages."""
    for module in list(sys.modules.values()):
        name = getattr(module, "__file__", None)
        if isinstance(name, str) and name.endswith(CODE) and "site-packages" not in Path(name).parts:
            yield Path(name)
