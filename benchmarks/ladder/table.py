"""The ladder as people read it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks.ladder.protocol import Rung
from energy.text import format_number

TITLES = ("technique", "Dice", "kJ", "Dice/kJ", "gain", "needed", "verdict")
UNKNOWN = "–"
WIDTH = 110


def sentence(rung: Rung) -> str:
    """Say how a rung ended, while the next one is trained."""
    place = f" in place of {' and '.join(rung.replaces)}" if rung.replaces else ""
    gain = "" if rung.gain is None else f" {rung.gain:+.1%} Dice/kJ,"
    why = f": {rung.why}" if rung.why else ""
    return f"ladder: {rung.tried}{place}:{gain} {rung.verdict}{why}"


def tabulate_run(records: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the tables of the ladders that a run has climbed."""
    for record in records:
        if record["task"] == "ladder" and record["status"] == "ok":
            yield f" ladder of {record['arch']} ".center(80, "=")
            yield from lines(record["setup"][0]["ladder"])


def lines(ladder: Mapping[str, Any]) -> Iterator[str]:
    """Yield the table of a ladder as its record has it, what is kept, and the rule."""
    rungs = [Rung(**rung) for rung in ladder["rungs"]]
    yield from _aligned([TITLES, *map(_cells, rungs)])
    yield ""
    seeds = ", ".join(map(str, ladder["seeds"]))
    yield f"{ladder['arch']}, seed {seeds}; kept: {ladder['kept']}"
    yield from textwrap.wrap(ladder["rule"], WIDTH)


def _cells(rung: Rung) -> tuple[str, ...]:
    name = rung.tried if rung.verdict == "start" else f"+ {rung.tried}"
    if rung.replaces:
        name += f" (not {', '.join(rung.replaces)})"
    figures = (rung.dice, rung.total_kj, rung.dice_per_kj)
    shares = (rung.gain, rung.needed)
    return (
        name,
        *(UNKNOWN if figure is None else format_number(figure) for figure in figures),
        *(UNKNOWN if share is None else f"{share:+.1%}" for share in shares),
        f"{rung.verdict}: {rung.why}" if rung.why else rung.verdict,
    )


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Pad the columns to equal width, words to the left and figures to the right; reasons may wrap."""
    widths = [max(map(len, column)) for column in list(zip(*rows, strict=True))[:-1]]
    indent = " " * (sum(widths) + 2 * len(widths))
    for name, *figures, verdict in rows:
        padded = [name.ljust(widths[0]), *map(str.rjust, figures, widths[1:])]
        yield textwrap.fill(
            "  ".join([*padded, verdict]), max(WIDTH, len(indent) + 40), subsequent_indent=indent
        )
