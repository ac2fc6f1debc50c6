"""Look at a data set before anything is trained on it: layout, subjects, brain, split, what is left out.

The readers are those of the suite, so this works in a clone of joulebench.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from energy.commands import UsageError

MODULE = "benchmarks.data"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command, which are those of the suite's own."""
    parser.add_argument("path", metavar="PATH", help="a folder of slices or volumes, or phantom")
    parser.add_argument("--image-size", metavar="N", help="pixels over 256 mm (64)")
    parser.add_argument("--folds", metavar="K|volumes", help="deal the subjects to folds, too")
    parser.add_argument("--label", metavar="N[,M]", help="labels of the masks that are brain")
    parser.add_argument("--skip-bad", action="store_true", help="go on without files that cannot be used")
    parser.add_argument("--sheet", metavar="FILE.png", help="draw some slices with their masks")
    parser.add_argument("--no-timing", action="store_true", help="do not time steps of U-Net")


def run(args: argparse.Namespace) -> int:
    """Have the suite look, in a process of its own: the instrument imports none of it."""
    here = Path(*MODULE.split(".")).with_suffix(".py")
    if not here.is_file():
        raise UsageError(f"data: no {here} here; run it in the folder of a clone of joulebench")
    options = [
        part
        for name in ("image_size", "folds", "label", "sheet")
        if (value := getattr(args, name)) is not None
        for part in (f"--{name.replace('_', '-')}", value)
    ]
    options += [f"--{name.replace('_', '-')}" for name in ("skip_bad", "no_timing") if getattr(args, name)]
    command = [sys.executable, "-m", MODULE, args.path, *options]
    return subprocess.run(command, check=False).returncode  # noqa: S603 -- this Python, our module
