"""What `calibrate --fit` has left in a results folder: laws of the power of CPUs, of whatever machine."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from energy.text import parse_json

FILE = "noise.json"  # of a machine's folder
BLOCK = "cpu_power"

Law = Mapping[str, Any]


def find_laws(root: Path) -> tuple[list[Law], list[str]]:
    """Return the blocks of all machines of a results folder, and what was left out and why.

    A block of another machine is of use, too: it holds wherever the same processor is found.
    """
    found, notes = [], []
    for path in sorted(root.glob(f"*/{FILE}")):
        try:
            block = parse_json(path.read_bytes()).get(BLOCK)
            if block is not None:
                found.append(_checked(block))
        except (OSError, ValueError, AttributeError, KeyError, TypeError) as problem:
            notes.append(
                f"{path}: its law of the CPU cannot be used ({problem!r}); run calibrate --fit again"
            )
    return found, notes


def _checked(block: Any) -> Law:
    """Return a block of the form that the model of the CPU reads; KeyError, TypeError or ValueError else."""
    return {
        "processor": {name: block["processor"][name] for name in ("vendor", "family", "model", "stepping")},
        "laws": [
            {
                "source": str(law["source"]),
                "origin": str(law["origin"]),
                "idle_watts_per_thread": _ends(law["idle_watts_per_thread"]),
                "joules_per": {str(name): _ends(each) for name, each in law["joules_per"].items()},
            }
            for law in block["laws"]
        ],
    }


def _ends(values: Any) -> list[float]:
    low, middle, high = map(float, values)
    if not 0 <= low <= middle <= high:
        raise ValueError(f"{[low, middle, high]}: expected least, figure and most, none below 0")
    return [low, middle, high]
