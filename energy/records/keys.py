"""The key of a training's case: what must be equal for two records to answer one question.

That is what its recipe changes of the defaults, and its budget. Seeds are no part of it: they pair the
repeats of two records. Older records have a key of all of it, which is exchanged when they are read.
"""

import functools
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FIRST_DEFAULTS = Path(__file__).with_name("first_defaults.json")  # of recipes, version 1


def make_case_key(
    recipe: Mapping[str, Any],
    defaults: Mapping[str, Any],
    version: int,
    budget: Mapping[str, Any],
    target_dice: float,
) -> str:
    """Return the key of a case.

    Args:
        recipe: every choice that was made.
        defaults: what each choice is unless it is made; one without a default always counts.
        version: of the defaults.
        budget: how much training it gets; its seeds do not count.
        target_dice: whose price is recorded.
    """
    chosen, usual = _as_json(recipe), _as_json(defaults)
    changed = {name: value for name, value in chosen.items() if name not in usual or value != usual[name]}
    amount = {name: value for name, value in budget.items() if name != "seeds"}
    return short_hash({"defaults": version, "recipe": changed, "budget": amount, "target_dice": target_dice})


def update_key(record: Mapping[str, Any]) -> None:
    """Give a record of before, not validated yet, the case key that it would get today."""
    try:
        recipe, budget, keys = record["recipe"], record["budget"], record["keys"]
        target = record["setup"][0]["target_dice"]
        before = short_hash({"recipe": recipe, "budget": budget, "target_dice": target})
        is_old = keys["case"] == before
    except (KeyError, IndexError, TypeError):  # of another task, of another suite, or damaged
        return
    if is_old:
        keys["case"] = make_case_key(recipe, read_first_defaults(), 1, budget, target)


@functools.cache
def read_first_defaults() -> dict[str, Any]:
    """Return the defaults that the recipes of those records were made with."""
    defaults: dict[str, Any] = json.loads(FIRST_DEFAULTS.read_text(encoding="utf-8"))
    return defaults


def short_hash(value: Any) -> str:
    """Hash any JSON-able value to 12 hexadecimal digits, the same for the same value on every machine."""
    text = json.dumps(value, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _as_json(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values as a record has them: tuples as lists."""
    plain: dict[str, Any] = json.loads(json.dumps(dict(values)))
    return plain
