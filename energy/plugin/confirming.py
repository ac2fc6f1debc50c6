"""Run alarmed cases once more (`--energy-confirm`), through pytest's own protocol for a test."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest

from energy.measuring.run import Session
from energy.plugin import SESSION, case_name, is_measured
from energy.records.metrics import METRICS


def measure(session: pytest.Session, run: Session, cases: Collection[str]) -> list[dict[str, Any]]:
    """Measure cases again on the open meters and return their records; pytest reports them as it does tests.

    Args:
        session: pytest's.
        run: the run that gave the alarm; its records stay as they are.
        cases: names.
    """
    items = [item for item in session.items if is_measured(item) and case_name(item) in cases]
    again = run.again()
    run.say(f"energy: an alarm; {len(cases)} cases are measured once more: {', '.join(sorted(cases))}")
    session.config.stash[SESSION] = again
    try:
        for item, following in zip(items, [*items[1:], None], strict=True):
            _forget_figures(item)
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if session.shouldfail:
                raise session.Failed(session.shouldfail)
            if session.shouldstop:
                raise session.Interrupted(session.shouldstop)
    finally:
        session.config.stash[SESSION] = run
    again.adopt_the_rest()
    return again.records


def _forget_figures(item: pytest.Item) -> None:
    """Take the first measurement's figures from what JUnit shows of the second."""
    item.user_properties[:] = [(name, value) for name, value in item.user_properties if name not in METRICS]
