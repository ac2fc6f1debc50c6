"""Write a report: one HTML file of tables and charts that opens anywhere.

RESULTS are results folders, folders of one machine, files or globs. The page needs neither a network nor a
script; where scripts may run, its tables can be sorted and two sliders choose a case.
"""

import argparse
import shlex
from pathlib import Path

from energy.commands import UsageError
from energy.report import build


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument(
        "results", nargs="*", default=["results"], metavar="RESULTS", help="(default: results)"
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("report.html"),
        metavar="FILE",
        help="(default: report.html)",
    )


def run(args: argparse.Namespace) -> int:
    """Write the page, and say what is in it and what could not be used."""
    check_installed()
    made = build.report(args.results, command=_command(args))
    try:
        build.write(made.html, args.output)
    except OSError as problem:
        raise UsageError(f"{args.output} cannot be written: {problem.strerror or problem}") from problem
    size = len(made.html.encode()) / 2**20
    print(f"{args.output}: {made.cases} cases of {len(made.runs)} runs, {made.charts} charts, {size:.1f} MiB")
    for file in made.unusable:
        print(f"not used: {file.reason}")
    return 0


def check_installed() -> None:
    """Say what to install if the extra `report` is not there."""
    if missing := build.missing():
        raise UsageError(f"a report needs {', '.join(missing)}: {build.INSTALL}")


def _command(args: argparse.Namespace) -> str:
    return shlex.join(["joulebench", "report", *map(str, args.results), "-o", str(args.output)])
