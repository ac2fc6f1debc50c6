"""A limit that a run must keep: METRIC[@CASE-REGEX]:LIMIT, as on the command line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Gate:
    """One limit. The direction comes from the metric: more joules are worse, and less Dice is.

    Args:
        text: as the user wrote it.
        metric: a metric's name; for `session` the metric whose session shift is limited (total_kj).
        cases: which cases it is about, searched in the name; None: all.
        kind: relative (5%: the case may be 5 % worse than its base), absolute (0.01: worse by so much in the
            metric's unit), ceiling (`<=25`) and floor (`>=0.8`: against the figure itself, no base needed),
            session (4%: what all cases have in common).
        limit: 0.05 for 5 %, else in the metric's unit.
        origin: where it was written: command line, pyproject.toml, marker of NODE.
    """

    text: str
    metric: str
    cases: re.Pattern[str] | None
    kind: Literal["relative", "absolute", "ceiling", "floor", "session"]
    limit: float
    origin: str

    def is_about(self, case: str) -> bool:
        """Tell whether a case is one of those that are limited."""
        return self.cases is None or self.cases.search(case) is not None
