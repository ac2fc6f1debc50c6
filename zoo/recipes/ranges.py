"""What each field of a Recipe may hold: (field, what is expected, whether a value is that)."""

import math
import re
from typing import Any

from zoo._registry import networks


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


def _one_among(*choices: str) -> tuple[str, Any]:
    return "one of " + ", ".join(map(repr, choices)), lambda value: value in choices


def _is_betas(value: Any) -> bool:
    return len(value) == 2 and all(type(beta) in (int, float) and 0 <= beta < 1 for beta in value)


def _is_peak(value: Any) -> bool:
    _, is_multiple = _within(0, 100, open_low=True)
    return value is None or is_multiple(value)


def _is_growth(stages: Any) -> bool:
    _, is_share = _within(0, 1, open_low=True)
    if not all(map(is_share, stages)):
        return False
    rising = list(stages) == sorted(set(stages))
    return not stages or (len(stages) > 1 and rising and stages[-1] == 1)


_FLAG = ("True or False", lambda value: type(value) is bool)
RULES = tuple(
    (name, *rule)
    for name, rule in {
        "epochs": _whole(1),
        "batch_size": _whole(2),
        "device": ("'cpu' or 'cuda:0', 'cuda:1', ...", lambda d: bool(re.fullmatch(r"cpu|cuda:\d+", str(d)))),
        "threads": _whole(1, optional=True),
        "power_limit_percent": (
            "a whole number from 1 to 99, or None",
            lambda percent: percent is None or (type(percent) is int and 1 <= percent <= 99),
        ),
        "loss": _one_among("dice", "bce", "mcc", "dice_bce", "focal", "bce_on_probabilities"),
        "optimizer": _one_among(
            "adam", "adamw_fused", "adam_8bit", "novograd", "novograd_foreach", "schedule_free", "muon"
        ),
        "learning_rate": _within(0, 10, open_low=True),
        "betas": ("two numbers from 0 to 1 (excluded)", _is_betas),
        "amsgrad": _FLAG,
        "accumulate": _whole(1),
        "one_cycle_peak": ("a number above 0 and up to 100, or None", _is_peak),
        "average": _one_among("none", "ema", "swa"),
        "ema_decay": _within(0, 0.99999, open_low=True),
        "swa_from": _within(0, 0.99),
        "precision": _one_among("fp32", "bf16", "fp16"),
        "weights": _one_among("fp32", "bf16", "fp16"),
        "fp32_math": _one_among(None, "tf32", "ieee"),
        "channels_last": _FLAG,
        "compile": _FLAG,
        "cuda_graph": _FLAG,
        "checkpointing": _FLAG,
        "fp8_linear": _FLAG,
        "loading": _one_among("disk", "cache", "device"),
        "workers": _whole(0),
        "prefetch": _whole(1, optional=True),
        "persistent_workers": _FLAG,
        "pin_memory": _FLAG,
        "prune_channels": _within(0, 0.95),
        "prune_weights": _within(0, 0.99),
        "prune_rounds": _whole(1),
        "teacher": ("None, or the name of a network", lambda name: name is None or name in networks()),
        "distill_weight": _within(0, 1, open_low=True),
        "distill_temperature": _within(0, 100, open_low=True),
        "int8_qat": _FLAG,
        "int8_from": _within(0, 0.99),
        "empty_kept": _within(0, 1),
        "resolution": _within(0, 1, open_low=True),
        "resolution_stages": ("none, or two or more rising numbers above 0, the last of them 1", _is_growth),
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
