"""`--energy-dry-run`: the cases that would run, with predicted minutes and kJ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from energy.hookspecs import Plan

UNKNOWN = Plan(None, None, "no prediction for this case")


def show(items: Sequence[pytest.Item]) -> None:
    """Predict each item through `pytest_energy_plan` and print the plan with its sums."""
    if not items:
        return
    reporter: Any = items[0].config.pluginmanager.get_plugin("terminalreporter")
    reporter.section("energy: dry run")
    plans = []
    for item in items:
        plan = item.config.hook.pytest_energy_plan(item=item) or UNKNOWN
        plans.append(plan)
        reporter.write_line(_line(item.name, plan))
    reporter.write_line(_line(f"{len(plans)} cases", _sum(plans)))


def _sum(plans: Sequence[Plan]) -> Plan:
    seconds = [plan.seconds for plan in plans if plan.seconds is not None]
    kj = [plan.kj for plan in plans if plan.kj is not None]
    missing = len(plans) - len(seconds)
    return Plan(sum(seconds), sum(kj), f"without {missing} that cannot be predicted" if missing else "in all")


def _line(name: str, plan: Plan) -> str:
    minutes = "     –" if plan.seconds is None else f"{plan.seconds / 60:6.1f}"
    kj = "       –" if plan.kj is None else f"{plan.kj:8.2f}"
    return f"{minutes} min {kj} kJ  {name}  ({plan.basis})"
