"""The option that all commands share."""

import argparse
from pathlib import Path


def add_storage(parser: argparse.ArgumentParser) -> None:
    """Add `--storage`, the results folder."""
    parser.add_argument(
        "--storage",
        type=Path,
        default=Path("results"),
        metavar="DIR",
        help="results folder (default: results)",
    )
