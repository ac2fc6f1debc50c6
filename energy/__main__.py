"""`python -m energy`, also installed as `joulebench`: look at what was measured."""

import contextlib
import os
import sys
from collections.abc import Sequence
from typing import Any, TextIO

from energy import commands
from energy.commands import UsageError
from energy.text import show_controls

USAGE_EXIT = 4


class _Shown:
    """A stream that shows control characters: records, paths and files are anybody's."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return self._stream.write(show_controls(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; a user's mistake is one line on stderr and 4."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal of another encoding gets "?" for "÷", no traceback
            stream.reconfigure(errors="replace")
    try:
        with (
            contextlib.redirect_stdout(_Shown(sys.stdout)),
            contextlib.redirect_stderr(_Shown(sys.stderr)),
        ):
            code = commands.run(arguments)
            sys.stdout.flush()
    except UsageError as mistake:
        print(f"joulebench: {show_controls(' '.join(str(mistake).split()))}", file=sys.stderr)
        return USAGE_EXIT
    except BrokenPipeError:  # the reader, `head` for one, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


if __name__ == "__main__":
    sys.exit(main())
