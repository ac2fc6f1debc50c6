"""`--energy-dry-run`: the cases that would run, with predicted minutes and kJ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from energy.plugin.hookspecs import Plan
from energy.text import format_number


def show(config: pytest.Config, items: Sequence[pytest.Item]) -> None:
    """Print what `pytest_energy_plan` predicts of the items, and the sums."""
    reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
    reporter.section("energy: dry run")
    plans = []
    predicted = config.hook.pytest_energy_plan(config=config, items=items)
    for plan in predicted or [Plan(item.name, None, None, "no prediction") for item in items]:
        plans.append(plan)
        reporter.write_line(_line(plan))
    reporter.write_line(_line(_sum(plans)))


def _sum(plans: Sequence[Plan]) -> Plan:
    seconds = [plan.seconds for plan in plans if plan.seconds is not None]
    kj = [plan.kj for plan in plans if plan.kj is not None]
    missing = len(plans) - min(len(seconds), len(kj))
    basis = f"without {missing} that cannot be predicted" if missing else "predicted, nothing was run"
    return Plan(f"{len(plans)} cases", sum(seconds), sum(kj), basis)


def _line(plan: Plan) -> str:
    minutes = f"{'–':>6}" if plan.seconds is None else f"{plan.seconds / 60:6.1f}"
    kj = f"{'–':>8}" if plan.kj is None else f"{format_number(plan.kj):>8}"
    return f"{minutes} min {kj} kJ  {plan.name}  ({plan.basis})"
