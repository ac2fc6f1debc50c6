"""What a command prints: records, paths and files are anybody's, and may hold what changes a terminal."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any, TextIO

from energy.text import show_controls


class _Shown:
    """A stream that shows control characters instead of sending them."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return self._stream.write(show_controls(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def showing_controls() -> Iterator[None]:
    """Show control characters in what is printed meanwhile, on both streams."""
    out: Any = _Shown(sys.stdout)
    err: Any = _Shown(sys.stderr)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        yield
