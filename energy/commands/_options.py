"""Options that several commands have, and what they tell beside their output."""

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


def add_gates(parser: argparse.ArgumentParser) -> None:
    """Add what says how a run is held against its limits."""
    parser.add_argument(
        "--fail", metavar="GATE", action="append", default=[], help="limit, e.g. kj_per_epoch:5%%, dice:0.01"
    )
    parser.add_argument("--strict", action="store_true", help="11 and 12 fail, too")
    add_all(parser)


def add_all(parser: argparse.ArgumentParser) -> None:
    """Add `--all`, for a comparison's table."""
    parser.add_argument("--all", action="store_true", help="also the unchanged cases of a large comparison")


def add_results(parser: argparse.ArgumentParser) -> None:
    """Add what a report is made of."""
    parser.add_argument(
        "results", nargs="*", default=["results"], metavar="RESULTS", help="(default: results)"
    )


def tell(text: str) -> None:
    """Tell the user what is no result and no mistake, beside the output."""
    print(f"joulebench: {text}", file=sys.stderr)
