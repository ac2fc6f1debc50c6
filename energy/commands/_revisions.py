"""Two revisions of a project side by side: git worktrees in a folder that is removed whatever happens."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

SHORT = 8


class Terminated(KeyboardInterrupt):
    """SIGTERM, which reached this process alone."""


class GitError(Exception):
    """git says no; tells what was asked and what it said."""


@dataclass(frozen=True)
class Revision:
    """A revision: what the user called it, its whole hash, and the folder in which it is checked out."""

    name: str
    commit: str
    folder: Path

    def __str__(self) -> str:
        """Return how a revision is told to the user."""
        return f"{self.name} ({self.commit[:SHORT]})" if self.name != self.commit[:SHORT] else self.name


def find_root(folder: Path) -> Path:
    """Return the root of the checkout that `folder` is in; GitError if there is none."""
    return Path(_git(folder, "rev-parse", "--show-toplevel"))


def find_commit(repository: Path, name: str) -> str:
    """Return the hash of the commit that `name` means; GitError if it means none."""
    try:
        return _git(repository, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    except GitError:
        raise GitError(f"{name}: no such revision in {repository}; git log --oneline shows some") from None


def is_dirty(repository: Path) -> bool:
    """Tell whether the checkout holds changes that no commit has."""
    return bool(_git(repository, "status", "--porcelain", "--untracked-files=no"))


@contextmanager
def check_out(repository: Path, names: Sequence[str]) -> Iterator[tuple[Path, list[Revision]]]:
    """Check revisions out into a temporary folder; at the end, also by Ctrl-C or SIGTERM, all is removed.

    Raises:
        GitError: there is no such revision, or it cannot be checked out.
    """
    commits = [find_commit(repository, name) for name in names]
    folder = Path(tempfile.mkdtemp(prefix="joulebench-ab-")).resolve()
    revisions = [
        Revision(name, found, folder / f"{letter}-{found[:SHORT]}")
        for name, found, letter in zip(names, commits, "ab", strict=True)
    ]
    with _sigterm_as_interrupt():
        try:
            for revision in revisions:
                _git(repository, "worktree", "add", "--detach", str(revision.folder), revision.commit)
            yield folder, revisions
        finally:
            known = _git(repository, "worktree", "list", "--porcelain").splitlines()
            for revision in revisions:
                if f"worktree {revision.folder.as_posix()}" in known:
                    _git(repository, "worktree", "remove", "--force", str(revision.folder))
            shutil.rmtree(folder)


def copy_instrument(folder: Path) -> Path:
    """Copy this package alone into `folder`, so that both revisions are measured by the same instrument."""
    alone = folder / "instrument"
    shutil.copytree(Path(__file__).parents[1], alone / "energy", ignore=shutil.ignore_patterns("__pycache__"))
    return alone


@contextmanager
def _sigterm_as_interrupt() -> Iterator[None]:
    def interrupt(number: int, _: FrameType | None) -> None:
        raise Terminated(f"signal {number}")

    previous = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603 -- our own arguments, and no shell
            ["git", "-C", str(folder), *arguments],  # noqa: S607 (whichever git the user has)
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as problem:
        raise GitError(f"git cannot be run ({problem.strerror}); install it") from None
    if done.returncode:
        raise GitError(f"git {arguments[0]}: {' '.join(done.stderr.split())}")
    return done.stdout.strip()
