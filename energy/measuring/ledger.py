"""The ledger of a window: what went wrong in it, when, for how long, and what that may have hidden."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from energy.fault import in_order
from energy.reading import Energy, Reading


def of(energy: Energy, first: Reading) -> list[dict[str, Any]]:
    """Return the faults of a window in the order of their beginning, as JSON-able mappings.

    `at_seconds` counts from the window's start; what had begun before it is negative.
    """
    faults = in_order(energy.faults)
    return [asdict(fault) | {"at_seconds": fault.at_seconds - first.seconds} for fault in faults]
