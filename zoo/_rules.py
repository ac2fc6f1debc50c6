"""What each field of a Recipe may hold: (field, what is expected, whether a value is that)."""

import math
import re
from typing import Any


def _whole(low: int, optional: bool = False) -> tuple[str, Any]:
    text = f"a whole number of {low} or more" + (", or None" if optional else "")

    def holds(value: Any) -> bool:
        return (optional and value is None) or (type(value) is int and value >= low)

    return text, holds


def _within(low: float, high: float, open_low: bool = False) -> tuple[str, Any]:
    def holds(value: Any) -> bool:
        number = type(value) in (int, float) and math.isfinite(value)
        return number and (low < value if open_low else low <= value) and value <= high

    return f"a number from {low:g}{' (excluded)' if open_low else ''} to {high:g}", holds


def _one_of(*choices: str) -> tuple[str, Any]:
    return "one of " + ", ".join(map(repr, choices)), lambda value: value in choices


def _is_betas(value: Any) -> bool:
    return len(value) == 2 and all(type(beta) in (int, float) and 0 <= beta < 1 for beta in value)


_FLAG = ("True or False", lambda value: type(value) is bool)
RULES = tuple(
    (name, *rule)
    for name, rule in {
        "epochs": _whole(1),
        "batch_size": _whole(2),
        "device": ("'cpu' or 'cuda:0', 'cuda:1', ...", lambda d: bool(re.fullmatch(r"cpu|cuda:\d+", str(d)))),
        "threads": _whole(1, optional=True),
        "loss": _one_of("dice"),
        "optimizer": _one_of("adam", "novograd"),
        "learning_rate": _within(0, 10, open_low=True),
        "betas": ("two numbers from 0 to 1 (excluded)", _is_betas),
        "amsgrad": _FLAG,
        "precision": _one_of("fp32", "bf16"),
        "loading": _one_of("disk", "cache"),
        "workers": _whole(0),
        "prefetch": _whole(1, optional=True),
        "persistent_workers": _FLAG,
        "pin_memory": _FLAG,
        "augment": _FLAG,
        "rotation_degrees": _within(0, 180),
        "rotation_probability": _within(0, 1),
        "flip_probability": _within(0, 1),
        "lr_find_steps": (
            "0, or a whole number of 10 or more",
            lambda n: type(n) is int and (n == 0 or n >= 10),
        ),
        "lr_find_low": _within(0, 10, open_low=True),
        "lr_find_high": _within(0, 10, open_low=True),
        "plateau_patience": _whole(0, optional=True),
        "plateau_factor": _within(0, 0.99, open_low=True),
        "plateau_threshold": _within(0, 1),
        "plateau_floor": _within(0, 1),
        "early_stop_patience": _whole(1, optional=True),
        "early_stop_min_delta": _within(0, 1),
    }.items()
)
