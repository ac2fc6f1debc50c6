"""What a chart is: a Vega-Lite specification, its words, and the figures behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Chart:
    """One chart.

    Args:
        name: unlike any other in a report; letters, digits, _ and -. A file's name, and part of ids.
        title: for people.
        description: what it shows and how to read it, for those who do not see it, too.
        spec: Vega-Lite 6, data included, colours those of `_look`.
        titles: of the columns of the table behind it.
        rows: that table, as text.
        part: study: after a figure of the first study; more: any other.
    """

    name: str
    title: str
    description: str
    spec: Mapping[str, Any]
    titles: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    part: Literal["study", "more"] = "more"
