"""`python -m energy`, also installed as `joulebench`: look at what was measured."""

import os
import sys
from collections.abc import Sequence

from energy import commands
from energy.commands import UsageError
from energy.commands._shown import showing_controls

USAGE_EXIT = 4


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; a user's mistake is one line on stderr and 4."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal of another encoding gets "?" for "÷", no traceback
            stream.reconfigure(errors="replace")
    with showing_controls():
        try:
            code = commands.run(arguments)
            sys.stdout.flush()
        except UsageError as mistake:
            print(f"joulebench: {' '.join(str(mistake).split())}", file=sys.stderr)
            return USAGE_EXIT
        except BrokenPipeError:  # the reader, `head` for one, has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        return code


if __name__ == "__main__":
    sys.exit(main())
