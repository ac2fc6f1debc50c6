"""Whether what was read from a file has the types that its dataclass declares."""

from __future__ import annotations

import dataclasses
import math
import types
from collections.abc import Mapping
from typing import Any, Union, get_args, get_origin, get_type_hints


def check_types(made: Any) -> None:
    """Raise TypeError for the first field, also of dataclasses within, that is of another type than declared.

    >>> @dataclasses.dataclass
    ... class Run:
    ...     seeds: tuple[int, ...]
    >>> check_types(Run((0, 1)))
    >>> check_types(Run(("0",)))
    Traceback (most recent call last):
    TypeError: seeds is ('0',)
    """
    hints = get_type_hints(type(made))
    for field in dataclasses.fields(made):
        value = getattr(made, field.name)
        if not _fits(value, hints[field.name]):
            raise TypeError(f"{field.name} is {value!r:.100}")


def _fits(value: Any, hint: Any) -> bool:
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return any(_fits(value, one) for one in inner)
    if origin is tuple:
        if not isinstance(value, tuple):
            return False
        kinds = inner[:1] * len(value) if inner[-1] is Ellipsis else inner
        return len(kinds) == len(value) and all(map(_fits, value, kinds))
    if origin is not None and issubclass(origin, Mapping):
        return isinstance(value, Mapping) and all(
            _fits(key, inner[0]) and _fits(part, inner[1]) for key, part in value.items()
        )
    if isinstance(hint, type) and dataclasses.is_dataclass(hint) and isinstance(value, hint):
        check_types(value)
        return True
    if hint in (int, float):
        number = isinstance(value, int if hint is int else int | float) and not isinstance(value, bool)
        return number and math.isfinite(value)
    return isinstance(value, hint)
