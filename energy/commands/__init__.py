"""The commands of `python -m energy`: one file each, found by its name.

A command is a module with a docstring (its help), `add_arguments(parser)` and `run(args) -> int`. One that
says PASSES_ON gets what follows `--` as `args.passed_on`.
"""

import argparse
from collections.abc import Sequence
from typing import NoReturn

from energy._registry import list_entries, load_entry
from energy.records.schema import RecordError
from energy.records.storage.runfile import StoreError


class UsageError(Exception):
    """The user asked for something that does not exist or cannot be done; the message says what to do."""


class _Parser(argparse.ArgumentParser):
    """A parser that raises instead of leaving with exit code 2, which pytest uses for an interrupted run."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see {self.prog} --help")


def names() -> tuple[str, ...]:
    """Return the names of the commands, sorted."""
    return list_entries(__name__)


def run(arguments: Sequence[str]) -> int:
    """Run the command that `arguments` begin with and return its exit code.

    Raises:
        UsageError: no such command or argument, or the command cannot do what it was asked.
    """
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_overview())
        return 0
    name, *rest = arguments
    # One command only: `list` must not wait for what `doctor` needs.
    try:
        command = load_entry(__name__, "command", name)
    except ValueError as unknown:
        raise UsageError(str(unknown)) from None
    parser = _Parser(prog=f"joulebench {name}", description=command.__doc__)
    command.add_arguments(parser)
    # argparse would look for positional arguments behind `--`, and has none left.
    end = rest.index("--") if "--" in rest and getattr(command, "PASSES_ON", False) else len(rest)
    try:
        args = parser.parse_args(rest[:end], argparse.Namespace(passed_on=rest[end + 1 :]))
        code: int = command.run(args)
    except (RecordError, StoreError) as mistake:
        raise UsageError(str(mistake)) from mistake
    return code


def _overview() -> str:
    """Return one line per command, from the first line of its docstring."""
    modules = ((name, load_entry(__name__, "command", name)) for name in names())
    rows = [f"  {name:10} {(module.__doc__ or '').splitlines()[0]}" for name, module in modules]
    return "\n".join(["usage: joulebench COMMAND ...   (or python -m energy COMMAND ...)", "", *rows])
