"""What the commands share that look at stored results."""

import argparse
import sys
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


def tell(text: str) -> None:
    """Tell the user what is no result and no mistake, beside the output."""
    print(f"joulebench: {text}", file=sys.stderr)
