"""Write a report: one HTML file of tables and charts that opens anywhere.

RESULTS are results folders, folders of one machine, files or globs. The page needs neither a network nor a
script; where scripts may run, its tables can be sorted and two sliders choose a case.
"""

import argparse
import shlex
from collections.abc import Callable
from pathlib import Path

from energy.commands import UsageError
from energy.commands._options import add_results
from energy.measuring import machine
from energy.report.page import build, drawing

# More of them help little: a large part of the time is that of the few largest charts.
MOST_PROCESSES = 4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    add_results(parser)
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("report.html"),
        metavar="FILE",
        help="(default: report.html)",
    )
    parser.add_argument(
        "--interactive",
        action="store_true",
        help="charts answer to a pointer where scripts may run (+0.9 MB)",
    )
    parser.add_argument("--figures", type=Path, metavar="DIR", help="also write each chart as SVG and PNG")
    parser.add_argument(
        "--overlays",
        type=Path,
        metavar="DIR",
        help="also show predicted and true masks from this folder; these are images of patients",
    )


@build.without_collector()
def run(args: argparse.Namespace) -> int:
    """Write the page, and say what is in it and what could not be used."""
    check_installed()
    if args.overlays is not None and not args.overlays.is_dir():
        raise UsageError(f"--overlays {args.overlays}: no such folder")
    processes = min(MOST_PROCESSES, machine.physical_cores())
    choices = build.Choices(_command(args), args.overlays, args.interactive, processes=processes)
    made = build.report(args.results, choices)
    _written(args.output, lambda: build.write(made.html, args.output))
    if args.figures is not None:
        _written(args.figures, lambda: drawing.figures(made.drawn, args.figures))
    size = len(made.html.encode()) / 2**20
    told = f"{made.cases} cases of {len(made.runs)} runs, {len(made.drawn.charts)} charts"
    print(f"{args.output}: {told}, {size:.1f} MiB")
    for file in made.unusable:
        print(f"not used: {file.reason}")
    return 0


def _written(path: Path, write: Callable[[], object]) -> None:
    try:
        write()
    except OSError as problem:
        raise UsageError(f"{path} cannot be written: {problem.strerror or problem}") from problem


def check_installed() -> None:
    """Say what to install if the extra `report` is not there."""
    if missing := build.missing():
        raise UsageError(f"a report needs {', '.join(missing)}: {build.INSTALL}")


def _command(args: argparse.Namespace) -> str:
    """Return the command that makes this page again."""
    flags = ["--interactive"] if args.interactive else []
    for option, folder in (("--figures", args.figures), ("--overlays", args.overlays)):
        flags += [option, str(folder)] if folder is not None else []
    return shlex.join(["joulebench", "report", *map(str, args.results), "-o", str(args.output), *flags])
