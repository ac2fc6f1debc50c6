"""Export a run for another program: a CI service, a spreadsheet, a model card.

Prints the text, or writes it to -o. Formats of two files need -o: a folder, or the beginning of their names.
Inside GitHub Actions (GITHUB_STEP_SUMMARY is set) markdown is also appended to the job's summary.
"""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from energy.commands import UsageError
from energy.commands._options import add_storage, tell
from energy.records.storage.files import write_whole
from energy.records.storage.store import Store

if TYPE_CHECKING:
    from types import ModuleType

    from energy.exporters import Exported, Request

SUMMARY = "GITHUB_STEP_SUMMARY"
SUMMARY_BYTES = 2**20  # of one step, by GitHub's documentation of workflow commands
NAME = "energy"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    from energy import exporters

    parser.add_argument("format", metavar="FORMAT", help=f"one of {', '.join(exporters.names())}")
    parser.add_argument("run", nargs="?", metavar="RUN", help="as for show (default: newest)")
    parser.add_argument("--base", metavar="REF", help="compare with this run, as for compare")
    parser.add_argument("-o", "--output", type=Path, metavar="PATH", help="file, folder or stem")
    parser.add_argument("--max-bytes", type=int, metavar="N", help="cut the text to N bytes (markdown)")
    parser.add_argument("--case", metavar="NAME", help="the case that is meant (model_card)")
    parser.add_argument(
        "--grid-g-per-kwh", type=float, metavar="G", help="grams of CO2 per kWh, if the run has none"
    )
    parser.add_argument("--location", metavar="PLACE", help="where the machine stands (model_card)")
    parser.add_argument(
        "--training-type", choices=("pre-training", "fine-tuning"), help="what it was (model_card)"
    )
    add_storage(parser)


def run(args: argparse.Namespace) -> int:
    """Print or write what was asked for."""
    from energy import exporters

    try:
        exporter = exporters.load(args.format)
        request = _request(args, _options(args, exporter))
        made = exporter.export(request)
        _check_output(args, made)
        summary = _summary(exporter, request, made)
    except ValueError as mistake:
        raise UsageError(str(mistake)) from None
    _give(args, made)
    for note in (*made.notes, *summary):
        tell(note)
    return 0


def _options(args: argparse.Namespace, exporter: ModuleType) -> dict[str, Any]:
    """Return the options that were given; one that the format does not take would be ignored in silence."""
    names = ("base", "max_bytes", "case", "grid_g_per_kwh", "location", "training_type")
    given = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    for name in given:
        if name not in exporter.OPTIONS:
            raise UsageError(f"--{name.replace('_', '-')} means nothing to {args.format}; leave it out")
    if not 0 <= given.get("grid_g_per_kwh", 0.0) < math.inf:
        raise UsageError(
            f"--grid-g-per-kwh {args.grid_g_per_kwh}: expected grams of CO2 per kWh, for example 475"
        )
    return given


def _request(args: argparse.Namespace, options: Mapping[str, Any]) -> Request:
    from energy.exporters import Request

    results = Store(args.storage, tell)
    path = results.find(args.run)
    data = results.load(path)
    reference = f"{path.absolute().parent.name}/{path.stem}"
    request = Request(data, reference, **{name: value for name, value in options.items() if name != "base"})
    if "base" not in options:
        return request
    from energy.commands.compare import compared

    return replace(request, base=compared(args.storage, args.base, str(path)))


def _check_output(args: argparse.Namespace, made: Exported) -> None:
    if args.output is None and len(made.files) > 1:
        raise UsageError(
            f"{args.format} is {len(made.files)} files ({', '.join(made.files)}): "
            "give a folder or the beginning of their names by -o"
        )


def _give(args: argparse.Namespace, made: Exported) -> None:
    """Print the text, or write the files and print their names."""
    if args.output is None:
        print("".join(made.files.values()), end="")
        return
    for suffix, text in made.files.items():
        path = _path(args.output, suffix, len(made.files))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, text)
        except OSError as problem:
            raise UsageError(f"{path} cannot be written: {problem.strerror or problem}") from problem
        print(path)


def _path(output: Path, suffix: str, files: int) -> Path:
    if output.is_dir():
        return output / f"{NAME}{suffix}"
    return output if files == 1 else output.with_name(f"{output.name}{suffix}")


def _summary(exporter: ModuleType, request: Request, made: Exported) -> list[str]:
    """Append Markdown to the summary of a GitHub job, and say so; as much of it as GitHub takes."""
    from energy.exporters import ExportError

    name = os.environ.get(SUMMARY)
    if not name or ".md" not in made.files:
        return []
    try:
        taken = Path(name).stat().st_size if Path(name).exists() else 0
        room = SUMMARY_BYTES - taken
        fitted = made if request.max_bytes <= room else exporter.export(replace(request, max_bytes=room))
        with Path(name).open("a", encoding="utf-8") as summary:
            summary.write(fitted.files[".md"])
    except ExportError:
        return [f"not appended to the job's summary: {name} already holds {taken} of {SUMMARY_BYTES} bytes"]
    except OSError as problem:
        raise UsageError(f"{SUMMARY}={name} cannot be written: {problem.strerror or problem}") from problem
    return [f"appended to the job's summary, {name}"]
