"""Show one run as a table, or one of its cases in full."""

import argparse
import json
from collections.abc import Mapping, Sequence
from typing import Any

from energy.commands import UsageError
from energy.commands._options import add_storage, tell
from energy.records.storage.runfile import list_records
from energy.records.storage.store import Store
from energy.report.terminal import table
from energy.report.terminal.record import format_record
from energy.text import explain_unknown

Record = Mapping[str, Any]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument(
        "run",
        nargs="?",
        metavar="RUN",
        help="0007, FINGERPRINT/0007, a file or a saved name (default: newest)",
    )
    parser.add_argument("--case", metavar="NAME", help="all there is about one case")
    parser.add_argument("--json", action="store_true", help="print the records as JSON")
    parser.add_argument("--columns", metavar="LIST", help="columns of the table, by metric name")
    parser.add_argument("--sort", metavar="COLUMN", help="column by which the table is sorted")
    add_storage(parser)


def run(args: argparse.Namespace) -> int:
    """Print the run that was asked for."""
    columns, sort = _choices(args)
    results = Store(args.storage, tell)
    path = results.find(args.run)
    data = results.load(path)
    records = _selected(list_records(data), args.case, str(path))
    if args.json:
        print(json.dumps(records, indent=1, allow_nan=False))
    elif args.case:
        print("\n\n".join(map(format_record, records)))
    else:
        print(f"{path}\n")
        print(table.format_table(records, columns=columns, sort=sort, idle=data["energy"]["idle"]))
    return 0


def _choices(args: argparse.Namespace) -> tuple[tuple[str, ...] | None, str | None]:
    try:
        columns = table.parse_columns(args.columns) if args.columns is not None else None
        return columns, table.parse_sort(args.sort) if args.sort is not None else None
    except ValueError as mistake:
        raise UsageError(str(mistake)) from None


def _selected(records: Sequence[Record], case: str | None, where: str) -> Sequence[Record]:
    """Return the records of one case, or all; a file without any has nothing to show."""
    if not records:
        raise UsageError(f"{where} holds no energy records; pytest-benchmark compare reads its seconds")
    selected = [record for record in records if case in (None, record["case"])]
    if not selected:
        raise UsageError(
            f"{explain_unknown('case', str(case), sorted({r['case'] for r in records}))}; in {where}"
        )
    return selected
